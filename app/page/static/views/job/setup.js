// What the job ran with: plugins, data, sizes, device.

import { count, duration, h, plural } from "../../dom.js";

export function setup(job) {
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
    job.reused && ["Taken over", `${plural(job.reused.cells, "cell")} that other jobs had measured: ${duration(job.reused.seconds_saved)} of a slot saved`],
    spec.reuse === false && ["Taken over", "nothing: all was to be measured"],
    job.started_at && ["Time", job.finished_at ? `${duration((new Date(job.finished_at) - new Date(job.started_at)) / 1000)}` : "running"],
  ].filter(Boolean);
  return [h("h2", null, "How it was measured"), h("dl", { class: "pairs" }, pairs.flatMap(([k, v]) => [h("dt", null, k), h("dd", null, v)]))];
}
