// Every class of a metric side by side, the neediest first.

import { get } from "../../api.js";
import { Curve } from "../../curve.js";
import { count, h, number, problemBox, replace, STATUS, table } from "../../dom.js";

export class EveryClass {
  constructor(id, chosen, signal, choose) {
    Object.assign(this, { id, chosen, signal, choose });
    this.node = h("div");
    this.metric = null;
    this.curves = null;
  }

  show(metric, labels) {
    if (labels.length < 2) {
      replace(this.node);
      this.metric = null;
      this.curves = null;
      return;
    }
    if (this.metric === metric) return;
    this.metric = metric;
    this.inside = h("div", null, h("p", { class: "muted" }, "Reading every class…"));
    this.curves = null;
    const box = h("details", { class: "panel" }, h("summary", null, `All ${labels.length} classes, the one that needs most first`), this.inside);
    box.addEventListener("toggle", async () => {
      if (!box.open || this.curves) return;
      try {
        const answer = await get(`/jobs/${this.id}/curves`, { metric }, this.signal);
        if (this.metric !== metric) return;
        this.curves = answer.items.map((item) => new Curve(item, answer.reading));
        this.answer();
      } catch (error) {
        if (!this.signal.aborted) replace(this.inside, problemBox(error));
      }
    });
    replace(this.node, box);
  }

  answer() {
    if (!this.curves) return;
    const { target, n } = this.chosen;
    const rows = this.curves
      .map((curve) => ({ curve, now: curve.value(curve.nMax), then: curve.value(n), needed: curve.needed(target) }))
      .sort((a, b) => (b.needed.n ?? Infinity) - (a.needed.n ?? Infinity) || (a.now - b.now) * (a.curve.maximize ? 1 : -1));
    const open = (label) => h("button", { type: "button", class: "link", onclick: () => this.choose(this.metric, String(label)) }, String(label));
    const needs = ({ curve, needed }) => (needed.n !== null ? count(needed.n) : needed.status === "unreachable" ? STATUS.unreachable : `> ${count(curve.horizon)}`);
    replace(
      this.inside,
      table(
        ["Class", "Now", `At ${count(n)}`, `Samples for ${number(target)}`],
        rows.map((row) => [open(row.curve.label), number(row.now), number(row.then), needs(row)]),
        { caption: `${this.metric} of every class`, numeric: [1, 2, 3] },
      ),
    );
  }
}
