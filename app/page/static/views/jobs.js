// The jobs: live, searched, sorted and filtered by the service, a page at a time; several chosen for one act.

import { get, pause } from "../api.js";
import { ago, badge, count, h, number, percent, problemBox, prose, replace, sentenceCase, STATES, time, titleOf, WORTH } from "../dom.js";
import { runDemo } from "./demo.js";
import { Selection } from "./jobs/selection.js";

const EVERY = 3000;
const ORDERS = { "-created": "the newest first", created: "the oldest first", name: "by name", "-finished": "the last ended first", "-value": "the highest result first", value: "the lowest result first" };

export async function view({ holder, signal, query, attach }) {
  const cursors = [query.get("cursor")].filter(Boolean);
  const filters = { q: query.get("q") ?? "", state: query.getAll("state"), model: query.get("model") ?? "", dataset: query.get("dataset") ?? "", label: query.get("label") ?? "", sort: query.get("sort") ?? "-created" };

  const body = h("tbody");
  const newer = h("button", { type: "button", onclick: () => (cursors.pop(), load()) }, "Back");
  const older = h("button", { type: "button", onclick: () => (cursors.push(older.dataset.cursor), load()) }, "More");
  const pages = h("div", { class: "row", hidden: true }, newer, older);
  const counted = h("span", { class: "muted counted", role: "status", "aria-label": "How many jobs" });
  const said = h("div", { class: "stack", role: "status" });
  const selection = new Selection(() => (mark(), load()));
  let timer = 0;

  function filterField(name, label, placeholder, type = "text") {
    const input = h("input", { id: `filter-${name}`, type, value: filters[name], placeholder, autocomplete: "off", maxlength: 200 });
    input.addEventListener("input", () => {
      filters[name] = input.value.trim();
      clearTimeout(timer);
      timer = setTimeout(changed, 250);
    });
    return h("div", { class: `field ${name}` }, h("label", { for: input.id }, label), input);
  }

  function changed() {
    cursors.length = 0;
    load();
  }

  const states = h(
    "fieldset",
    null,
    h("legend", null, "State"),
    Object.entries(STATES).map(([state, name]) => {
      const box = h("input", { type: "checkbox", checked: filters.state.includes(state) });
      box.addEventListener("change", () => {
        filters.state = box.checked ? [...filters.state, state] : filters.state.filter((other) => other !== state);
        changed();
      });
      return h("label", { class: "check" }, box, name);
    }),
  );
  const sort = h("select", { id: "sort", onchange: () => ((filters.sort = sort.value), changed()) }, Object.entries(ORDERS).map(([order, name]) => h("option", { value: order, selected: order === filters.sort }, sentenceCase(name))));
  // Chosen elsewhere, by a link: named, so that nobody wonders where the others are.
  const narrowed = h("div", { class: "row" });
  function drawNarrowed() {
    replace(narrowed, ["model", "dataset"].filter((name) => filters[name]).map((name) => h("button", { type: "button", "aria-label": `Jobs of every ${name} again`, onclick: () => ((filters[name] = ""), drawNarrowed(), changed()) }, `${sentenceCase(name)}: ${filters[name]} ×`)));
  }
  const all = h("input", { type: "checkbox", "aria-label": "Choose every job of this page" });
  all.addEventListener("change", () => selection.choose(page.items, all.checked));

  function row(job) {
    const { model, dataset, runs } = job.spec;
    const box = h("input", { type: "checkbox", "data-job": job.id, checked: selection.has(job), "aria-label": `Choose ${titleOf(job)}, ${job.id.slice(-8)}` });
    box.addEventListener("change", () => selection.choose([job], box.checked));
    const { cells_done: done, cells_not_measurable: lost, cells_total: total, fraction } = job.progress;
    const fill = h("span");
    fill.style.transform = `scaleX(${fraction})`;
    const why = job.state === "queued" ? job.queued_reason : job.state === "failed" ? job.error?.detail : job.warnings[0]?.detail;
    return h(
      "tr",
      null,
      h("td", { class: "choose" }, h("label", { class: "check" }, box)),
      h(
        "td",
        { class: "what" },
        h("a", { class: "name", href: `#/jobs/${job.id}` }, job.name ? h("strong", null, job.name) : [h("strong", null, model.name), " on ", dataset]),
        h("span", { class: "muted small" }, job.name ? `${model.name} on ${dataset} · ` : null, job.id.slice(-8), " ", Object.entries(job.labels).map(([k, v]) => [" ", h("span", { class: "chip" }, `${k}: ${v}`)])),
        why && h("span", { class: "name clamp muted small", title: why }, prose(why)),
      ),
      h("td", { class: "result" }, result(job)),
      h("td", { class: "wide" }, h("div", { class: "row" }, badge(job.state), h("span", { class: "muted small" }, total ? `${job.state === "completed" && done === total ? "" : `${count(done)} of `}${count(total)} cells${lost ? `, ${count(lost)} not measurable` : ""}` : "to be planned", `, ${runs} ${runs === 1 ? "run" : "runs"}`)), job.state === "running" && h("div", { class: "bar", role: "img", "aria-label": `${percent(fraction)} of the work` }, fill)),
      h("td", { class: "muted nowrap" }, time(job.created_at)),
    );
  }

  function result({ result: told, state }) {
    if (!told) return h("span", { class: "muted small" }, state === "completed" ? "nothing to fit a curve to" : "");
    const { metric, class: label, value, n, worth } = told;
    return [
      h("strong", null, number(value)),
      h("span", { class: "muted small" }, ` ${metric}${label === undefined ? "" : ` of ${label}`} at ${count(n)}`),
      worth && h("span", { class: `small answer ${worth}` }, sentenceCase(WORTH[worth] ?? worth)),
    ];
  }

  // The boxes follow what is chosen, wherever that was done.
  function mark() {
    for (const box of body.querySelectorAll("[data-job]")) box.checked = selection.has({ id: box.dataset.job });
    const chosen = page?.items.filter((job) => selection.has(job)).length ?? 0;
    all.checked = chosen > 0 && chosen === page.items.length;
    all.indeterminate = chosen > 0 && !all.checked;
  }

  let shown = "";
  let turn = 0;
  let page = null;
  async function load() {
    const mine = ++turn;
    const cursor = cursors.at(-1);
    let found;
    try {
      found = await get("/jobs", { ...filters, count: true, cursor, limit: 25 }, signal);
    } catch (error) {
      if (signal.aborted || mine !== turn) return;
      replace(said, h("p", null, error.message));
      return;
    }
    if (mine !== turn || signal.aborted) return;
    page = found;
    const search = new URLSearchParams(Object.entries({ ...filters, sort: filters.sort === "-created" ? "" : filters.sort, cursor: cursor ?? "" }).flatMap(([k, v]) => [v].flat().filter(Boolean).map((one) => [k, one])));
    history.replaceState(null, "", `#/jobs${`${search}` ? `?${search}` : ""}`);
    selection.seen(page.items);
    const now = JSON.stringify(page);
    // A list that has not changed is left alone: what is focused or selected in it stays so.
    if (now !== shown) {
      shown = now;
      const held = document.activeElement?.closest?.("tbody [data-job], tbody a");
      const focused = held && (held.dataset.job ? `[data-job="${held.dataset.job}"]` : `a[href="${held.getAttribute("href")}"]`);
      replace(body, page.items.map(row));
      if (focused) body.querySelector(focused)?.focus();
    }
    mark();
    const filtered = filters.q || filters.state.length || filters.model || filters.dataset || filters.label;
    replace(counted, page.count === null ? null : `${page.count_complete ? "" : "more than "}${count(page.count)} ${page.count === 1 ? "job" : "jobs"}${filtered ? " like that" : ""}`);
    const none = !page.items.length;
    listed.hidden = none;
    if (!none) replace(said);
    else if (filtered || cursor || !["-created", "created", "name"].includes(filters.sort)) replace(said, h("p", { class: "muted" }, "No job is like that."));
    else if (!said.contains(welcome)) replace(said, welcome);
    // Where there is nothing there is nothing to look through.
    narrowing.hidden = said.contains(welcome);
    newer.disabled = cursors.length === 0;
    older.disabled = !page.next_cursor;
    pages.hidden = newer.disabled && older.disabled;
    older.dataset.cursor = page.next_cursor ?? "";
  }

  const progress = h("p", { class: "muted", role: "status" });
  const start = h("button", {
    type: "button",
    class: "main",
    onclick: async () => {
      start.disabled = true;
      try {
        const job = await runDemo((text) => replace(progress, text), signal);
        location.hash = `#/jobs/${job.id}`;
      } catch (error) {
        if (signal.aborted) return;
        start.disabled = false;
        replace(progress, problemBox(error));
      }
    },
  }, "Run the demo's job");
  const welcome = h(
    "div",
    { class: "stack welcome" },
    h("h2", null, "No jobs yet"),
    h("p", null, "A job trains a model on growing subsets of your data, and answers from the learning curve what more data would bring. The demo's job does that with 1,797 handwritten digits, in about a minute."),
    h("div", { class: "row" }, start, h("a", { class: "button", href: "#/datasets" }, "Register data of your own")),
    progress,
  );
  const listed = h(
    "div",
    { class: "panel" },
    h("table", { class: "cards jobs" }, h("caption", { class: "away" }, "Jobs"), h("thead", null, h("tr", null, h("th", { scope: "col", class: "choose" }, all), ["Job", "Result", "State", "Created"].map((c) => h("th", { scope: "col" }, c)))), body),
  );

  const narrowing = h("div", { class: "filters" }, filterField("q", "Search", "part of a name, model, dataset or id", "search"), filterField("label", "Label", "team:vision"), h("div", { class: "field" }, h("label", { for: "sort" }, "Order"), sort), states);
  holder.append(
    h("div", { class: "head" }, h("div", { class: "row" }, h("h1", null, "Jobs"), counted), h("a", { class: "button main", href: "#/new" }, "New job")),
    narrowing,
    narrowed,
    selection.node,
    listed,
    said,
    pages,
  );
  drawNarrowed();
  await load();
  attach();
  (async () => {
    while (!signal.aborted) {
      await pause(EVERY, signal).catch(() => {});
      if (signal.aborted || document.hidden) continue;
      await load();
      for (const one of body.querySelectorAll("time")) one.textContent = ago(one.dateTime);
    }
  })();
}
