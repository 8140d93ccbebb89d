// How earlier answers came true: what was said of sizes before they were measured, and what came.

import { get } from "../api.js";
import { count, h, number, percent, replace, signed, table, time } from "../dom.js";

const PAGE = 50;

function far(one) {
  return one.up_to === null ? `over ${one.further_than}×` : `${one.further_than}× to ${one.up_to}×`;
}

function whole(record) {
  return table(
    ["Metric", "How far ahead", "Forecasts", "Studies", "In 50 %", "In 80 %", "In 95 %", "Bias", "Mean error", "Width"],
    record.map((one) => [
      one.metric,
      far(one),
      count(one.forecasts),
      count(one.studies),
      ...["0.5", "0.8", "0.95"].map((level) => percent(one.coverage[level])),
      signed(one.bias),
      number(one.mean_absolute_error),
      number(one.width),
    ]),
    { caption: "How forecasts came true, by metric and distance", numeric: [2, 3, 4, 5, 6, 7, 8, 9] },
  );
}

function row(one) {
  const outside = one.inside !== null && !one.inside["0.95"];
  const name = one.class === undefined ? one.metric : `${one.metric}, ${one.class}`;
  return [
    one.job_id === null ? h("span", { class: "muted" }, "deleted") : h("a", { href: `#/jobs/${one.job_id}` }, one.model),
    one.dataset,
    name,
    `${count(one.n_observed)} → ${count(one.n)}`,
    `${number(one.value)} [${number(one.lower)}, ${number(one.upper)}]`,
    one.measured === null ? h("span", { class: "muted" }, "not yet") : [number(one.measured), " ", outside && h("span", { class: "badge state-failed" }, "outside")],
    time(one.made_at),
  ];
}

export async function view({ holder, signal, query, attach }) {
  const job = query.get("job");
  const rows = [];
  const list = h("div", { class: "stack" });
  const more = h("button", { type: "button", onclick: () => load() }, "Show more");
  let cursor = null;
  async function load() {
    const answer = await get("/forecasts", { job, limit: PAGE, cursor }, signal);
    cursor = answer.next_cursor;
    rows.push(...answer.items.map(row));
    more.hidden = cursor === null;
    replace(
      list,
      answer.record.length > 0 && [h("h2", null, "All together"), whole(answer.record), h("p", { class: "muted small" }, "Shares are of what came inside the intervals. Bias is positive where things came worse than was said; the width is that of the 95 % intervals. Forecasts of one study come true or fail together.")],
      rows.length > 0 ? [h("h2", null, "One by one"), table(["Job", "Dataset", "Metric", "From → to", "Said", "Came", "When"], rows, { caption: "Forecasts, the latest first" }), more] : h("p", null, "Nothing has been foretold yet. When a job is extended to larger sizes, what its curves say of them is kept here, and put beside what is then measured."),
    );
    return answer;
  }
  holder.append(h("h1", null, "Record"), h("p", { class: "muted" }, job ? ["Of one job. ", h("a", { href: "#/record" }, "Of all jobs")] : "How well earlier answers came true."), list);
  await load();
  attach();
}
