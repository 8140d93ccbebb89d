// A new job: a form from what the workers offer, with the plan beside it before anything is spent.

import { get, getAll, post } from "../api.js";
import { combination, isFor, tasksOf } from "../combination.js";
import { count, duration, h, plural, problemBox, remarks, replace } from "../dom.js";
import { byKind, field, PluginChoice, pointerPath, toFirstWrong } from "../form.js";

const WAIT = 350;

export async function view({ holder, signal, query, attach }) {
  const [plugins, datasets, template] = await Promise.all([
    getAll("/plugins", {}, signal),
    getAll("/datasets", {}, signal),
    query.get("like") ? get(`/jobs/${query.get("like")}`, {}, signal) : null,
  ]);
  const like = template?.spec ?? {};
  const kinds = byKind(plugins);
  const choice = (kind, label, none) => new PluginChoice(kind, kinds.get(kind) ?? [], { label, none, value: like[kind], onchange: () => changed() });
  const ready = datasets.filter((d) => d.status === "ready");

  const model = choice("model", "Model");
  const training = choice("training", "Training");
  const evaluation = choice("evaluation", "Evaluation");
  const reset = choice("reset", "Reset", "as the model needs it");
  const dataset = field("dataset", { enum: ready.map((d) => d.name), description: "Only datasets that a worker has read." }, { value: query.get("dataset") ?? like.dataset ?? ready[0]?.name, required: true, label: "Dataset" });
  const numbers = {
    name: field("name", { type: "string", maxLength: 100, description: "What lists and reports call it; none: its model and its dataset." }, { label: "Name of the job" }),
    note: field("note", { type: "string", maxLength: 2000, description: "What is to be remembered of it." }, { label: "Note" }),
    runs: field("runs", { type: "integer", minimum: 1, default: 5, description: "Independent repetitions; 3 to 5 give an interval that can be believed." }, { value: like.runs, label: "Runs" }),
    substeps: field("substeps", { type: "integer", minimum: 1, default: 10, description: "Training-set sizes, spaced evenly in log n." }, { value: like.substeps, label: "Steps" }),
    schedule: field("schedule", { anyOf: [{ type: "array", items: { type: "integer" } }, { type: "null" }], default: null, description: "Instead of even steps: these sizes, separated by commas." }, { value: Array.isArray(like.schedule) ? like.schedule : undefined, label: "Sizes" }),
    protocol: field("protocol", { enum: ["independent", "dataeval"], default: "independent", description: "independent: every cell from fresh weights, on nested subsets. dataeval: as DataEval's Sufficiency does it." }, { value: like.protocol, label: "Protocol" }),
    seed: field("seed", { type: "integer", minimum: 0, default: 0, description: "The same seed gives the same subsets and weights." }, { value: like.seed, label: "Seed" }),
    device: field("device", { enum: ["auto", "cpu", "cuda"], default: "auto" }, { value: like.device, label: "Device" }),
    priority: field("priority", { type: "integer", minimum: 0, maximum: 9, default: 0, description: "9 is served first." }, { value: like.priority, label: "Priority" }),
    reuse: field("reuse", { type: "boolean", default: true, description: "Cells that another job of the project has measured alike are taken over." }, { value: like.reuse, label: "Reuse" }),
    labels: field("labels", { type: "array", items: { type: "string" }, default: [], description: "name:value, separated by commas." }, { value: Object.entries(like.labels ?? {}).map(([k, v]) => `${k}:${v}`), label: "Labels" }),
  };
  // The question that the job is to answer: with one it measures no more than that takes.
  const maybe = (type, description, more = {}) => ({ anyOf: [{ type, ...more }, { type: "null" }], default: null, description });
  const before = like.stop_when ?? {};
  const question = {
    target: field("target", maybe("number", "Stop when it is decided whether the metric gets this good."), { value: before.target, label: "Target" }),
    width: field("width", maybe("number", "Stop when the 95 % interval is narrower than this."), { value: before.width, label: "Width" }),
    verdict: field("verdict", { type: "boolean", default: false, description: "Stop when it is told whether more data is worth it." }, { value: before.verdict, label: "Verdict" }),
    n: field("n", maybe("integer", "The training-set size in question; none: four times the largest step.", { minimum: 1 }), { value: before.n, label: "At size" }),
    metric: field("metric", maybe("string", "none: Accuracy, or the first metric with one value."), { value: before.metric, label: "Metric" }),
  };
  const steps = field("budget", maybe("integer", "At most so many SGD steps over all cells.", { minimum: 1 }), { value: like.budget?.sgd_steps, label: "Budget" });
  const sizes = like.schedule && !Array.isArray(like.schedule) ? like.schedule : undefined;

  // What nobody has chosen by hand follows the dataset, so that the form begins with a job that runs.
  const choices = { model, training, evaluation };
  function settle() {
    const task = ready.find((one) => one.name === dataset.read())?.info?.task;
    for (const one of Object.values(choices)) one.label((plugin) => !isFor(plugin, task) && `(for ${tasksOf(plugin).join(", ")})`);
    const kept = Object.fromEntries(Object.entries(choices).filter(([, one]) => one.chosen).map(([kind, one]) => [kind, one.plugin]));
    const proposed = combination(kinds, task, kept);
    for (const [kind, one] of Object.entries(choices)) if (!one.chosen) one.propose(proposed[kind]);
  }

  const plan = h("div", { class: "stack", role: "status" }, h("p", { class: "muted" }, "Working out the plan…"));
  const submit = h("button", { type: "submit", class: "main", disabled: true }, "Submit the job");
  const failed = h("div");

  function body() {
    const made = { model: model.read(), training: training.read(), evaluation: evaluation.read(), dataset: dataset.read(), ...(sizes && numbers.schedule.read() === undefined ? { schedule: sizes } : {}) };
    const reseter = reset.read();
    if (reseter) made.reset = reseter;
    for (const [name, one] of Object.entries(numbers)) {
      const value = one.read();
      if (value === undefined) continue;
      made[name] = name === "labels" ? Object.fromEntries(value.map((text) => [text.split(":")[0], text.split(":").slice(1).join(":")])) : value;
    }
    const stop = Object.fromEntries(Object.entries(question).map(([name, one]) => [name, one.read()]).filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false));
    if (Object.keys(stop).length) made.stop_when = stop;
    const most = steps.read();
    if (most !== undefined && most !== null) made.budget = { sgd_steps: most };
    return made;
  }

  const places = { model, training, evaluation, reset };
  function place([first, ...rest]) {
    if (places[first]) return places[first].place(rest);
    if (first === "stop_when") return question[rest[0]] ?? question.target;
    if (first === "budget") return steps;
    return first === "dataset" ? dataset : numbers[first];
  }

  let marked = [];
  function mark(errors) {
    for (const one of marked) one.wrong(null);
    marked = [];
    const left = [];
    for (const { pointer, detail } of errors) {
      const where = place(pointerPath(pointer));
      if (where) {
        where.wrong(detail);
        marked.push(where);
      } else left.push(`${pointer}: ${detail}`);
    }
    return left;
  }

  let timer = 0;
  let turn = 0;
  let key = null;
  let asked = "";
  function changed() {
    settle();
    const now = JSON.stringify(body());
    // Leaving a field is a change too, though nothing is new: the button that is being pressed must stay as it is.
    if (now === asked) return;
    asked = now;
    submit.disabled = true;
    key = null;
    clearTimeout(timer);
    timer = setTimeout(reckon, WAIT);
  }

  async function reckon() {
    const mine = ++turn;
    try {
      const found = await post("/jobs", body(), { query: { dry_run: true }, signal });
      if (mine !== turn) return;
      mark([]);
      replace(plan, ...planned(found));
      submit.disabled = false;
    } catch (error) {
      if (signal.aborted || mine !== turn) return;
      const left = mark(error.errors ?? []);
      const placed = (error.errors ?? []).length > left.length;
      replace(
        plan,
        placed ? h("p", { class: "note warn" }, h("strong", null, "Not ready. "), h("button", { type: "button", class: "link", onclick: () => toFirstWrong(form) }, "See what is marked in the form"), ".") : problemBox(error),
        placed && left.map((text) => h("p", { class: "note bad" }, text)),
        error.status === 0 && h("button", { type: "button", onclick: reckon }, "Try again"),
      );
    }
  }

  async function send(event) {
    event.preventDefault();
    submit.disabled = true;
    replace(failed);
    // Pressed again after a lost answer, the same key makes it the same job.
    key ??= Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    try {
      const job = await post("/jobs", body(), { headers: { "Idempotency-Key": key } });
      location.hash = `#/jobs/${job.id}`;
    } catch (error) {
      submit.disabled = false;
      mark(error.errors ?? []);
      replace(failed, problemBox(error));
      toFirstWrong(form);
    }
  }

  const form = h(
    "form",
    { class: "compose", onsubmit: send, novalidate: true },
    h(
      "div",
      { class: "stack" },
      h("fieldset", { class: "panel stack" }, h("legend", { class: "away" }, "What is trained"), model.node, h("hr"), training.node),
      h("fieldset", { class: "panel stack" }, h("legend", { class: "away" }, "On what, and how it is judged"), dataset.node, h("hr"), evaluation.node),
      h("fieldset", { class: "panel stack" }, h("legend", { class: "away" }, "How it is measured"), h("div", { class: "fields" }, [numbers.runs, numbers.substeps, numbers.seed, numbers.labels, numbers.name, numbers.note].map((one) => one.node)),
        h("details", { open: Boolean(like.stop_when || like.budget) }, h("summary", null, "Stop when the answer is good enough"), h("div", { class: "fields" }, [...Object.values(question), steps].map((one) => one.node))),
        h("details", null, h("summary", null, "More"), h("div", { class: "stack" }, h("div", { class: "fields" }, [numbers.schedule, numbers.protocol, numbers.device, numbers.priority, numbers.reuse].map((one) => one.node)), reset.node))),
    ),
    h("aside", { class: "panel stack", "aria-label": "Plan" }, h("h2", null, "Plan"), plan, submit, failed),
  );
  form.addEventListener("input", changed);
  form.addEventListener("change", changed);

  replace(
    holder,
    h("h1", null, "New job"),
    !ready.length && h("p", { class: "note warn" }, h("strong", null, "No dataset is ready. "), h("a", { href: "#/datasets" }, "Register one"), " first."),
    !plugins.length && h("p", { class: "note warn" }, h("strong", null, "No worker has been here. "), "Start one with ", h("code", null, "sufficiency worker"), "; it brings the plugins."),
    form,
  );
  attach();
  changed();
}

function planned(plan) {
  const pairs = [
    ["Steps", plan.steps ? plan.steps.map(count).join(", ") : "named by the schedule plugin on a worker"],
    ["Cells", plan.cells === null ? "–" : `${count(plan.cells)}: ${plural(plan.runs, "run")} × ${count(plan.steps?.length)} steps`],
    plan.sgd_steps !== null && ["SGD steps", count(plan.sgd_steps)],
    plan.training_items !== null && ["Items trained on", `${count(plan.training_items)} an epoch, over all cells`],
    ["Time", plan.estimated_slot_seconds === null ? "not known before a first job like it" : `about ${duration(plan.estimated_slot_seconds)} of one slot`],
    plan.design && ["First stage", `${count(plan.design.spent)} of at most ${count(plan.design.grid)} ${plan.design.unit === "sgd_steps" ? "SGD steps" : "training items"}: a run, by which the rest is chosen`],
    ["Device", plan.device],
  ].filter(Boolean);
  return [
    h("dl", { class: "pairs" }, pairs.flatMap(([k, v]) => [h("dt", null, k), h("dd", null, v)])),
    plan.queued_reason && h("p", { class: "note warn" }, h("strong", null, "It would wait. "), plan.queued_reason),
    ...remarks(plan.warnings),
  ];
}
