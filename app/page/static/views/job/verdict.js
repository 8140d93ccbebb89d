// Whether more data is worth it, and what the curve's own back-test and warnings say of that answer.

import { count, h, number, percent, prose, remarks, replace, sentenceCase, signed, table, times, WORTH } from "../../dom.js";

export function drawVerdict(node, judged, answer) {
  if (!judged) {
    replace(node, h("p", { class: "muted" }, answer.message ?? "There is too little for a fit of this metric so far."));
    return;
  }
  const more = judged.more.map((g) => [
    `${count(g.n)} (${times(g.added + 1)})`,
    `${number(g.value)}`,
    `${number(g.lower)} to ${number(g.upper)}`,
    signed(g.gain),
    percent(g.probability),
  ]);
  replace(
    node,
    h("p", { class: `answer ${judged.worth}` }, sentenceCase(WORTH[judged.worth] ?? judged.worth), answer.provisional && h("span", { class: "muted small" }, " so far: the job has not completed")),
    h("p", { class: "sentence" }, judged.sentence),
    judged.limits.length > 0 && h("ul", { class: "limits", "aria-label": "What limits the answer" }, judged.limits.map((l) => h("li", null, prose(l.detail), " ", h("strong", null, prose(l.remedy))))),
    h("details", { open: node.querySelector("details")?.open }, h("summary", null, "What more data would bring"), table(["Samples", "Expected", "95 % interval", "Gain", `Chance of ${number(judged.min_gain)} or more`], more, { caption: "What more data would bring", numeric: [0, 1, 2, 3, 4] })),
  );
}

// What the verdict's own limits say already is not among its warnings, and what stands at the job's head is not said twice.
export function drawWarnings(node, judged, curves, item, head) {
  const told = new Set(head.map((w) => w.detail));
  const said = remarks((judged.warnings ?? curves.warnings ?? []).filter((w) => !told.has(w.detail)));
  const test = item?.backtest;
  if (test?.error !== null && test?.error !== undefined) {
    const inside = test.predictions.filter((p) => p.lower !== null);
    const hits = inside.filter((p) => p.lower <= p.measured && p.measured <= p.upper).length;
    said.push(
      h("p", { class: "muted small" }, `Would these data have predicted themselves? Fitted to the smaller sizes alone, the curve missed the larger ones by ${number(test.error)} on average`, inside.length ? `; ${hits} of ${inside.length} lay inside the 95 % interval.` : "."),
    );
  }
  replace(node, said);
}
