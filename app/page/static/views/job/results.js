// What was measured and what follows from it, metric by metric: verdict, curve, questions, tables.

import { get, getAll } from "../../api.js";
import { Chart, key } from "../../chart.js";
import { Curve } from "../../curve.js";
import { count, h, number, problemBox, replace, table } from "../../dom.js";
import { EveryClass } from "./classes.js";
import { Decision } from "./decision.js";
import { Downloads } from "./downloads.js";
import { Questions } from "./questions.js";
import { drawVerdict, drawWarnings } from "./verdict.js";

// How far the picture reaches, in multiples of what was measured.
const EXTENTS = [16, 64, 256, 1024];

// The metric that answers for the job: the one that it names, or the first that its evaluation was asked for.
function primary(spec, metrics) {
  if (metrics.includes(spec.primary)) return spec.primary;
  const plain = (name) => name.toLowerCase().replace(/[^a-z0-9]/g, "");
  const asked = spec.evaluation?.params?.metrics;
  for (const name of Array.isArray(asked) ? asked.filter((one) => typeof one === "string") : []) {
    const called = metrics.find((metric) => plain(metric) === plain(name)) ?? metrics.find((metric) => plain(name).startsWith(plain(metric)));
    if (called) return called;
  }
  return undefined;
}

// The metric on training items, by size: the mean over the runs that looked.
function trainMeans(cells, metric) {
  const sizes = new Map();
  for (const { n, details } of cells) {
    const value = details.train?.[metric];
    if (typeof value === "number") sizes.set(n, [...(sizes.get(n) ?? []), value]);
  }
  return [...sizes].map(([n, values]) => ({ n, mean: values.reduce((a, b) => a + b, 0) / values.length })).sort((a, b) => a.n - b.n);
}

export class Results {
  constructor(node, about, id, chosen, signal) {
    Object.assign(this, { node, about, id, chosen, signal });
    this.metric = chosen.metric;
    this.label = chosen.label;
    this.tabs = h("div", { class: "tabs", role: "group", "aria-label": "Metric" });
    this.classes = h("div", { class: "row" });
    this.verdict = h("section", { class: "verdict", "aria-label": "Verdict" });
    this.holder = h("div", { class: "chart" });
    this.warnings = h("div", { class: "stack" });
    this.steps = h("div");
    this.near = h("button", { type: "button", class: "quiet", "aria-pressed": "false", onclick: () => this.zoom() }, "Closer to the projection");
    this.scaled = h("button", { type: "button", class: "quiet", "aria-pressed": "false", onclick: () => this.rescale() }, "Error scale");
    this.legend = h("div");
    this.chart = new Chart(this.holder, { label: "Learning curve", onPick: (n) => this.questions.setSample(Math.round(n)) });
    this.questions = new Questions(chosen, (marks) => this.mark(marks));
    this.every = new EveryClass(id, chosen, signal, (metric, label) => this.choose(metric, label));
    this.downloads = new Downloads(id);
    this.decision = new Decision(id, signal);
    this.extent = EXTENTS[0];
    this.built = false;
    this.key = "";
  }

  stop() {
    this.chart.stop();
  }

  fit() {
    if (this.series) this.draw();
  }

  async load(job) {
    this.job = job;
    this.means = (await get(`/jobs/${this.id}/measurements`, { view: "averages" }, this.signal)).items;
    const metrics = new Map();
    for (const { metric, class: label } of this.means) {
      if (!metrics.has(metric)) metrics.set(metric, []);
      const labels = metrics.get(metric);
      if (label !== null && !labels.includes(label)) labels.push(label);
    }
    this.metrics = metrics;
    if (!metrics.size) {
      replace(this.node, job.state === "completed" && h("p", { class: "note" }, "The job has no measurements."), this.about);
      this.built = false;
      return;
    }
    const scalars = [...metrics].filter(([, labels]) => !labels.length).map(([name]) => name);
    if (!metrics.has(this.metric)) this.metric = primary(job.spec, [...metrics.keys()]) ?? (scalars.includes("Accuracy") ? "Accuracy" : scalars[0]) ?? [...metrics.keys()][0];
    this.build();
    await this.loadMetric();
  }

  build() {
    if (!this.built) {
      this.built = true;
      replace(
        this.node,
        h("section", { class: "panel stack" }, this.tabs, this.classes, this.verdict),
        h("section", { class: "panel stack", "aria-label": "Learning curve" }, h("div", { class: "head" }, h("h2", null, "Learning curve"), h("div", { class: "row" }, this.scaled, this.near)), this.holder, this.legend, this.warnings, h("hr"), this.questions.node),
        this.decision.node,
        this.every.node,
        h("div", { class: "split" }, h("section", { class: "panel stack" }, h("h2", null, "Measured"), this.steps, this.downloads.node), this.about),
      );
    }
    const labels = this.metrics.get(this.metric);
    if (labels.length && !labels.map(String).includes(String(this.label))) this.label = String(labels[0]);
    if (!labels.length) this.label = null;
    const names = [...this.metrics.keys()];
    const key = JSON.stringify([names, this.metric, labels, this.label]);
    if (key === this.key) return;
    this.key = key;
    replace(
      this.tabs,
      names.map((name) => h("button", { type: "button", "aria-pressed": String(name === this.metric), title: name, onclick: () => this.choose(name, null) }, name)),
    );
    const select = labels.length > 0 && h("select", { id: "class", onchange: (event) => this.choose(this.metric, event.target.value) }, labels.map((l) => h("option", { value: String(l), selected: String(l) === this.label }, String(l))));
    replace(this.classes, select && [h("label", { for: "class" }, "Class"), select]);
  }

  async choose(metric, label) {
    const focused = document.activeElement;
    const was = focused?.closest(".tabs") ? "tab" : focused?.id === "class" ? "class" : null;
    this.metric = metric;
    this.label = label;
    this.chosen.target = null;
    this.build();
    if (was === "tab") this.tabs.querySelector('[aria-pressed="true"]')?.focus();
    if (was === "class") this.classes.querySelector("select")?.focus();
    try {
      await this.loadMetric();
    } catch (error) {
      if (!this.signal.aborted) replace(this.verdict, problemBox(error));
    }
  }

  async loadMetric() {
    const { metric, label, id, signal } = this;
    const only = { metric, class: label };
    const orProblem = (promise) => promise.catch((error) => (signal.aborted || error.status === 0 ? Promise.reject(error) : error));
    const [cells, curves, verdict, trained] = await Promise.all([
      getAll(`/jobs/${id}/measurements`, { view: "cells", metric, limit: 10000 }, signal, 50000),
      orProblem(get(`/jobs/${id}/curves`, only, signal)),
      orProblem(get(`/jobs/${id}/verdict`, only, signal)),
      label === null ? orProblem(getAll(`/jobs/${id}/cells`, { limit: 10000 }, signal, 50000)) : [],
    ]);
    if (metric !== this.metric || label !== this.label || signal.aborted) return;
    const mine = (item) => item.metric === metric && (label === null || String(item.class) === label);
    const item = curves.items?.find((c) => c.metric === metric && (label === null || String(c.class) === label));
    const curve = item ? new Curve(item, curves.reading) : null;
    this.series = [{ name: metric, index: 0, curve, train: trainMeans(Array.isArray(trained) ? trained : [], metric), points: cells.filter((c) => mine(c) && c.value !== null), means: this.means.filter(mine) }];
    this.curve = curve;
    this.ceiling = null;
    const judged = verdict.metrics?.[metric]?.[0];
    if (judged?.ceiling.in_sight) this.ceiling = judged.ceiling.value;
    drawVerdict(this.verdict, judged, verdict);
    drawWarnings(this.warnings, verdict, curves, item, this.job.warnings);
    this.drawSteps();
    this.questions.bound = judged?.label_bound ?? null;
    this.questions.show(curve, metric, label, this.series[0].means.filter((m) => m.mean !== null).map((m) => m.mean));
    this.decision.primary = this.job.result?.metric;
    this.decision.show(curve, metric, label, this.chosen.target);
    this.every.show(metric, this.metrics.get(metric));
    this.draw();
  }

  // What is asked about is marked in the chart, which reaches far enough for it, and remembered in the address.
  mark(marks) {
    const { curve, chosen } = this;
    const end = Math.max(chosen.n, Math.min(marks.target?.answer.n ?? 0, curve.horizon)) / curve.nMax;
    const extent = Math.min(EXTENTS.find((e) => end <= e) ?? Math.ceil(end), Math.max(curve.reading.horizon, Math.ceil(end)));
    if (extent !== this.extent) {
      this.extent = extent;
      this.chart.marks = marks;
      this.draw();
    } else this.chart.mark(marks);
    clearTimeout(this.remember);
    this.remember = setTimeout(() => {
      if (this.signal.aborted) return;
      this.every.answer();
      this.downloads.show(this.metric, this.label, chosen.target);
      const search = new URLSearchParams({ metric: this.metric, ...(this.label === null ? {} : { class: this.label }), n: chosen.n, target: chosen.target });
      history.replaceState(null, "", `#/jobs/${this.id}?${search}`);
    }, 300);
  }



  drawSteps() {
    const [one] = this.series;
    const rows = one.means.map((m) => [count(m.n), number(m.mean), m.sd === null ? "–" : `± ${number(m.sd)}`, String(m.runs)]);
    replace(this.steps, table(["Samples", "Mean", "SD over runs", "Runs"], rows, { caption: `${this.metric}, measured`, numeric: [0, 1, 2, 3] }));
  }











  // The early, steep part takes most of the picture; without it there is room for what is asked about.
  zoom() {
    this.close = !this.close;
    this.near.setAttribute("aria-pressed", String(this.close));
    this.draw();
  }

  // What is left to the best value, not the value itself, spaces the axis: so the projected part can be read.
  rescale() {
    this.byError = !this.byError;
    this.scaled.setAttribute("aria-pressed", String(this.byError));
    this.draw();
  }

  draw() {
    const { curve } = this;
    this.near.hidden = !curve;
    const link = curve && curve.link.kind !== "identity" ? curve.link : null;
    this.scaled.hidden = !link;
    replace(this.legend, key({ fitted: curve !== null, train: this.series[0].train.length > 0 }));
    this.chart.label = `Learning curve of ${this.metric}${this.label === null ? "" : ` of class ${this.label}`}; the table below has the numbers`;
    this.chart.show(this.series, { xStart: curve && this.close ? curve.nMax / 6 : undefined, xEnd: curve ? curve.nMax * this.extent : undefined, bounds: curve?.bounds, ceiling: this.ceiling, steps: this.job.steps ?? [], link: this.byError ? link : null });
  }
}
