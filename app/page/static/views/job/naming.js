// What a job is called and what is written beside it, with the form that changes both.

import { patch } from "../../api.js";
import { h, problemBox, replace } from "../../dom.js";

const LIMITS = { name: 100, note: 2000 };

// `current` returns the job, `changed` gets it with its new name and note; `button` opens and closes the form.
export function naming(current, changed) {
  const field = (name, title, control) => {
    const wrong = h("span", { class: "wrong", id: `naming-${name}-wrong` });
    Object.assign(control, { id: `naming-${name}`, name, maxLength: LIMITS[name] });
    control.setAttribute("aria-describedby", wrong.id);
    return h("div", { class: "field" }, h("label", { for: control.id }, title), control, wrong);
  };
  const name = h("input", { autocomplete: "off" });
  const note = h("textarea", { rows: 4 });
  const failed = h("div");
  const button = h("button", { type: "button", "aria-controls": "naming", "aria-expanded": "false", onclick: () => toggle(form.hidden) }, "Name and note");

  function toggle(open) {
    form.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    replace(failed);
    if (!open) return button.focus();
    [name.value, note.value] = [current().name, current().note];
    name.focus();
  }

  async function save(event) {
    event.preventDefault();
    for (const wrong of form.querySelectorAll(".wrong")) replace(wrong);
    for (const control of [name, note]) control.removeAttribute("aria-invalid");
    try {
      changed(await patch(`/jobs/${current().id}`, { name: name.value, note: note.value }));
      toggle(false);
    } catch (error) {
      const places = (error.errors ?? []).map(({ pointer, detail }) => [form.querySelector(`#naming-${pointer.replace(/^#?\//, "")}`), detail]).filter(([control]) => control);
      for (const [control, detail] of places) {
        control.setAttribute("aria-invalid", "true");
        replace(form.querySelector(`#${control.id}-wrong`), detail);
      }
      places[0]?.[0].focus();
      replace(failed, problemBox(error));
    }
  }

  const form = h(
    "form",
    { id: "naming", class: "panel stack", hidden: true, "aria-label": "Name and note", novalidate: true, onsubmit: save, onkeydown: (event) => event.key === "Escape" && toggle(false) },
    field("name", "Name", name),
    field("note", "Note", note),
    h("div", { class: "row" }, h("button", { type: "submit", class: "main" }, "Save"), h("button", { type: "button", onclick: () => toggle(false) }, "Leave as it is")),
    failed,
  );
  return { form, button };
}
