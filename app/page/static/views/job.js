// One job: its state, what can be done with it, its progress, and what it has measured.

import { follow, get, getAll, pause, post, remove } from "../api.js";
import { badge, clock, count, duration, elapsed, ENDED, h, percent, plural, problemBox, remarks, replace, sentenceCase, STOPPED, time } from "../dom.js";
import { CellGrid } from "./job/cells.js";
import { extendForm } from "./job/extend.js";
import { naming } from "./job/naming.js";
import { output } from "./job/output.js";
import { Results } from "./job/results.js";
import { setup } from "./job/setup.js";

// While a job trains, results are read again at most so often.
const EVERY = 2500;

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
    const now = JSON.stringify([job.state, job.queued_reason, job.error, job.warnings, job.name, job.note]);
    // What has not changed is left alone: a button that has the focus keeps it.
    if (now === headed) return;
    headed = now;
    const { model, dataset } = job.spec;
    document.title = `${job.name || `${model.name} on ${dataset}`} · Sufficiency`;
    replace(
      top,
      h(
        "div",
        { class: "stack" },
        h("h1", null, job.name || `${model.name} on ${dataset}`),
        h("div", { class: "row muted" }, badge(job.state), job.name && h("span", { class: "small" }, `${model.name} on ${dataset}`), h("span", { class: "small" }, "created ", time(job.created_at)), Object.entries(job.labels).map(([k, v]) => h("span", { class: "chip", title: `${k}: ${v}` }, `${k}: ${v}`)), h("code", { class: "small" }, job.id)),
      ),
      h("div", { class: "row" }, actions()),
    );
    const wheres = Object.entries(job.error?.where ?? {}).filter(([, v]) => v !== null).map(([k, v]) => `${k} ${v}`);
    replace(
      notes,
      job.note && h("p", { class: "written" }, job.note),
      job.queued_reason && h("p", { class: "note" }, h("strong", null, "Waiting. "), job.queued_reason),
      job.error &&
        h(
          "div",
          { class: "note bad stack" },
          h("p", null, h("strong", null, "It failed. "), job.error.detail, wheres.length ? ` (${wheres.join(", ")})` : null),
          job.error.traceback && h("details", null, h("summary", null, "Traceback"), h("pre", { tabindex: "0" }, job.error.traceback)),
        ),
      remarks(job.warnings),
    );
  }

  const extension = extendForm(() => job, (extended) => {
    job = extended;
    extension.hidden = true;
    drawHead();
    live();
  });

  const { form: namingForm, button: nameIt } = naming(() => job, (changed) => {
    job = changed;
    drawHead();
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
    if (["failed", "cancelled"].includes(job.state) || (job.state === "completed" && job.progress.cells_not_measurable)) act("Retry", "retry");
    if (ENDED.has(job.state) && job.steps && !job.measured_elsewhere)
      made.push(h("button", { type: "button", "aria-controls": "extend", "aria-expanded": String(!extension.hidden), onclick: (event) => {
        extension.hidden = !extension.hidden;
        event.target.setAttribute("aria-expanded", String(!extension.hidden));
        if (!extension.hidden) extension.querySelector("input").focus();
      } }, "Extend"));
    made.push(nameIt);
    // What was measured elsewhere has no plugins to measure it with.
    if (!job.measured_elsewhere) made.push(h("a", { class: "button", href: `#/new?like=${id}` }, "Use as a template"));
    if (ENDED.has(job.state)) act("Delete", null, "Delete this job with all that it measured?");
    return made;
  }

  const designed = h("p", { class: "note", role: "status", "aria-label": "Design" });
  holder.append(namingForm, extension, designed, progress, results, output(() => job, signal));
  const bar = h("span");
  const said = h("p", { class: "muted", role: "status" });
  // Not announced: they change every second.
  const ticking = h("p", { class: "muted ticking" });
  replace(progress, h("h2", { id: "progress-title" }, "Progress"), h("div", { class: "bar", "aria-hidden": "true" }, bar), said, ticking, grid.node);

  function drawProgress() {
    progress.hidden = job.state === "completed";
    const { cells_done: done, cells_not_measurable: lost, cells_total: total, fraction, eta_seconds: eta } = job.progress;
    bar.style.transform = `scaleX(${fraction})`;
    replace(said, total ? `${count(done)} of ${plural(total, "cell")} measured${lost ? `, ${count(lost)} not measurable` : ""}${job.reused ? `, ${count(job.reused.cells)} of them taken over` : ""}, ${Math.floor(fraction * 100)} % of the work` : "The steps are still to be planned", eta ? `; about ${duration(eta)} to go` : "", ".");
    grid.plan(job.spec.runs, job.steps ?? []);
    grid.work(job.progress.running ?? []);
    tick();
    drawDesign();
  }

  // Since when it runs, and what its slots work on; by the clock of the service.
  function tick() {
    const now = clock.now();
    const since = (text) => elapsed((now - new Date(text)) / 1000);
    const { state, started_at: started, progress: { running = [] } } = job;
    const cells = running.slice(0, 4).map((cell) => `run ${cell.run + 1} with ${plural(cell.n, "sample")} for ${since(cell.since)}`);
    if (running.length > cells.length) cells.push(`${count(running.length - cells.length)} more`);
    replace(ticking, ["running", "cancelling"].includes(state) && started ? `Running for ${since(started)}${cells.length ? `; now: ${cells.join(", ")}` : ""}.` : null);
  }
  const ticker = setInterval(() => ENDED.has(job.state) || tick(), 1000);
  signal.addEventListener("abort", () => clearInterval(ticker));

  // Of an adaptive job: how its question stands, and why it stopped.
  function drawDesign() {
    const told = job.design;
    designed.hidden = !told;
    if (!told) return;
    const cost = `${count(Math.round(told.spent))} of ${count(Math.round(told.grid))} ${told.unit === "sgd_steps" ? "SGD steps" : "training items"}`;
    replace(
      designed,
      h("strong", null, told.stopped ? `${sentenceCase(STOPPED[told.stopped] ?? told.stopped)}. ` : `Stage ${told.stages}. `),
      told.detail,
      h("span", { class: "muted" }, ` ${cost}${told.stopped ? `, ${percent(told.saved)} saved` : ""}.`),
    );
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
        if (event.type === "cell" || event.type === "not_measurable") {
          grid.land(event.data);
          job.progress.cells_done = event.data.cells_done;
          job.progress.cells_not_measurable = event.data.cells_not_measurable ?? job.progress.cells_not_measurable;
          job.progress.cells_total = event.data.cells_total;
          job.progress.fraction = event.data.work_total ? event.data.work_done / event.data.work_total : 0;
          drawProgress();
        }
        if (event.type === "design") {
          job.design = event.data;
          drawDesign();
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
    replace(about, await setup(job));
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
