// One job: the answer first, then the curve and what it rests on.

import { follow, get, getAll, pause, post, remove, ROOT } from "../api.js";
import { Chart } from "../chart.js";
import { Curve } from "../curve.js";
import { badge, count, duration, ENDED, h, number, percent, plural, problemBox, replace, table, time } from "../dom.js";

// While a job trains, results are read again at most so often.
const EVERY = 2500;
const STEPS = 1000;
const EXTENTS = [16, 64, 256, 1024];
const WORTH = { yes: "More data is worth it", no: "More data is hardly worth it", unclear: "Whether more data is worth it cannot be told yet" };

// Adds runs or sizes to an ended job: first what it would cost, then the asking.
function extendForm(current, extended) {
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

export async function view({ holder, signal, params, query, attach }) {
  const [id] = params;
  let job = await get(`/jobs/${encodeURIComponent(id)}`, {}, signal);
  const chosen = { metric: query.get("metric"), label: query.get("class"), n: Number(query.get("n")) || null, target: query.has("target") ? Number(query.get("target")) : null };

  const top = h("div", { class: "head" });
  const notes = h("div", { class: "stack" });
  const progress = h("section", { class: "panel stack", "aria-labelledby": "progress-title" });
  const results = h("div", { class: "stack results" });
  const about = h("section", { class: "panel stack" });
  holder.append(top, notes);

  const grid = new CellGrid();
  const figures = new Results(results, about, id, chosen, signal);
  signal.addEventListener("abort", () => figures.stop());

  let headed = "";
  function drawHead() {
    drawProgress();
    const now = JSON.stringify([job.state, job.queued_reason, job.error, job.warnings]);
    // What has not changed is left alone: a button that has the focus keeps it.
    if (now === headed) return;
    headed = now;
    const { model, dataset } = job.spec;
    document.title = `${model.name} on ${dataset} · Sufficiency`;
    replace(
      top,
      h(
        "div",
        { class: "stack" },
        h("h1", null, `${model.name} on `, dataset),
        h("div", { class: "row muted" }, badge(job.state), h("span", { class: "small" }, "created ", time(job.created_at)), Object.entries(job.labels).map(([k, v]) => h("span", { class: "chip", title: `${k}: ${v}` }, `${k}: ${v}`)), h("code", { class: "small" }, job.id)),
      ),
      h("div", { class: "row" }, actions()),
    );
    const wheres = Object.entries(job.error?.where ?? {}).filter(([, v]) => v !== null).map(([k, v]) => `${k} ${v}`);
    replace(
      notes,
      job.queued_reason && h("p", { class: "note" }, h("strong", null, "Waiting. "), job.queued_reason),
      job.error &&
        h(
          "div",
          { class: "note bad stack" },
          h("p", null, h("strong", null, "It failed. "), job.error.detail, wheres.length ? ` (${wheres.join(", ")})` : null),
          job.error.traceback && h("details", null, h("summary", null, "Traceback"), h("pre", { tabindex: "0" }, job.error.traceback)),
        ),
      job.warnings.map((w) => h("p", { class: "note warn" }, h("strong", null, "Note. "), w.detail ?? JSON.stringify(w))),
    );
  }

  const extension = extendForm(() => job, (extended) => {
    job = extended;
    extension.hidden = true;
    drawHead();
    live();
  });

  function actions() {
    const made = [];
    const act = (name, path, ask) =>
      made.push(
        h("button", {
          type: "button",
          onclick: async (event) => {
            if (ask && !confirm(ask)) return;
            event.target.disabled = true;
            try {
              if (path === null) {
                await remove(`/jobs/${id}`);
                location.hash = "#/jobs";
                return;
              }
              job = await post(`/jobs/${id}/${path}`);
              drawHead();
              if (!ENDED.has(job.state)) live();
            } catch (problem) {
              event.target.disabled = false;
              notes.prepend(problemBox(problem));
            }
          },
        }, name),
      );
    if (["queued", "running"].includes(job.state)) act("Cancel", "cancel", "Stop this job? What is measured stays.");
    if (["failed", "cancelled"].includes(job.state)) act("Retry", "retry");
    if (ENDED.has(job.state) && job.steps)
      made.push(h("button", { type: "button", "aria-controls": "extend", "aria-expanded": String(!extension.hidden), onclick: (event) => {
        extension.hidden = !extension.hidden;
        event.target.setAttribute("aria-expanded", String(!extension.hidden));
        if (!extension.hidden) extension.querySelector("input").focus();
      } }, "Extend"));
    made.push(h("a", { class: "button", href: `#/new?like=${id}` }, "Use as a template"));
    if (ENDED.has(job.state)) act("Delete", null, "Delete this job with all that it measured?");
    return made;
  }

  holder.append(extension, progress, results);
  const bar = h("span");
  const said = h("p", { class: "muted", role: "status" });
  replace(progress, h("h2", { id: "progress-title" }, "Progress"), h("div", { class: "bar", "aria-hidden": "true" }, bar), said, grid.node);

  function drawProgress() {
    progress.hidden = job.state === "completed";
    const { cells_done: done, cells_total: total, fraction, eta_seconds: eta } = job.progress;
    bar.style.transform = `scaleX(${fraction})`;
    replace(said, total ? `${count(done)} of ${plural(total, "cell")} measured, ${Math.floor(fraction * 100)} % of the work` : "The steps are still to be planned", eta ? `; about ${duration(eta)} to go` : "", ".");
    grid.plan(job.spec.runs, job.steps ?? []);
  }

  let following = false;
  async function live() {
    if (following) return;
    following = true;
    let stale = true;
    (async () => {
      while (following && !signal.aborted) {
        if (stale && !document.hidden) {
          stale = false;
          job = await get(`/jobs/${id}`, {}, signal);
          drawHead();
          await figures.load(job);
        }
        await pause(EVERY, signal);
      }
    })().catch((error) => signal.aborted || notes.prepend(problemBox(error)));
    try {
      await follow(id, (event) => {
        if (event.type === "cell") {
          grid.land(event.data);
          job.progress.cells_done = event.data.cells_done;
          job.progress.cells_total = event.data.cells_total;
          job.progress.fraction = event.data.work_total ? event.data.work_done / event.data.work_total : 0;
          drawProgress();
        }
        stale = true;
      }, signal);
    } catch (error) {
      notes.prepend(problemBox(error));
    }
    following = false;
    if (signal.aborted) return;
    job = await get(`/jobs/${id}`, {}, signal);
    drawHead();
    await figures.load(job);
  }

  drawHead();
  replace(about, await setup(job));
  await figures.load(job);
  attach();
  figures.fit();
  if (!ENDED.has(job.state)) live().catch((error) => signal.aborted || notes.prepend(problemBox(error)));
  else if (job.state !== "completed") grid.fill(await getAll(`/jobs/${id}/measurements`, { view: "cells", limit: 10000, metric: figures.metric }, signal, 10000));
}

// Runs × steps; each cell fills when it lands.
class CellGrid {
  constructor() {
    this.cellsNode = h("div", { class: "cells", "aria-hidden": "true" });
    this.caption = h("p", { class: "muted small" });
    this.node = h("div", { class: "stack" }, this.cellsNode, this.caption);
    this.landed = new Set();
    this.shape = "";
  }

  plan(runs, steps) {
    const shape = `${runs}/${steps.join()}`;
    if (shape === this.shape) return;
    this.shape = shape;
    // More than a screen of them says nothing; the bar does.
    this.cells = new Map();
    if (!steps.length || runs * steps.length > 3000) return this.node.replaceChildren();
    replace(this.caption, `${plural(runs, "run")} down, ${plural(steps.length, "size")} across: ${count(Math.min(...steps))} to ${count(Math.max(...steps))} samples.`);
    this.node.replaceChildren(this.cellsNode, this.caption);
    replace(
      this.cellsNode,
      Array.from({ length: runs }, (_, run) =>
        // By size: a step that was added later has a later number.
        h("div", null, [...steps.entries()].sort(([, a], [, b]) => a - b).map(([step, n]) => {
          const cell = h("i", { title: `run ${run}, n = ${n}`, class: this.landed.has(`${run}/${step}`) ? "done" : null });
          this.cells.set(`${run}/${step}`, cell);
          return cell;
        })),
      ),
    );
  }

  land({ run, step }) {
    this.landed.add(`${run}/${step}`);
    const cell = this.cells?.get(`${run}/${step}`);
    if (cell && !cell.classList.contains("done")) cell.classList.add("done", "new");
  }

  fill(items) {
    for (const item of items) this.land(item);
  }
}

// What was measured and what follows from it: metric by metric.
class Results {
  constructor(node, about, id, chosen, signal) {
    Object.assign(this, { node, about, id, chosen, signal });
    this.metric = chosen.metric;
    this.label = chosen.label;
    this.tabs = h("div", { class: "tabs", role: "group", "aria-label": "Metric" });
    this.classes = h("div", { class: "row" });
    this.verdict = h("section", { class: "verdict", "aria-label": "Verdict" });
    this.holder = h("div", { class: "chart" });
    this.warnings = h("div", { class: "stack" });
    this.asks = h("div", { class: "split" });
    this.steps = h("div");
    this.every = h("div");
    this.near = h("button", { type: "button", class: "quiet", "aria-pressed": "false", onclick: () => this.zoom() }, "Closer to the projection");
    this.chart = new Chart(this.holder, { label: "Learning curve", onPick: (n) => this.setSample(Math.round(n)) });
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
    if (!metrics.has(this.metric)) this.metric = (scalars.includes("Accuracy") ? "Accuracy" : scalars[0]) ?? [...metrics.keys()][0];
    this.build();
    await this.loadMetric();
  }

  build() {
    if (!this.built) {
      this.built = true;
      replace(
        this.node,
        h("section", { class: "panel stack" }, this.tabs, this.classes, this.verdict),
        h("section", { class: "panel stack", "aria-label": "Learning curve" }, h("div", { class: "head" }, h("h2", null, "Learning curve"), this.near), this.holder, this.warnings, h("hr"), this.asks),
        this.every,
        h("div", { class: "split" }, h("section", { class: "panel stack" }, h("h2", null, "Measured"), this.steps, this.downloads()), this.about),
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
    const [cells, curves, verdict] = await Promise.all([
      getAll(`/jobs/${id}/measurements`, { view: "cells", metric, limit: 10000 }, signal, 50000),
      orProblem(get(`/jobs/${id}/curves`, only, signal)),
      orProblem(get(`/jobs/${id}/verdict`, only, signal)),
    ]);
    if (metric !== this.metric || label !== this.label || signal.aborted) return;
    const mine = (item) => item.metric === metric && (label === null || String(item.class) === label);
    const item = curves.items?.find((c) => c.metric === metric && (label === null || String(c.class) === label));
    const curve = item ? new Curve(item, curves.reading) : null;
    this.series = [{ name: metric, index: 0, curve, points: cells.filter((c) => mine(c) && c.value !== null), means: this.means.filter(mine) }];
    this.curve = curve;
    this.ceiling = null;
    const judged = verdict.metrics?.[metric]?.[0];
    if (judged?.ceiling.in_sight) this.ceiling = judged.ceiling.value;
    this.drawVerdict(judged, verdict);
    this.drawWarnings(curves, item);
    this.drawSteps();
    this.drawAsks();
    this.drawClasses();
    this.draw();
  }

  drawVerdict(judged, answer) {
    if (!judged) {
      replace(this.verdict, h("p", { class: "muted" }, answer.message ?? "There is too little for a fit of this metric so far."));
      return;
    }
    const more = judged.more.map((g) => [
      `${count(g.n)} (${g.added + 1}×)`,
      `${number(g.value)}`,
      `${number(g.lower)} to ${number(g.upper)}`,
      `${g.gain >= 0 ? "+" : "−"}${number(Math.abs(g.gain))}`,
      percent(g.probability),
    ]);
    replace(
      this.verdict,
      h("p", { class: `answer ${judged.worth}` }, WORTH[judged.worth], answer.provisional && h("span", { class: "muted small" }, " so far: the job has not completed")),
      h("p", { class: "sentence" }, judged.sentence),
      judged.limits.length > 0 && h("ul", { class: "limits", "aria-label": "What limits the answer" }, judged.limits.map((l) => h("li", null, l.detail, " ", h("strong", null, l.remedy)))),
      h("details", { open: this.verdict.querySelector("details")?.open }, h("summary", null, "What more data would bring"), table(["Samples", "Expected", "95 % interval", "Gain", `Chance of ${number(judged.min_gain)} or more`], more, { caption: "What more data would bring", numeric: [0, 1, 2, 3, 4] })),
    );
  }

  drawWarnings(curves, item) {
    const said = (curves.warnings ?? []).map((w) => h("p", { class: "note warn" }, h("strong", null, "Note. "), w.detail));
    const test = item?.backtest;
    if (test?.error !== null && test?.error !== undefined) {
      const inside = test.predictions.filter((p) => p.lower !== null);
      const hits = inside.filter((p) => p.lower <= p.measured && p.measured <= p.upper).length;
      said.push(
        h("p", { class: "muted small" }, `Would these data have predicted themselves? Fitted to the smaller sizes alone, the curve missed the larger ones by ${number(test.error)} on average`, inside.length ? `; ${hits} of ${inside.length} lay inside the 95 % interval.` : "."),
      );
    }
    replace(this.warnings, said);
  }

  drawSteps() {
    const [one] = this.series;
    const rows = one.means.map((m) => [count(m.n), number(m.mean), m.sd === null ? "–" : `± ${number(m.sd)}`, String(m.runs)]);
    replace(this.steps, table(["Samples", "Mean", "SD over runs", "Runs"], rows, { caption: `${this.metric}, measured`, numeric: [0, 1, 2, 3] }));
  }

  downloads() {
    const link = (name, path, query = {}) => {
      const url = new URL(path.slice(1), ROOT);
      for (const [k, v] of Object.entries(query)) if (v !== null) url.searchParams.set(k, v);
      return h("a", { href: url.href, download: "" }, name);
    };
    const pictures = h("span", { class: "row" });
    this.drawDownloads = () =>
      replace(
        pictures,
        ["svg", "png"].map((kind) => link(kind.toUpperCase(), `/jobs/${this.id}/plot.${kind}`, { metric: this.metric, class: this.label, target: this.chosen.target === null ? null : `${this.chosen.target}` })),
      );
    return h(
      "p",
      { class: "row small" },
      h("span", { class: "muted" }, "Download"),
      link("CSV of every cell", `/jobs/${this.id}/export`, { format: "csv" }),
      link("DataEval", `/jobs/${this.id}/export`, { format: "dataeval" }),
      pictures,
    );
  }

  // The two questions

  drawAsks() {
    const { curve } = this;
    if (!curve) {
      this.asked = null;
      replace(this.asks);
      return;
    }
    const { chosen } = this;
    const means = this.series[0].means.filter((m) => m.mean !== null).map((m) => m.mean);
    const worst = (curve.maximize ? Math.min : Math.max)(...means);
    const ends = curve.interval(curve.horizon, 0.5);
    const best = curve.maximize ? ends.upper : ends.lower;
    this.range = { n: [Math.log2(curve.nMin), Math.log2(curve.horizon)], z: [curve.link.z(worst), curve.link.z(best)] };
    if (this.range.z[0] - this.range.z[1] < 1e-6) this.range.z[1] = this.range.z[0] - 1;
    chosen.n ??= Math.round(curve.nMax * 2);
    chosen.target ??= this.suggestTarget();
    if (this.asked === `${this.metric}/${this.label}`) {
      this.answer();
      return;
    }
    this.asked = `${this.metric}/${this.label}`;
    const slider = (name, text) => h("input", { type: "range", min: 0, max: STEPS, step: 1, id: `${name}-slider`, "aria-label": text });
    this.nSlider = slider("n", "If I had so many samples");
    this.nInput = h("input", { type: "number", min: 1, max: 2 ** 53, step: 1, id: "n-input", inputmode: "numeric" });
    this.nOut = h("output", { for: "n-slider n-input" });
    this.tSlider = slider("target", `Target for ${this.metric}`);
    this.tInput = h("input", { type: "number", step: "any", id: "t-input", inputmode: "decimal" });
    this.tOut = h("output", { for: "target-slider t-input" });
    this.nSlider.addEventListener("input", () => {
      const [low, high] = this.range.n;
      this.setSample(round3(2 ** (low + (this.nSlider.value / STEPS) * (high - low))), this.nSlider);
    });
    this.nInput.addEventListener("input", () => this.nInput.value >= 1 && this.setSample(Math.round(this.nInput.value), this.nInput));
    this.tSlider.addEventListener("input", () => {
      const [low, high] = this.range.z;
      this.setTarget(this.roundTarget(this.curve.link.value(low + (this.tSlider.value / STEPS) * (high - low))), this.tSlider);
    });
    this.tInput.addEventListener("input", () => this.tInput.value !== "" && this.setTarget(Number(this.tInput.value), this.tInput));
    replace(
      this.asks,
      h("div", { class: "ask" }, h("div", { class: "line" }, h("label", { for: "n-input" }, "If I had"), this.nInput, h("span", null, "samples")), this.nSlider, this.nOut),
      h("div", { class: "ask" }, h("div", { class: "line" }, h("label", { for: "t-input" }, "To reach"), this.tInput, h("span", { class: "muted" }, curve.maximize ? "or more" : "or less")), this.tSlider, this.tOut),
    );
    this.answer();
  }

  suggestTarget() {
    const { curve } = this;
    return this.roundTarget(curve.value(curve.nMax * 4));
  }

  // To the digits that matter: fewer far from the bound, more near it.
  roundTarget(value) {
    const [low, high] = this.curve.bounds;
    const room = Math.min(...[low, high].filter((b) => b !== null).map((b) => Math.abs(value - b)), Math.abs(value) || 1);
    const digits = Math.min(6, Math.max(2, 1 - Math.floor(Math.log10(room || 1e-6))));
    return Number(value.toFixed(digits));
  }

  setSample(n, from) {
    if (!this.curve) return;
    this.chosen.n = Math.max(1, n);
    this.answer(from);
  }

  setTarget(value, from) {
    if (!Number.isFinite(value)) return;
    this.chosen.target = value;
    this.answer(from);
  }

  answer(from) {
    const { curve, chosen } = this;
    const share = (x, [low, high]) => Math.round(Math.min(1, Math.max(0, (x - low) / (high - low))) * STEPS);
    if (from !== this.nSlider) this.nSlider.value = share(Math.log2(chosen.n), this.range.n);
    if (from !== this.nInput) this.nInput.value = chosen.n;
    if (from !== this.tSlider) this.tSlider.value = share(curve.link.z(chosen.target), this.range.z);
    if (from !== this.tInput) this.tInput.value = chosen.target;

    const point = curve.project(chosen.n);
    const one = curve.interval(chosen.n, 0.95, true);
    const far = chosen.n > curve.reliable ? "; so far out, this is a guess" : "";
    const where = point.measured ? "within what was measured" : chosen.n > curve.nMax ? `projected, ${+(chosen.n / curve.nMax).toPrecision(2)}× what was measured${far}` : "below what was measured";
    replace(
      this.nOut,
      h("b", null, `${this.metric} ${number(point.value)}`),
      h("br"),
      `95 % interval ${number(point.lower)} to ${number(point.upper)}; one new training ${number(one.lower)} to ${number(one.upper)}`,
      h("br"),
      h("span", { class: "muted" }, where),
    );
    this.nSlider.setAttribute("aria-valuetext", `${count(chosen.n)} samples: ${number(point.value)}, ${number(point.lower)} to ${number(point.upper)}`);

    const [low, high] = curve.bounds;
    const outside = (low !== null && chosen.target < low) || (high !== null && chosen.target > high);
    let needed = null;
    if (outside) {
      replace(this.tOut, h("b", null, "Not a value of this metric"), h("br"), `It lies between ${low ?? "−∞"} and ${high ?? "∞"}.`);
    } else {
      needed = curve.needed(chosen.target);
      const text = this.needs(needed);
      replace(this.tOut, h("b", null, text[0]), text.slice(1).flatMap((line) => [h("br"), line]));
      this.tSlider.setAttribute("aria-valuetext", `target ${number(chosen.target)}: ${text[0]}`);
    }
    const end = Math.max(chosen.n, Math.min(needed?.n ?? 0, curve.horizon)) / curve.nMax;
    const extent = Math.min(EXTENTS.find((e) => end <= e) ?? Math.ceil(end), Math.max(curve.reading.horizon, Math.ceil(end)));
    const marks = { sample: point, target: needed && { value: chosen.target, answer: needed } };
    if (extent !== this.extent) {
      this.extent = extent;
      this.chart.marks = marks;
      this.draw();
    } else this.chart.mark(marks);
    clearTimeout(this.remember);
    this.remember = setTimeout(() => {
      if (this.signal.aborted) return;
      this.answerEvery();
      this.drawDownloads();
      const search = new URLSearchParams({ metric: this.metric, ...(this.label === null ? {} : { class: this.label }), n: chosen.n, target: chosen.target });
      history.replaceState(null, "", `#/jobs/${this.id}?${search}`);
    }, 300);
  }

  needs(a) {
    const range = a.lower === null ? null : `95 % interval from ${count(a.lower)} ${a.upper === null ? "on, with no end in reach" : `to ${count(a.upper)}`}`;
    const assured = a.n_assured === null ? null : `with ${count(a.n_assured)}, one new training meets it with probability ${percent(this.curve.reading.assurance)}`;
    const chance = a.probability < 0.995 ? `the chance that it is met at all within ${count(this.curve.horizon)} is ${percent(a.probability)}` : null;
    const rest = [[range, chance].filter(Boolean).join("; "), assured].filter(Boolean);
    if (a.status === "reached") return [`${plural(a.n, "sample")}, already measured`, ...rest];
    if (a.status === "needs") return [`${plural(a.n, "sample")}, ${count(a.n - this.curve.nMax)} more`, ...rest];
    if (a.status === "beyond_horizon") return [`More than ${count(this.curve.horizon)} samples`, ...rest];
    return ["Out of reach", `The chance that any number of samples up to ${count(this.curve.horizon)} meets it is ${percent(a.probability)}.`];
  }

  // Classes side by side, the neediest first

  drawClasses() {
    const labels = this.metrics.get(this.metric);
    if (labels.length < 2) {
      replace(this.every);
      this.everyOf = null;
      this.everyCurves = null;
      return;
    }
    if (this.everyOf === this.metric) return;
    this.everyOf = this.metric;
    const { metric } = this;
    this.everyInside = h("div", null, h("p", { class: "muted" }, "Reading every class…"));
    this.everyCurves = null;
    const box = h("details", { class: "panel" }, h("summary", null, `All ${labels.length} classes, the one that needs most first`), this.everyInside);
    box.addEventListener("toggle", async () => {
      if (!box.open || this.everyCurves) return;
      try {
        const answer = await get(`/jobs/${this.id}/curves`, { metric }, this.signal);
        if (this.everyOf !== metric) return;
        this.everyCurves = answer.items.map((item) => new Curve(item, answer.reading));
        this.answerEvery();
      } catch (error) {
        if (!this.signal.aborted) replace(this.everyInside, problemBox(error));
      }
    });
    replace(this.every, box);
  }

  answerEvery() {
    if (!this.everyCurves) return;
    const { target, n } = this.chosen;
    const rows = this.everyCurves
      .map((curve) => ({ curve, now: curve.value(curve.nMax), then: curve.value(n), needed: curve.needed(target) }))
      .sort((a, b) => (b.needed.n ?? Infinity) - (a.needed.n ?? Infinity) || (a.now - b.now) * (a.curve.maximize ? 1 : -1));
    const open = (label) => h("button", { type: "button", class: "link", onclick: () => this.choose(this.metric, String(label)) }, String(label));
    const needs = ({ curve, needed }) => (needed.n !== null ? count(needed.n) : needed.status === "unreachable" ? "out of reach" : `> ${count(curve.horizon)}`);
    replace(
      this.everyInside,
      table(
        ["Class", "Now", `At ${count(n)}`, `Samples for ${number(target)}`],
        rows.map((row) => [open(row.curve.label), number(row.now), number(row.then), needs(row)]),
        { caption: `${this.metric} of every class`, numeric: [1, 2, 3] },
      ),
    );
  }

  // The early, steep part takes most of the picture; without it there is room for what is asked about.
  zoom() {
    this.close = !this.close;
    this.near.setAttribute("aria-pressed", String(this.close));
    this.draw();
  }

  draw() {
    const { curve } = this;
    this.near.hidden = !curve;
    this.chart.label = `Learning curve of ${this.metric}${this.label === null ? "" : ` of class ${this.label}`}; the table below has the numbers`;
    this.chart.show(this.series, { xStart: curve && this.close ? curve.nMax / 6 : undefined, xEnd: curve ? curve.nMax * this.extent : undefined, bounds: curve?.bounds, ceiling: this.ceiling, steps: this.job.steps ?? [] });
  }
}

function round3(n) {
  return Math.max(1, Math.round(Number(n.toPrecision(3))));
}

function setup(job) {
  const { spec } = job;
  const plugin = (ref) => [h("code", null, ref.name), Object.keys(ref.params).length ? h("span", { class: "muted" }, ` ${Object.entries(ref.params).map(([k, v]) => `${k} ${JSON.stringify(v)}`).join(", ")}`) : null];
  const pairs = [
    ["Model", plugin(spec.model)],
    ["Training", plugin(spec.training)],
    ["Evaluation", plugin(spec.evaluation)],
    spec.reset && ["Reset", plugin(spec.reset)],
    ["Dataset", [h("a", { href: "#/datasets" }, spec.dataset), " ", h("span", { class: "muted small" }, job.dataset_fingerprint.slice(0, 20))]],
    ["Protocol", spec.protocol],
    ["Runs and steps", `${spec.runs} × ${job.steps ? `${job.steps.length}: ${[...job.steps].sort((a, b) => a - b).map(count).join(", ")}` : "to be planned"}`],
    ["Seed", String(spec.seed)],
    ["Device", job.device],
    job.started_at && ["Time", job.finished_at ? `${duration((new Date(job.finished_at) - new Date(job.started_at)) / 1000)}` : "running"],
  ].filter(Boolean);
  return [h("h2", null, "How it was measured"), h("dl", { class: "pairs" }, pairs.flatMap(([k, v]) => [h("dt", null, k), h("dd", null, v)]))];
}
