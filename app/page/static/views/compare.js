// Several jobs in one picture: where they cross, and how many times the data one needs for the other's level.

import { get, pause } from "../api.js";
import { Chart, legend } from "../chart.js";
import { Curve } from "../curve.js";
import { count, h, number, percent, problemBox, remarks, replace, STATUS, table, time, times, titleOf } from "../dom.js";

// As many as the service compares at a time.
const MOST = 10;
const OFFERED = 12;

export async function view({ holder, signal, query, attach }) {
  let ids = [...new Set(query.getAll("job"))].slice(0, MOST);
  let metric = query.get("metric");
  const known = new Map();
  const picked = h("ul", { class: "picked" });
  const search = h("input", { id: "add-job", type: "search", autocomplete: "off", maxlength: 200, placeholder: "part of a name, model, dataset or id", "aria-describedby": "add-job-told" });
  const offered = h("ul", { class: "offered", "aria-label": "Jobs to add" });
  const told = h("p", { class: "muted small", id: "add-job-told", role: "status" });
  const content = h("div", { class: "stack" });
  const chartHolder = h("div", { class: "chart" });
  const chart = new Chart(chartHolder);
  signal.addEventListener("abort", () => chart.stop());

  const name = (id) => {
    const job = known.get(id);
    if (!job) return id;
    const text = titleOf(job);
    const twins = ids.filter((other) => known.has(other) && titleOf(known.get(other)) === text);
    return twins.length > 1 ? `${text} (${id.slice(-6)})` : text;
  };

  function change(next) {
    ids = next;
    load();
  }

  function draw() {
    replace(
      picked,
      ids.map((id, k) =>
        h(
          "li",
          null,
          h("span", { class: `swatch series-${k}`, "aria-hidden": "true" }),
          h("a", { href: `#/jobs/${id}` }, name(id)),
          k === 0 && ids.length > 1 && h("span", { class: "muted small" }, "the others are compared with it"),
          k > 0 && h("button", { type: "button", class: "quiet", "aria-label": `Make ${name(id)} the first`, onclick: () => change([id, ...ids.filter((other) => other !== id)]) }, "First"),
          h("button", { type: "button", class: "quiet", "aria-label": `Remove ${name(id)}`, onclick: () => change(ids.filter((other) => other !== id)) }, "Remove"),
        ),
      ),
    );
    search.disabled = ids.length >= MOST;
    if (search.disabled) {
      replace(offered);
      replace(told, `At most ${MOST} jobs are compared at a time.`);
    } else offer();
  }

  // Of all jobs, by what is searched for: those that have measured something, the newest first.
  let asked = 0;
  async function offer() {
    const mine = ++asked;
    const page = await get("/jobs", { q: search.value.trim(), state: ["completed", "running", "failed", "cancelled"], limit: OFFERED + ids.length }, signal);
    if (mine !== asked || signal.aborted) return;
    const found = page.items.filter((job) => !ids.includes(job.id) && job.progress.cells_done).slice(0, OFFERED);
    replace(
      offered,
      found.map((job) => h("li", null, h("button", { type: "button", class: "link", onclick: () => add(job) }, titleOf(job)), h("span", { class: "muted small" }, ` ${job.name ? `${job.spec.model.name} on ${job.spec.dataset} · ` : ""}${job.id.slice(-6)} · `, time(job.created_at)))),
    );
    replace(told, found.length ? (page.next_cursor ? "The newest of them; search for the others." : null) : "No other job like that has measured anything.");
  }

  function add(job) {
    known.set(job.id, job);
    search.value = "";
    change([...ids, job.id]);
    search.focus();
  }

  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => offer().catch(() => {}), 250);
  });

  let turn = 0;
  async function load() {
    const mine = ++turn;
    const search = new URLSearchParams([...ids.map((id) => ["job", id]), ...(metric ? [["metric", metric]] : [])]);
    history.replaceState(null, "", `#/compare?${search}`);
    draw();
    if (ids.length < 2) return replace(content, h("p", { class: "muted" }, "Choose two jobs or more."));
    replace(content, h("p", { class: "muted" }, "Comparing…"));
    try {
      for (const id of ids) if (!known.has(id)) known.set(id, await get(`/jobs/${encodeURIComponent(id)}`, {}, signal));
      draw();
      const answer = await get("/compare", { job: ids }, signal);
      const names = Object.keys(answer.metrics);
      if (!names.includes(metric)) metric = names.includes("Accuracy") ? "Accuracy" : names[0];
      const parts = await Promise.all(
        ids.map(async (id, index) => {
          const [curves, means] = await Promise.all([get(`/jobs/${id}/curves`, { metric }, signal), get(`/jobs/${id}/measurements`, { view: "averages", metric }, signal)]);
          const item = curves.items.find((c) => c.metric === metric && c.class === null);
          return { name: name(id), index, curve: new Curve(item, curves.reading), points: [], means: means.items.filter((m) => m.class === null) };
        }),
      );
      if (mine !== turn || signal.aborted) return;
      show(answer, names, parts);
    } catch (error) {
      if (!signal.aborted && mine === turn) replace(content, problemBox(error));
    }
  }

  function show(answer, names, parts) {
    const [compared] = answer.metrics[metric];
    const choose = names.length > 1 && h("div", { class: "tabs", role: "group", "aria-label": "Metric" }, names.map((one) => h("button", { type: "button", "aria-pressed": String(one === metric), onclick: () => ((metric = one), load().then(() => content.querySelector('[aria-pressed="true"]')?.focus())) }, one)));
    replace(
      content,
      h("section", { class: "panel stack" }, choose, legend(parts), chartHolder),
      compared.pairs.map((pair) => beside(pair, answer)),
      remarks(answer.warnings),
    );
    chart.label = `Learning curves of ${metric}: ${parts.map((p) => p.name).join(", ")}; the tables below have the numbers`;
    chart.marks = {
      crossings: compared.pairs.filter((pair) => pair.crossing.n !== null).map(({ crossing }) => ({ ...crossing, value: parts[0].curve.value(crossing.n) })),
    };
    chart.show(parts, { xEnd: Math.max(...parts.map((p) => p.curve.nMax)) * 16, bounds: parts[0].curve.bounds });
  }

  function beside(pair, answer) {
    const first = ids[0];
    const ratio = (e) => (e.ratio === null ? "–" : times(e.ratio));
    const ends = (a, b, text) => (a === null && b === null ? "–" : `${a === null ? "?" : text(a)} to ${b === null ? "∞" : text(b)}`);
    const signed = (value) => `${value < 0 ? "−" : "+"}${number(Math.abs(value))}`;
    return h(
      "section",
      { class: "panel stack" },
      h("h2", null, `${name(pair.job_id)}, beside ${name(first)}`),
      h("p", { class: "sentence" }, crossing(pair)),
      h("div", { class: "split" }, pair.efficiency.length > 0 && h("div", { class: "stack" }, h("h3", null, `Samples that ${name(pair.job_id)} needs for the same ${metric}`),
        table(
          [metric, "First needs", "This needs", "Times the data", "95 % interval"],
          pair.efficiency.map((e) => [number(e.value), count(e.n_first), e.n === null ? STATUS[e.status] ?? e.status.replaceAll("_", " ") : count(e.n), ratio(e), ends(e.ratio_lower, e.ratio_upper, times)]),
          { caption: "Data efficiency", numeric: [0, 1, 2, 3, 4] },
        )),
        pair.paired.length > 0 && h("div", { class: "stack" }, h("h3", null, "On the same subsets, run by run"),
        table(
          ["Samples", "Difference", "95 % interval", "SD", "Runs"],
          pair.paired.map((p) => [count(p.n), signed(p.difference), p.lower === null ? "–" : `${signed(p.lower)} to ${signed(p.upper)}`, p.sd === null ? "–" : number(p.sd), String(p.runs)]),
          { caption: "Paired differences", numeric: [0, 1, 2, 3, 4] },
        )),
        pair.on_items.length > 0 && h("div", { class: "stack" }, h("h3", null, `On the same ${count(pair.on_items[0].items)} test items, one by one`),
        table(
          ["Samples", "Difference", "95 % interval", `Only ${name(first)} right`, `Only ${name(pair.job_id)} right`, "Runs"],
          pair.on_items.map((p) => [count(p.n), signed(p.difference), `${signed(p.lower)} to ${signed(p.upper)}`, number(p.only_first), number(p.only_second), String(p.runs)]),
          { caption: "Differences item by item", numeric: [0, 1, 2, 3, 4, 5] },
        ),
        h("p", { class: "muted small" }, "The interval is of the difference on all data that the test split was drawn from: what both have right, or both wrong, is no noise of it."))),
      !answer.jobs.find((job) => job.job_id === pair.job_id)?.shares_subsets && h("p", { class: "muted small" }, "The two do not share their subsets (dataset, seed and protocol): runs cannot be paired."),
    );
  }

  function crossing({ job_id: id, crossing: c }) {
    const who = (job) => name(job);
    if (c.n === null) {
      if (c.ahead_after === null) return "Neither is ahead.";
      if (c.told === "within_noise") return `${who(c.ahead_after)} lies ahead, but by no more than noise may make (at best ${percent(c.sure_after)} sure): neither can be said to be better.`;
      return `${who(c.ahead_after)} is ahead throughout, as far as the curves can be relied on (at best ${percent(c.sure_after)} sure).`;
    }
    const sure = c.lower !== null && c.upper !== null ? `The crossing lies between ${count(c.lower)} and ${count(c.upper)} samples, at 95 %.` : `Where exactly cannot be told at 95 %: ${c.lower === null ? `that ${who(c.ahead_before)} is ahead before is ${percent(c.sure_before)} sure at best` : `${who(c.ahead_before)} is surely ahead up to ${count(c.lower)}`}, ${c.upper === null ? `that ${who(c.ahead_after)} is ahead after is ${percent(c.sure_after)} sure at best` : `and ${who(c.ahead_after)} surely from ${count(c.upper)}`}.`;
    const crossing = `The curves cross at about ${count(c.n)} samples`;
    if (c.told === "within_noise") return `${crossing}, but on neither side do they differ by more than noise may make: neither can be said to be better.`;
    if (c.told === "ahead_before") return `${crossing}: ${who(c.ahead_before)} is ahead below, but that ${who(c.ahead_after)} overtakes may be noise (at best ${percent(c.sure_after)} sure).`;
    if (c.told === "ahead_after") return `${crossing}: ${who(c.ahead_after)} is ahead from there on, but that it ever was behind may be noise (at best ${percent(c.sure_before)} sure).`;
    return `${who(c.ahead_after)} overtakes at about ${count(c.n)} samples. ${sure}`;
  }

  holder.append(h("h1", null, "Compare"), h("section", { class: "panel stack" }, picked, h("details", { class: "stack", open: ids.length < 2 }, h("summary", null, "Add a job"), h("div", { class: "stack" }, h("div", { class: "field" }, h("label", { for: "add-job" }, "Search"), search), told, offered))), content);
  await load();
  attach();
  if (ids.length > 1) chart.show(chart.series, chart);
  (async () => {
    // While one of them trains, again every now and then.
    for (;;) {
      await pause(5000, signal);
      if (!document.hidden && ids.some((id) => ["queued", "running"].includes(known.get(id)?.state))) {
        for (const id of ids) known.set(id, await get(`/jobs/${id}`, {}, signal));
        await load();
      }
    }
  })().catch(() => {});
}
