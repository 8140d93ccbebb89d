// The form that adds runs or sizes to an ended job: first what it would cost, then the asking.

import { post } from "../../api.js";
import { duration, h, plural, problemBox, replace } from "../../dom.js";

export function extendForm(current, extended) {
  const runs = h("input", { id: "extend-runs", type: "number", min: 1, step: 1, inputmode: "numeric", "aria-describedby": "extend-runs-hint" });
  const steps = h("input", { id: "extend-steps", type: "text", placeholder: "700, 1200", "aria-describedby": "extend-steps-hint" });
  const told = h("div", { class: "stack", role: "status" });
  const asked = () => {
    const body = {};
    if (runs.value !== "") body.runs = Number(runs.value);
    // A word that is no number goes to the service as it is, which says what is wrong with it.
    const sizes = steps.value.split(/[\s,;]+/).filter(Boolean).map((word) => (Number.isNaN(Number(word)) ? word : Number(word)));
    if (sizes.length) body.steps = sizes;
    return body;
  };
  const send = async (dry) => {
    const buttons = form.querySelectorAll("button");
    for (const one of buttons) one.disabled = true;
    try {
      const path = `/jobs/${current().id}/extend`;
      if (!dry) {
        extended(await post(path, asked()));
        replace(told);
        return;
      }
      const plan = await post(path, asked(), { query: { dry_run: true } });
      const cost = plan.estimated_slot_seconds === null ? null : `, about ${duration(plan.estimated_slot_seconds)} of one slot`;
      replace(told, h("p", null, `${plural(plan.cells_to_measure, "cell")} to measure${cost ?? ""}; ${plural(plan.cells_kept, "cell")} kept.`));
    } catch (problem) {
      replace(told, problemBox(problem), (problem.errors ?? []).map(({ pointer, detail }) => h("p", { class: "wrong" }, `${pointer.replace(/^#?\//, "")}: ${detail}`)));
    } finally {
      for (const one of buttons) one.disabled = false;
    }
  };
  const form = h(
    "form",
    { id: "extend", class: "panel stack", hidden: true, "aria-label": "Extend this job", novalidate: true, onsubmit: (event) => { event.preventDefault(); send(false); } },
    h("h2", null, "Extend"),
    h("p", { class: "muted small" }, "What is measured is kept; only what is new is trained."),
    h(
      "div",
      { class: "fields" },
      h("div", { class: "field" }, h("label", { for: "extend-runs" }, "Runs in all"), runs, h("span", { class: "hint", id: "extend-runs-hint" }, `It has ${current().spec.runs}.`)),
      h("div", { class: "field" }, h("label", { for: "extend-steps" }, "Further sizes"), steps, h("span", { class: "hint", id: "extend-steps-hint" }, "Training-set sizes, with commas between.")),
    ),
    h("div", { class: "row" }, h("button", { type: "button", onclick: () => send(true) }, "Plan"), h("button", { type: "submit", class: "main" }, "Extend")),
    told,
  );
  return form;
}
