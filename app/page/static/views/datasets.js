// The registered datasets, and a form for one more.

import { get, getAll, pause, post, remove, ROOT } from "../api.js";
import { badge, count, h, percent, plural, problemBox, remarks, replace, time } from "../dom.js";
import { field, fields, PluginChoice, pointerPath, toFirstWrong } from "../form.js";
import { sending } from "./datasets/sending.js";

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

// The form that appends items to a dataset, as its next version.
function appending(d, loaders, done) {
  const choice = new PluginChoice("dataset", loaders, { label: "What reads the new items", value: { name: d.train.loader, params: {} } });
  const failed = h("div");
  const form = h(
    "form",
    {
      class: "stack",
      "aria-label": `Append items to ${d.name}`,
      novalidate: true,
      onsubmit: async (event) => {
        event.preventDefault();
        replace(failed);
        try {
          const { name, params } = choice.read();
          await post(`/datasets/${encodeURIComponent(d.name)}/versions`, { appended: { loader: name, params } });
          await done();
        } catch (error) {
          for (const { pointer, detail } of error.errors ?? []) choice.place(pointerPath(pointer).slice(1)).wrong(detail);
          replace(failed, problemBox(error));
        }
      },
    },
    choice.node,
    h("div", { class: "row" }, h("button", { type: "submit" }, "Append")),
    failed,
  );
  return h("details", null, h("summary", null, "Append items"), h("p", { class: "muted small" }, "The items that there are stay, and so does the test split. A job is then extended to the new version: what it has measured stays."), form);
}

// Of a split's parameters those that are not as its loader has them anyway.
function said(one, loaders) {
  const properties = loaders.find((plugin) => plugin.name === one.loader)?.params_schema?.properties ?? {};
  return Object.entries(one.params).filter(([name, value]) => value !== null && JSON.stringify(value) !== JSON.stringify(properties[name]?.default));
}

function split(title, one, info, loaders) {
  const params = said(one, loaders).map(([k, v]) => `${k} ${typeof v === "string" ? v : JSON.stringify(v)}`).join(", ");
  return [h("dt", null, title), h("dd", null, info?.size !== undefined && [h("strong", null, count(info.size)), " items, "], h("code", null, one.loader), " ", h("span", { class: "muted" }, params))];
}

// What was asked for beside the two splits, where it is not as it is anyway.
function settings({ train }) {
  const { part } = train;
  const told = [
    part && `one source, ${percent(part.test_fraction)} of it tested on${part.group_by ? `, kept together by ${part.group_by}` : ""}${part.stratify ? "" : ", without regard to classes"}${part.seed ? `, seed ${part.seed}` : ""}`,
    train.standardise && "features standardised",
    train.features && `features of ${train.features.model}`,
    train.fingerprint && train.fingerprint !== "content" && `known by its ${train.fingerprint}`,
    train.seed && `seed ${train.seed}`,
  ].filter(Boolean);
  return told.length > 0 && [h("dt", null, "Settings"), h("dd", null, told.join("; "))];
}

// What may make the figures wrong stands open; what was done to the items is there to be looked up.
function learnt(info) {
  const notes = [...(info?.notes ?? []).map((n) => n.detail), ...(info?.missing?.columns ?? []).map((c) => `${c.name}: ${count(c.train)} missing values in training and ${count(c.test)} in test are filled with ${c.value}.`)];
  const list = (details) => h("ul", { class: "small" }, details.map((detail) => h("li", null, detail)));
  return [
    ...remarks(info?.warnings ?? [], "Warning. "),
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
        split("Train", d.train, d.info?.train, loaders),
        (d.train.appended ?? []).map((lot, k) => split(`Appended ${k + 1}`, lot, null, loaders)),
        split("Test", d.test, d.info?.test, loaders),
        settings(d),
        d.continues && [h("dt", null, "Goes on from"), h("dd", null, d.continues)],
        d.info?.input_shape && [h("dt", null, "Item"), h("dd", null, d.info.input_shape.join("×") || "scalar")],
        features.length > 0 && [h("dt", null, plural(features.length, "feature")), h("dd", null, features.map((f) => `${f.name} (${f.kind})`).join(", "))],
        names.length > 0 && [h("dt", null, plural(names.length, "class", "classes")), h("dd", null, names.length > 12 ? `${names.slice(0, 12).join(", ")}, …` : names.join(", "))],
      ),
      learnt(d.info),
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
      d.status === "ready" && latest.get(root(d)) === d.version && appending(d, loaders, load),
    );
  }

  const root = (d) => d.name.split("@")[0];
  const latest = new Map();
  let shown = "";
  let waiting = false;
  async function load() {
    const items = await getAll("/datasets", {}, signal);
    waiting = items.some((d) => d.status === "verifying");
    const now = JSON.stringify(items);
    if (now === shown) return;
    shown = now;
    latest.clear();
    for (const d of items) latest.set(root(d), Math.max(d.version, latest.get(root(d)) ?? 0));
    replace(list, items.length ? items.map(card) : h("p", { class: "muted" }, "No dataset is registered yet."));
    if (!items.length) registering.open = true;
  }

  const name = field("name", { type: "string", maxLength: 100, description: "Letters, digits, “.”, “_” and “-”." }, { required: true, label: "Name" });
  const choices = {
    train: new PluginChoice("dataset", loaders, { label: "Training split: loader" }),
    test: new PluginChoice("dataset", loaders, { label: "Test split: loader" }),
    source: new PluginChoice("dataset", loaders, { label: "Source: loader" }),
  };
  const rule = fields({
    properties: {
      test_fraction: { type: "number", default: 0.2, exclusiveMinimum: 0, description: "Share of the items in the test split." },
      group_by: { anyOf: [{ type: "string" }, { type: "null" }], default: null, description: "Key of the items' metadata, such as `patient`: items with the same value stay in one split." },
      stratify: { type: "boolean", default: true, description: "Keep the proportions of the classes." },
      seed: { type: "integer", default: 0, minimum: 0, description: "Of the split." },
    },
  });
  const rest = fields({
    properties: {
      standardise: { type: "boolean", default: false, description: "Put every feature at mean 0 and standard deviation 1 of the training split." },
      fingerprint: { enum: ["content", "structure"], default: "content", description: "By what it is known again: `structure` for items that are another whenever they are read." },
      seed: { type: "integer", default: 0, minimum: 0, description: "Of what its loaders draw at random." },
    },
  });
  const two = h("div", { class: "split" }, ["train", "test"].map((key) => h("fieldset", null, h("legend", { class: "away" }, key === "train" ? "Training split" : "Test split"), choices[key].node)));
  const one = h("div", { class: "split", hidden: true }, h("fieldset", null, h("legend", { class: "away" }, "Source"), choices.source.node), h("fieldset", null, h("legend", { class: "away" }, "How it is split"), rule.node));
  const way = h("select", { id: "dataset-way", onchange: () => ((two.hidden = way.value !== "two"), (one.hidden = way.value === "two")) }, h("option", { value: "two" }, "two splits"), h("option", { value: "one" }, "one source, to be split"));
  const failed = h("div");
  let marked = [];

  function place(pointer) {
    const [first, ...inner] = pointerPath(pointer);
    if (first === "name") return name;
    if (choices[first]) return choices[first].place(inner);
    return (first === "split" ? rule : rest).byName.get(first === "split" ? inner[0] : first);
  }

  // A file is read by the splits that name none yet: both of them, or the one source.
  const sent = await sending((file, loader) => {
    const open = way.value === "two" ? ["train", "test"] : ["source"];
    const empty = open.filter((key) => !choices[key].fields.byName.get("path")?.read());
    for (const key of empty.length ? empty.slice(0, 1) : open.slice(-1)) choices[key].take(loader, { path: file.path });
    if (name.read() === undefined || name.read() === "") form.querySelector("input:not([type=file])").value = file.name.replace(/\.[^.]*$/, "");
  }, signal);

  const form = h(
    "form",
    {
      class: "stack",
      "aria-label": "Register a dataset",
      novalidate: true,
      onsubmit: async (event) => {
        event.preventDefault();
        for (const each of marked) each.wrong(null);
        replace(failed);
        try {
          const body = (choice) => ({ loader: choice.read()?.name, params: choice.read()?.params });
          const splits = way.value === "two" ? { train: body(choices.train), test: body(choices.test) } : { source: body(choices.source), split: rule.read() };
          await post("/datasets", { name: name.read(), ...splits, ...rest.read() });
          await load();
          list.firstElementChild?.scrollIntoView({ block: "nearest" });
        } catch (error) {
          marked = (error.errors ?? []).map(({ pointer, detail }) => {
            const where = place(pointer);
            where?.wrong(detail);
            return where;
          }).filter(Boolean);
          replace(failed, problemBox(error));
          toFirstWrong(form);
        }
      },
    },
    sent,
    name.node,
    h("div", { class: "field" }, h("label", { for: "dataset-way" }, "It comes as"), way),
    two,
    one,
    h("details", null, h("summary", null, "More settings"), rest.node),
    h("div", { class: "row" }, h("button", { type: "submit", class: "main" }, "Register")),
    failed,
  );
  const registering = h("details", { class: "panel" }, h("summary", null, "Register a dataset"), h("p", { class: "muted small" }, "Two splits under a name, or one source that is split by a rule. A worker reads it, once, before a job may use it."), form);
  holder.append(h("h1", null, "Datasets"), list, registering);
  await load();
  attach();
  (async () => {
    for (;;) {
      await pause(EVERY, signal);
      if (waiting && !document.hidden) await load();
    }
  })().catch(() => {});
}
