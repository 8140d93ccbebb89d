// The registered datasets, and a form for one more.

import { get, getAll, pause, post, remove, ROOT } from "../api.js";
import { badge, count, h, plural, problemBox, replace, time } from "../dom.js";
import { field, PluginChoice, pointerPath } from "../form.js";

const EVERY = 1500;

function classes(info) {
  const counts = info?.train?.class_counts ?? [];
  if (!counts.length) return null;
  const most = Math.max(...counts, 1);
  const names = info.class_names ?? [];
  const bar = counts.map((c, k) => {
    const one = h("i", { title: `${names[k] ?? k}: ${count(c)}` });
    one.style.height = `${Math.max(2, (100 * c) / most)}%`;
    return one;
  });
  return h("div", { class: "classes-bar", role: "img", "aria-label": `${counts.length} classes, from ${count(Math.min(...counts))} to ${count(most)} training items each` }, bar);
}

function split(title, one, info) {
  const params = Object.entries(one.params).filter(([, v]) => v !== null).map(([k, v]) => `${k} ${JSON.stringify(v)}`).join(", ");
  return [h("dt", null, title), h("dd", null, info?.size !== undefined && [h("strong", null, count(info.size)), " items, "], h("code", null, one.loader), " ", h("span", { class: "muted" }, params))];
}

// What may make the figures wrong stands open; what was done to the items is there to be looked up.
function remarks(info) {
  const notes = [...(info?.notes ?? []).map((n) => n.detail), ...(info?.missing?.columns ?? []).map((c) => `${c.name}: ${count(c.train)} missing values in training and ${count(c.test)} in test are filled with ${c.value}.`)];
  const list = (details) => h("ul", { class: "small" }, details.map((detail) => h("li", null, detail)));
  return [
    ...(info?.warnings ?? []).map((w) => h("p", { class: "note warn" }, h("strong", null, "Warning. "), w.detail)),
    notes.length > 0 && h("details", null, h("summary", null, plural(notes.length, "note")), list(notes)),
  ];
}

export async function view({ holder, signal, attach }) {
  const list = h("div", { class: "stack" });
  const loaders = await getAll("/plugins", { kind: "dataset" }, signal);

  function card(d) {
    const failed = h("div");
    const names = d.info?.class_names ?? [];
    const features = d.info?.features ?? [];
    return h(
      "article",
      { class: "panel stack" },
      h("div", { class: "head" }, h("h2", null, d.name), h("div", { class: "row" }, badge(d.status), h("span", { class: "muted small" }, time(d.created_at)))),
      d.error && h("p", { class: "note bad" }, h("strong", null, "It cannot be read. "), d.error.detail),
      d.queued_reason && h("p", { class: "note" }, d.queued_reason),
      h(
        "dl",
        { class: "pairs" },
        split("Train", d.train, d.info?.train),
        split("Test", d.test, d.info?.test),
        d.info?.input_shape && [h("dt", null, "Item"), h("dd", null, d.info.input_shape.join("×") || "scalar")],
        features.length > 0 && [h("dt", null, plural(features.length, "feature")), h("dd", null, features.map((f) => `${f.name} (${f.kind})`).join(", "))],
        names.length > 0 && [h("dt", null, plural(names.length, "class", "classes")), h("dd", null, names.length > 12 ? `${names.slice(0, 12).join(", ")}, …` : names.join(", "))],
      ),
      remarks(d.info),
      classes(d.info),
      // Only pictures have one; whether these items are some is the worker's to say.
      d.status === "ready" && (d.info?.input_shape?.length ?? 0) >= 2 && h("img", {
        class: "preview",
        src: new URL(`datasets/${encodeURIComponent(d.name)}/preview.png`, ROOT).href,
        alt: `Some training items of each class of ${d.name}`,
        loading: "lazy",
        onerror: (event) => event.target.remove(),
      }),
      h("div", { class: "row" }, d.status === "ready" && h("a", { class: "button", href: `#/new?dataset=${encodeURIComponent(d.name)}` }, "New job on it"), h("button", {
        type: "button",
        "aria-label": `Remove ${d.name}`,
        onclick: async () => {
          if (!confirm(`Remove the registration of ${d.name}? Its files stay.`)) return;
          try {
            await remove(`/datasets/${encodeURIComponent(d.name)}`);
            await load();
          } catch (error) {
            replace(failed, problemBox(error));
          }
        },
      }, "Remove")),
      failed,
    );
  }

  let shown = "";
  let waiting = false;
  async function load() {
    const items = await getAll("/datasets", {}, signal);
    waiting = items.some((d) => d.status === "verifying");
    const now = JSON.stringify(items);
    if (now === shown) return;
    shown = now;
    replace(list, items.length ? items.map(card) : h("p", { class: "muted" }, "No dataset is registered yet."));
  }

  const name = field("name", { type: "string", maxLength: 100, description: "Letters, digits, “.”, “_” and “-”." }, { required: true, label: "Name" });
  const train = new PluginChoice("dataset", loaders, { label: "Training split: loader" });
  const test = new PluginChoice("dataset", loaders, { label: "Test split: loader" });
  const failed = h("div");
  let marked = [];
  const form = h(
    "form",
    {
      class: "stack",
      novalidate: true,
      onsubmit: async (event) => {
        event.preventDefault();
        for (const one of marked) one.wrong(null);
        replace(failed);
        try {
          const body = (choice) => ({ loader: choice.read()?.name, params: choice.read()?.params });
          await post("/datasets", { name: name.read(), train: body(train), test: body(test) });
          await load();
          list.firstElementChild?.scrollIntoView({ block: "nearest" });
        } catch (error) {
          marked = (error.errors ?? []).map(({ pointer, detail }) => {
            const [first, ...rest] = pointerPath(pointer);
            const where = first === "name" ? name : first === "train" ? train.place(rest) : first === "test" ? test.place(rest) : null;
            where?.wrong(detail);
            return where;
          }).filter(Boolean);
          replace(failed, problemBox(error));
        }
      },
    },
    name.node,
    h("div", { class: "split" }, h("fieldset", null, h("legend", { class: "away" }, "Training split"), train.node), h("fieldset", null, h("legend", { class: "away" }, "Test split"), test.node)),
    h("div", { class: "row" }, h("button", { type: "submit", class: "main" }, "Register")),
    failed,
  );
  holder.append(h("h1", null, "Datasets"), list, h("details", { class: "panel" }, h("summary", null, "Register a dataset"), h("p", { class: "muted small" }, "A pair of splits under a name. A worker reads both, once, before a job may use them."), form));
  await load();
  attach();
  (async () => {
    for (;;) {
      await pause(EVERY, signal);
      if (waiting && !document.hidden) await load();
    }
  })().catch(() => {});
}
