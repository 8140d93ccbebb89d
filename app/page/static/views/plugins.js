// What the workers offer.

import { get, getAll } from "../api.js";
import { h, number, plural, prose, table } from "../dom.js";
import { byKind } from "../form.js";

const KINDS = { model: "Models", training: "Training", evaluation: "Evaluation", reset: "Reset", dataset: "Dataset loaders", schedule: "Schedules" };

function typeText(schema) {
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(" | ");
  if (schema.anyOf) return schema.anyOf.map(typeText).join(" | ");
  if (schema.type === "array" && schema.items) return `list of ${typeText(schema.items)}`;
  return schema.type ?? "any";
}

function plugin(one) {
  const required = new Set(one.params_schema.required ?? []);
  const params = Object.entries(one.params_schema.properties ?? {});
  const metrics = Object.entries(one.capabilities.metrics ?? {});
  const range = ([low, high]) => `${low === null ? "−∞" : number(low)} to ${high === null ? "∞" : number(high)}`;
  return h(
    "article",
    { class: "panel stack" },
    h("div", { class: "head" }, h("h3", null, one.name, " ", h("span", { class: "muted small" }, one.version)), h("span", { class: `badge state-${one.available ? "live" : "away"}` }, one.available ? `on ${one.devices.join(", ")}` : "no worker offers it now")),
    h("p", null, prose(one.summary)),
    params.length > 0 &&
      h("details", null, h("summary", null, plural(params.length, "parameter")), table(["Parameter", "Type", "Default", "What it is"], params.map(([name, s]) => [h("code", null, name), typeText(s), required.has(name) ? "required" : h("code", null, JSON.stringify(s.default) ?? ""), prose(s.description ?? "")]), { caption: `Parameters of ${one.name}` })),
    metrics.length > 0 &&
      h("details", null, h("summary", null, plural(metrics.length, "metric")), table(["Metric", "Better", "Range"], metrics.map(([name, m]) => [name, m.direction === "minimize" ? "lower" : "higher", range(m.bounds ?? [null, null])]), { caption: `Metrics of ${one.name}` })),
  );
}

export async function view({ holder, signal, attach }) {
  const [plugins, workers] = await Promise.all([getAll("/plugins", {}, signal), get("/workers", {}, signal)]);
  const kinds = byKind(plugins);
  const live = workers.items.filter((w) => w.live);
  const errors = workers.items.flatMap((w) => w.plugin_errors.map((e) => ({ ...e, host: w.hostname })));
  holder.append(
    h("h1", null, "Plugins"),
    h("p", { class: "muted" }, "Code never arrives over HTTP: a plugin is installed where a worker runs, and named there."),
    ...errors.map((e) => h("p", { class: "note bad" }, h("strong", null, "A plugin could not be loaded. "), `${e.plugin ?? e.name ?? ""} on ${e.host}: ${e.detail ?? JSON.stringify(e)}`)),
    ...Object.entries(KINDS)
      .filter(([kind]) => kinds.has(kind))
      .map(([kind, title]) => h("section", { class: "stack" }, h("h2", null, title), h("div", { class: "split" }, kinds.get(kind).map(plugin)))),
    ...(live.length ? [] : [h("p", { class: "note warn" }, h("strong", null, "No worker is live. "), "Start one with ", h("code", null, "sufficiency worker"), ".")]),
    h("p", { class: "small" }, h("a", { href: "#/workers" }, plural(live.length, "worker")), " offer them."),
  );
  attach();
}
