// The two questions, each a slider with a field: "if I had n samples" and "to reach a target"; both answer at once.

import { count, h, number, percent, plural, replace, sentenceCase, STATUS, times } from "../../dom.js";

const STEPS = 1000;

export class Questions {
  // `chosen` has what is asked, n and target, and is kept up to date; `answered` gets the marks for the chart.
  constructor(chosen, answered) {
    Object.assign(this, { chosen, answered });
    this.node = h("div", { class: "split" });
    this.asked = null;
  }

  show(curve, metric, label, means) {
    Object.assign(this, { curve, metric });
    if (!curve) {
      this.asked = null;
      replace(this.node);
      return;
    }
    const { chosen } = this;
    const worst = (curve.maximize ? Math.min : Math.max)(...means);
    const ends = curve.interval(curve.horizon, 0.5);
    const best = curve.maximize ? ends.upper : ends.lower;
    this.range = { n: [Math.log2(curve.nMin), Math.log2(curve.horizon)], z: [curve.link.z(worst), curve.link.z(best)] };
    if (this.range.z[0] - this.range.z[1] < 1e-6) this.range.z[1] = this.range.z[0] - 1;
    chosen.n ??= Math.round(curve.nMax * 2);
    chosen.target ??= this.suggestTarget();
    if (this.asked === `${metric}/${label}`) {
      this.answer();
      return;
    }
    this.asked = `${metric}/${label}`;
    const slider = (name, text) => h("input", { type: "range", min: 0, max: STEPS, step: 1, id: `${name}-slider`, "aria-label": text });
    this.nSlider = slider("n", "If I had so many samples");
    this.nInput = h("input", { type: "number", min: 1, max: 2 ** 53, step: 1, id: "n-input", inputmode: "numeric" });
    this.nOut = h("output", { for: "n-slider n-input" });
    this.tSlider = slider("target", `Target for ${this.metric}`);
    this.tInput = h("input", { type: "number", step: "any", id: "t-input", inputmode: "decimal" });
    this.tOut = h("output", { for: "target-slider t-input" });
    this.nSlider.addEventListener("input", () => {
      const [low, high] = this.range.n;
      this.setSample(toThreeDigits(2 ** (low + (this.nSlider.value / STEPS) * (high - low))), this.nSlider);
    });
    this.nInput.addEventListener("input", () => this.nInput.value >= 1 && this.setSample(Math.round(this.nInput.value), this.nInput));
    this.tSlider.addEventListener("input", () => {
      const [low, high] = this.range.z;
      this.setTarget(this.roundTarget(this.curve.link.value(low + (this.tSlider.value / STEPS) * (high - low))), this.tSlider);
    });
    this.tInput.addEventListener("input", () => this.tInput.value !== "" && this.setTarget(Number(this.tInput.value), this.tInput));
    replace(
      this.node,
      h("div", { class: "ask" }, h("div", { class: "line" }, h("label", { for: "n-input" }, "If I had"), this.nInput, h("span", null, "samples")), this.nSlider, this.nOut),
      h("div", { class: "ask" }, h("div", { class: "line" }, h("label", { for: "t-input" }, "To reach"), this.tInput, h("span", { class: "muted" }, curve.maximize ? "or more" : "or less")), this.tSlider, this.tOut),
    );
    this.answer();
  }

  suggestTarget() {
    const { curve } = this;
    return this.roundTarget(curve.value(curve.nMax * 4));
  }

  // To the digits that matter: fewer far from the bound, more near it.
  roundTarget(value) {
    const [low, high] = this.curve.bounds;
    const room = Math.min(...[low, high].filter((b) => b !== null).map((b) => Math.abs(value - b)), Math.abs(value) || 1);
    const digits = Math.min(6, Math.max(2, 1 - Math.floor(Math.log10(room || 1e-6))));
    return Number(value.toFixed(digits));
  }

  setSample(n, from) {
    if (!this.curve) return;
    this.chosen.n = Math.max(1, n);
    this.answer(from);
  }

  setTarget(value, from) {
    if (!Number.isFinite(value)) return;
    this.chosen.target = value;
    this.answer(from);
  }

  answer(from) {
    const { curve, chosen } = this;
    const share = (x, [low, high]) => Math.round(Math.min(1, Math.max(0, (x - low) / (high - low))) * STEPS);
    if (from !== this.nSlider) this.nSlider.value = share(Math.log2(chosen.n), this.range.n);
    if (from !== this.nInput) this.nInput.value = chosen.n;
    if (from !== this.tSlider) this.tSlider.value = share(curve.link.z(chosen.target), this.range.z);
    if (from !== this.tInput) this.tInput.value = chosen.target;

    const point = curve.project(chosen.n);
    const range = (of) => {
      const ends = curve.interval(chosen.n, 0.95, of);
      return `${number(ends.lower)} to ${number(ends.upper)}`;
    };
    const far = chosen.n > curve.reliable ? "; so far out, this is a guess" : "";
    const where = point.measured ? "within what was measured" : chosen.n > curve.nMax ? `projected, ${times(chosen.n / curve.nMax)} what was measured${far}` : "below what was measured";
    replace(
      this.nOut,
      h("b", null, `${this.metric} ${number(point.value)}`),
      h("br"),
      `95 % interval of the mean over runs, on this test split: ${range("mean")}; of one new training: ${range("one_training")}`,
      curve.knowsPopulation && [h("br"), `of the mean on all data that the test split was drawn from: ${range("population")}`],
      h("br"),
      h("span", { class: "muted" }, where),
    );
    this.nSlider.setAttribute("aria-valuetext", `${count(chosen.n)} samples: ${number(point.value)}, ${number(point.lower)} to ${number(point.upper)}`);

    const [low, high] = curve.bounds;
    const outside = (low !== null && chosen.target < low) || (high !== null && chosen.target > high);
    let needed = null;
    if (outside) {
      replace(this.tOut, h("b", null, "Not a value of this metric"), h("br"), `It lies between ${low ?? "−∞"} and ${high ?? "∞"}.`);
    } else {
      needed = curve.needed(chosen.target);
      const { bound } = this;
      const forbidden = bound && chosen.target > bound.best;
      const alike = !forbidden && bound?.alike && chosen.target > bound.alike.highest;
      const text = forbidden ? [sentenceCase(STATUS.unreachable), `No model has more than ${number(bound.best)} of this test split right: ${count(bound.unavoidable)} of its ${plural(bound.items, "item")} contradict the labels of others that are alike.`] : this.needs(needed);
      if (alike) text.push(`With 95 % confidence a model that answers nearly alike items alike has no more than ${number(bound.alike.highest)} of such data right.`);
      replace(this.tOut, h("b", null, text[0]), text.slice(1).flatMap((line) => [h("br"), line]));
      this.tSlider.setAttribute("aria-valuetext", `target ${number(chosen.target)}: ${text[0]}`);
    }
    this.answered({ sample: point, target: needed && { value: chosen.target, answer: needed } });
  }

  needs(a) {
    const range = a.lower === null ? null : `95 % interval from ${count(a.lower)} ${a.upper === null ? "on, with no end in reach" : `to ${count(a.upper)}`}`;
    const assured = a.n_assured === null ? null : `with ${count(a.n_assured)}, one new training meets it with probability ${percent(this.curve.reading.assurance)}`;
    const chance = a.probability < 0.995 ? `the chance that it is met at all within ${count(this.curve.horizon)} is ${percent(a.probability)}` : null;
    const rest = [[range, chance].filter(Boolean).join("; "), assured].filter(Boolean);
    if (a.status === "reached") return [`${plural(a.n, "sample")}, ${STATUS.reached}`, ...rest];
    if (a.status === "needs") return [`${plural(a.n, "sample")}, ${count(a.n - this.curve.nMax)} more`, ...rest];
    if (a.status === "beyond_horizon") return [`More than ${count(this.curve.horizon)} samples`, ...rest];
    if (a.status === "undetermined") return [sentenceCase(STATUS.undetermined)];
    return [sentenceCase(STATUS.unreachable), `The chance that any number of samples up to ${count(this.curve.horizon)} meets it is ${percent(a.probability)}.`];
  }
}

function toThreeDigits(n) {
  return Math.max(1, Math.round(Number(n.toPrecision(3))));
}
