// What to buy now, at what labels cost: the prices asked for, the answer, and what money buys.

import { get } from "../../api.js";
import { count, h, number, percent, problemBox, remarks, replace, table } from "../../dom.js";
import { reportLink } from "./downloads.js";

const FIELDS = [
  ["price", "Price of a label", { min: 0, step: "any" }],
  ["round_cost", "Cost of each purchase", { min: 0, step: "any", value: 0 }],
  ["rounds", "Purchases left", { min: 1, step: 1, value: 1 }],
  ["budget", "Budget in all", { min: 0, step: "any", placeholder: "none" }],
];
const MOST_ROWS = 8;

const money = (amount) => amount.toLocaleString("en-US", { maximumFractionDigits: Math.abs(amount) >= 100 || Number.isInteger(amount) ? 0 : 2 });

export class Decision {
  constructor(id, signal) {
    Object.assign(this, { id, signal });
    const input = (name, title, options) => {
      const wrong = h("span", { class: "wrong", id: `decide-${name}-wrong` });
      const control = h("input", { id: `decide-${name}`, name, type: "number", inputmode: "decimal", "aria-describedby": wrong.id, ...options });
      return h("div", { class: "field" }, h("label", { for: control.id }, title), control, wrong);
    };
    this.aim = h("select", { id: "decide-aim", onchange: () => this.choose() }, h("option", { value: "target" }, "A target has to be met"), h("option", { value: "value" }, "Every point is worth something"));
    this.ofTarget = [input("target", "Target", { step: "any" }), input("penalty", "Missing it costs", { min: 0, step: "any" })];
    this.ofValue = [input("value", "A point is worth", { min: 0, step: "any" })];
    this.out = h("div", { class: "stack", "aria-live": "polite" });
    this.form = h(
      "form",
      { class: "stack", novalidate: true, onsubmit: (event) => (event.preventDefault(), this.ask()) },
      h("div", { class: "fields" }, FIELDS.slice(0, 1).map((one) => input(...one)), h("div", { class: "field" }, h("label", { for: "decide-aim" }, "What it is for"), this.aim), this.ofTarget, this.ofValue, FIELDS.slice(1).map((one) => input(...one))),
      h("div", { class: "row" }, h("button", { type: "submit" }, "What to buy now"), h("span", { class: "muted small" }, "Money in any currency, the same throughout. A point is a hundredth of the metric's range.")),
    );
    this.node = h("section", { class: "panel stack", "aria-label": "Decision" }, h("h2", null, "What to buy"), this.form, this.out);
    this.choose();
  }

  // Of the metric that is shown.
  show(curve, metric, label, target) {
    this.node.hidden = !curve;
    if (!curve) return;
    const key = `${metric}/${label}`;
    if (key !== this.key) replace(this.out);
    Object.assign(this, { key, metric, label });
    const field = this.form.elements.target;
    if (field.value === "" || this.suggested === field.value) field.value = this.suggested = target === null ? "" : String(target);
  }

  choose() {
    for (const node of this.ofTarget) node.hidden = this.aim.value !== "target";
    for (const node of this.ofValue) node.hidden = this.aim.value !== "value";
  }

  async ask() {
    const given = (name) => this.form.elements[name].value.trim();
    const unused = this.aim.value === "target" ? ["value"] : ["target", "penalty"];
    const names = ["price", "round_cost", "rounds", "budget", "target", "penalty", "value"].filter((name) => !unused.includes(name) && given(name) !== "");
    const params = Object.fromEntries(names.map((name) => [name, name === "target" ? `${this.metric}:${given(name)}` : given(name)]));
    for (const wrong of this.form.querySelectorAll(".wrong")) this.mark(wrong, "");
    try {
      const key = this.key;
      const answer = await get(`/jobs/${this.id}/decision`, { ...params, metric: this.metric, class: this.label }, this.signal);
      if (key === this.key) this.draw(answer, params);
    } catch (error) {
      if (this.signal.aborted) return;
      let first = null;
      for (const { pointer, detail } of error.errors ?? []) {
        const wrong = this.form.querySelector(`#decide-${pointer.split(/[/.]/).pop()}-wrong`);
        if (!wrong) continue;
        this.mark(wrong, detail);
        first ??= wrong.parentElement.querySelector("input");
      }
      first?.focus();
      replace(this.out, problemBox(error));
    }
  }

  mark(wrong, detail) {
    wrong.textContent = detail;
    wrong.parentElement.querySelector("input").toggleAttribute("aria-invalid", detail !== "");
    if (detail) wrong.parentElement.querySelector("input").setAttribute("aria-invalid", "true");
  }

  // The report is of the job's own metric, unless a target names another.
  reported(terms) {
    return this.label === null && ("target" in terms || this.metric === this.primary);
  }

  draw(answer, terms) {
    const aim = answer.terms.target !== null;
    const every = Math.max(1, Math.ceil(answer.purchases.length / MOST_ROWS));
    const rows = answer.purchases.filter((one, k) => k % every === 0 || one.items === answer.buy);
    const { first } = answer;
    const worth = [`twice as many runs ${money(first.runs)}`, first.test_split === null ? null : `a test split four times as large ${money(first.test_split)}`].filter(Boolean).join(", ");
    replace(
      this.out,
      h("p", { class: "sentence decided" }, answer.sentence),
      this.reported(terms) && h("p", { class: "small" }, reportLink(this.id, "The report with this decision", terms)),
      h("p", { class: "muted small" }, `To know more first is worth at most: ${worth}.`),
      remarks(answer.warnings.filter((w) => w.code === "backtest_failed")),
      table(
        ["Bought at once", "Samples then", "Cost", aim ? "Chance of the target" : "Gain", "Loss"],
        rows.map((one) => [`${count(one.items)}${one.items === answer.buy ? " ◂" : ""}`, count(one.n), money(one.cost), aim ? percent(one.probability) : number(one.gain), money(one.loss)]),
        { caption: "What may be bought at once and never again", numeric: [0, 1, 2, 3, 4] },
      ),
      answer.frontier.length > 1 && h("details", null, h("summary", null, "What money buys, with the purchases that are left"), table(["Spent, on average", aim ? "Chance of the target" : "Gain", "To buy first"], answer.frontier.map((one) => [money(one.spend), aim ? percent(one.probability) : number(one.gain), count(one.items)]), { caption: "What money buys", numeric: [0, 1, 2] })),
    );
  }
}
