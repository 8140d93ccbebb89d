// The demo's job, as `sufficiency demo` submits it: digits, registered if nobody has, and a small network on them.

import { get, pause, post, Problem } from "../api.js";

const split = (name) => ({ loader: "digits", params: { split: name } });
const JOB = {
  name: "Demo: handwritten digits",
  model: { name: "mlp" },
  training: { name: "sgd-classifier", params: { lr: 0.05, epochs: 20, batch_size: 32 } },
  evaluation: { name: "classification", params: { metrics: ["accuracy", "auroc"] } },
  runs: 5,
  substeps: 8,
};

// Registers, waits until a worker has read the digits, submits, and returns the job; `say` gets what it waits for.
export async function runDemo(say, signal) {
  let dataset;
  try {
    dataset = await post("/datasets", { name: "digits", train: split("train"), test: split("test") });
  } catch (error) {
    // Somebody has registered other data under that name: another one is free.
    if (!(error instanceof Problem) || error.status !== 409) throw error;
    dataset = await post("/datasets", { name: "sufficiency-demo-digits", train: split("train"), test: split("test") });
  }
  while (dataset.status === "verifying") {
    say(dataset.queued_reason ?? "A worker reads the digits…");
    await pause(700, signal);
    dataset = await get(`/datasets/${encodeURIComponent(dataset.name)}`, {}, signal);
  }
  if (dataset.status === "invalid") throw new Problem(0, { title: "The digits cannot be read", detail: dataset.error?.detail });
  return post("/jobs", { ...JOB, dataset: dataset.name });
}
