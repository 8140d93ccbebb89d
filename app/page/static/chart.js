// The learning curve as SVG: sizes on a log axis, values on an even one, or on the curve's own scale.

import { count, h, number, plural, replace, s, shortCount, signed, times } from "./dom.js";

const TOP = 30;
const BOTTOM = 46;
// So many pixels from a measured size it is the one that is meant.
const SNAP = 7;
const { log2, min, max, abs, floor, ceil } = Math;

function niceTicks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((f) => f * power).find((f) => f >= rough) ?? rough;
  const ticks = [];
  for (let k = ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) ticks.push(k * step);
  return ticks;
}

// Round values on the curve's own scale: near a bound they lie ever closer to it.
function linkTicks(link, values, most) {
  const [low, high] = [min(...values), max(...values)];
  const steps = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];
  const shares = link.kind === "logit" ? [...steps, ...steps.map((c) => 1 - c)] : Array.from({ length: 37 }, (_, k) => [1, 2, 5][k % 3] * 10 ** (floor(k / 3) - 6));
  const inside = [...new Set(shares.map((c) => Number((link.origin + link.sign * link.unit * (link.kind === "logit" ? c : (c / link.unit) * (link.away ? -1 : 1))).toPrecision(9))))].filter((v) => v >= low && v <= high).sort((a, b) => a - b);
  return inside.filter((_, k) => k % ceil(inside.length / most) === 0);
}

function logTicks(low, high, most) {
  const all = [];
  for (let power = floor(Math.log10(low)); power <= ceil(Math.log10(high)); power++)
    for (const f of [1, 2, 5]) all.push(f * 10 ** power);
  const inside = all.filter((n) => n >= low * 0.999 && n <= high * 1.001);
  if (inside.length <= most) return inside;
  const powers = inside.filter((n) => abs(Math.log10(n) % 1) < 1e-9);
  return powers.length >= 2 ? powers : inside.filter((_, k) => k % 2 === 0);
}

// Where no round number lies, the sizes themselves say where one is.
function sizeTicks(low, high, most, sizes) {
  const ticks = logTicks(low, high, most);
  return ticks.length ? ticks : [...new Set(sizes)].slice(-most);
}

function tickText(value, ticks) {
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : 1;
  if (abs(value) >= 1e5 || (value !== 0 && step < 1e-4)) return value.toExponential(1);
  return value.toFixed(max(0, -floor(Math.log10(step) + 1e-9)));
}

// Sizes at which a curve is drawn: even in log n, and at every knot, so that corners are where they are.
export function drawnSizes(curve, low, high, count = 120) {
  const from = log2(low);
  const to = log2(high);
  const even = Array.from({ length: count + 1 }, (_, k) => from + ((to - from) * k) / count);
  const knots = curve.fit.log2_n.filter((x) => x > from && x < to);
  return [...even, ...knots].sort((a, b) => a - b).map((x) => 2 ** x);
}

// A chart in `holder`, redrawn when its width changes.
//
// series: [{ name, curve, points: [{n, value, run}], means: [{n, mean, sd}], index }]
export class Chart {
  constructor(holder, { label, onPick } = {}) {
    this.holder = holder;
    this.label = label;
    this.onPick = onPick;
    this.series = [];
    this.steps = [];
    this.marks = {};
    this.width = 0;
    this.observer = new ResizeObserver(() => {
      const width = floor(holder.clientWidth);
      if (width && width !== this.width) {
        this.width = width;
        this.draw();
      }
    });
    this.observer.observe(holder);
  }

  stop() {
    this.observer.disconnect();
  }

  // xStart, xEnd: the sizes shown; by default from the smallest to a little past the largest measured one.
  // steps: sizes that have their place though nothing is measured there yet.
  // link: the scale on which the values are even; by default their own.
  show(series, { xStart, xEnd, bounds, ceiling = null, steps = [], link = null } = {}) {
    Object.assign(this, { series, xStart, xEnd, bounds, ceiling, steps, link });
    this.width = floor(this.holder.clientWidth) || this.width;
    if (this.width) this.draw();
  }

  scales() {
    const { series, width } = this;
    const narrow = width < 520;
    const height = narrow ? 300 : 420;
    const sizes = series.flatMap((one) => [
      ...one.means.filter((m) => m.mean !== null).map((m) => m.n),
      ...one.points.map((p) => p.n),
      ...(one.curve ? [one.curve.nMin] : this.steps),
    ]);
    const low = sizes.length ? min(...sizes) : 1;
    const measured = sizes.length ? max(...sizes) : 10;
    const xLow = max(this.xStart ?? 0, low / 1.15);
    const xHigh = max(this.xEnd ?? measured, measured * 1.15, xLow * 2);
    const values = series.flatMap((one) => {
      const own = [
        ...one.points.filter((p) => p.n >= xLow).map((p) => p.value),
        ...one.means.filter((m) => m.mean !== null && m.n >= xLow).flatMap((m) => [m.mean - (m.sd ?? 0), m.mean + (m.sd ?? 0)]),
        ...(one.train ?? []).filter((m) => m.n >= xLow).map((m) => m.mean),
      ];
      if (!one.curve) return own;
      const ends = [0, 0.25, 0.5, 0.75, 1].map((t) => 2 ** (log2(one.curve.nMax) + t * (log2(xHigh) - log2(one.curve.nMax))));
      return [...own, ...ends.flatMap((n) => Object.values(one.curve.interval(n)))];
    }).filter(Number.isFinite);
    let [yLow, yHigh] = values.length ? [min(...values), max(...values)] : [0, 1];
    if (yHigh - yLow < 1e-9 * max(abs(yHigh), 1e-9)) [yLow, yHigh] = [yLow - (abs(yLow) * 0.05 || 0.5), yHigh + (abs(yHigh) * 0.05 || 0.5)];
    const room = 0.06 * (yHigh - yLow);
    const [floorAt, ceilAt] = this.bounds ?? [null, null];
    // A little beyond a bound, so that a curve along it is not cut in half by the frame.
    yLow = floorAt === null ? yLow - room : max(yLow - room, floorAt - 0.01 * (yHigh - yLow));
    yHigh = ceilAt === null ? yHigh + room : min(yHigh + room, ceilAt + 0.03 * (yHigh - yLow));
    const ends = this.link && [yLow, yHigh].map((v) => this.link.z(v));
    const yTicks = this.link ? linkTicks(this.link, [yLow, yHigh], narrow ? 6 : 9) : niceTicks(yLow, yHigh, narrow ? 5 : 7);
    const texts = this.link ? yTicks.map((t) => `${Number(t.toPrecision(6))}`) : yTicks.map((t) => tickText(t, yTicks));
    const left = 14 + max(...texts.map((t) => t.length), 2) * 7.4;
    const right = 12;
    const plotWidth = width - left - right;
    const plotHeight = height - TOP - BOTTOM;
    const x = (n) => left + ((log2(n) - log2(xLow)) / (log2(xHigh) - log2(xLow))) * plotWidth;
    const share = ends ? (v) => (this.link.z(v) - ends[0]) / (ends[1] - ends[0]) : (v) => (v - yLow) / (yHigh - yLow);
    const y = (v) => TOP + (1 - min(max(share(v), -1), 2)) * plotHeight;
    const n = (px) => 2 ** (log2(xLow) + ((px - left) / plotWidth) * (log2(xHigh) - log2(xLow)));
    return { x, y, n, left, right, width, height, plotWidth, plotHeight, xLow, xHigh, yLow, yHigh, yTicks, texts, narrow, sizes: [...new Set(sizes)] };
  }

  draw() {
    const k = this.scales();
    this.k = k;
    const bottom = TOP + k.plotHeight;
    const right = k.left + k.plotWidth;
    const clip = `clip-${(Chart.count = (Chart.count ?? 0) + 1)}`;
    const inside = s("g", { "clip-path": `url(#${clip})` });
    const frame = s("g", { class: "axes" });
    const fitted = this.series.filter((one) => one.curve);
    const nMax = fitted.length ? max(...fitted.map((one) => one.curve.nMax)) : null;

    if (nMax !== null && nMax < k.xHigh) {
      const at = k.x(nMax);
      frame.append(
        s("rect", { class: "beyond", x: at, y: TOP, width: max(right - at, 0), height: k.plotHeight }),
        s("line", { class: "edge", x1: at, x2: at, y1: TOP - 6, y2: bottom }),
        s("text", { class: "region", x: at - 8, y: TOP - 10, "text-anchor": "end" }, "measured"),
        right - at > 70 && s("text", { class: "region", x: at + 8, y: TOP - 10 }, "projected"),
      );
      const reliable = max(...fitted.map((one) => one.curve.reliable));
      if (reliable < k.xHigh / 1.05)
        frame.append(
          s("rect", { class: "guess", x: k.x(reliable), y: TOP, width: right - k.x(reliable), height: k.plotHeight }),
          right - k.x(reliable) > 60 && s("text", { class: "region", x: right, y: TOP - 10, "text-anchor": "end" }, "a guess"),
        );
    }
    for (const [i, value] of k.yTicks.entries()) {
      const at = k.y(value);
      if (at < TOP - 1 || at > bottom + 1) continue;
      frame.append(
        s("line", { class: "grid", x1: k.left, x2: right, y1: at, y2: at }),
        s("text", { class: "tick", x: k.left - 8, y: at + 4, "text-anchor": "end" }, k.texts[i]),
      );
    }
    for (const n of sizeTicks(k.xLow, k.xHigh, k.narrow ? 5 : 11, k.sizes)) {
      const at = k.x(n);
      frame.append(
        s("line", { class: "grid", x1: at, x2: at, y1: TOP, y2: bottom }),
        s("text", { class: "tick", x: at, y: bottom + 18, "text-anchor": "middle" }, shortCount(n)),
      );
    }
    frame.append(
      s("line", { class: "axis", x1: k.left, x2: right, y1: bottom, y2: bottom }),
      s("text", { class: "axis-name", x: right, y: bottom + 38, "text-anchor": "end" }, "training samples (log scale)"),
      ...(this.series.length === 1 ? [s("text", { class: "axis-name strong", x: 2, y: TOP - 16 }, `${this.series[0].name}${this.link ? ` (${this.link.kind} scale)` : ""}`)] : []),
    );

    const named = s("g"); // over the curves, so that it can be read
    if (this.ceiling !== null && this.ceiling >= k.yLow && this.ceiling <= k.yHigh) {
      const at = k.y(this.ceiling);
      inside.append(s("line", { class: "ceiling", x1: k.left, x2: right, y1: at, y2: at }));
      named.append(s("text", { class: "label", x: right - 6, y: at < TOP + 18 ? at + 26 : at - 6, "text-anchor": "end" }, `levels off near ${number(this.ceiling)}`));
    }
    const path = (points) => points.map(([n, v], i) => `${i ? "L" : "M"}${k.x(n).toFixed(1)} ${k.y(v).toFixed(1)}`).join("");
    for (const one of this.series) {
      const colour = `series-${one.index ?? 0}`;
      if (one.train?.length) {
        inside.append(s("path", { class: "train", d: path(one.train.map((m) => [m.n, m.mean])) }), ...one.train.map((m) => s("circle", { class: "train-dot", cx: k.x(m.n).toFixed(1), cy: k.y(m.mean).toFixed(1), r: 2.5 })));
      }
      if (one.curve) {
        const sizes = drawnSizes(one.curve, one.curve.nMin, k.xHigh);
        for (const level of [0.95, 0.5]) {
          const ends = sizes.map((n) => one.curve.interval(n, level));
          const around = path([...sizes.map((n, i) => [n, ends[i].upper]), ...sizes.map((n, i) => [n, ends[i].lower]).reverse()]);
          inside.append(s("path", { class: `band band-${level * 100} ${colour}`, d: `${around}Z` }));
        }
        const line = sizes.map((n) => [n, one.curve.value(n)]);
        inside.append(
          s("path", { class: `curve ${colour}`, d: path(line.filter(([n]) => n <= one.curve.nMax * 1.0000001)) }),
          s("path", { class: `curve ahead ${colour}`, d: path(line.filter(([n]) => n >= one.curve.nMax * 0.9999999)) }),
        );
      }
      for (const point of one.points)
        inside.append(s("circle", { class: `run ${colour}`, cx: k.x(point.n).toFixed(1), cy: k.y(point.value).toFixed(1), r: 2 }));
      for (const { n, mean, sd } of one.means) {
        if (mean === null) continue;
        const at = k.x(n);
        if (sd !== null) {
          const [a, b] = [k.y(mean - sd), k.y(mean + sd)];
          inside.append(s("path", { class: `spread ${colour}`, d: `M${at - 3} ${a}h6M${at} ${a}V${b}M${at - 3} ${b}h6` }));
        }
        inside.append(s("circle", { class: `mean ${colour}`, cx: at, cy: k.y(mean), r: 3.5 }));
      }
    }
    this.marked = s("g", { class: "marks" });
    this.pointed = s("g", { class: "pointed" });
    const surface = s("rect", { class: "surface", x: k.left, y: TOP, width: k.plotWidth, height: k.plotHeight });
    for (const moved of ["pointermove", "pointerdown"]) surface.addEventListener(moved, (event) => this.point(event));
    surface.addEventListener("pointerleave", () => replace(this.pointed));
    surface.addEventListener("click", (event) => this.onPick?.(k.n(this.offset(event))));
    replace(
      this.holder,
      s(
        "svg",
        { viewBox: `0 0 ${k.width} ${k.height}`, width: k.width, height: k.height, role: "img", "aria-label": this.label },
        s("defs", null, s("clipPath", { id: clip }, s("rect", { x: k.left, y: TOP - 4, width: k.plotWidth, height: k.plotHeight + 8 }))),
        frame,
        inside,
        named,
        this.marked,
        this.pointed,
        surface,
      ),
    );
    this.mark(this.marks);
  }

  offset(event) {
    const box = this.holder.firstElementChild.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * this.k.width;
  }

  // Everything that is known at the size pointed at; near a measured one, of that one.
  point(event) {
    const { k } = this;
    const pointed = max(1, k.n(this.offset(event)));
    const near = k.sizes.filter((n) => abs(k.x(n) - k.x(pointed)) <= SNAP).sort((a, b) => abs(k.x(a) - k.x(pointed)) - abs(k.x(b) - k.x(pointed)));
    const n = near[0] ?? pointed;
    const told = this.series.map((one) => this.told(one, n)).filter((one) => one.lines.length);
    if (!told.length) return replace(this.pointed);
    const lines = [
      [`${count(Math.round(n))} samples${told.some((one) => one.far) ? ", projected" : ""}`, true],
      ...told.flatMap((one) => [...(this.series.length > 1 ? [[one.name, true]] : []), ...one.lines.map((line) => [line, false])]),
    ];
    const wide = min(max(...lines.map(([line]) => line.length)) * 6.4 + 18, k.width - 4);
    const high = lines.length * 17 + 10;
    const x = k.x(n);
    const left = min(max(x + 12 + wide > k.width ? x - wide - 12 : x + 12, 2), k.width - wide - 2);
    const top = max(2, TOP + k.plotHeight - high - 10);
    replace(
      this.pointed,
      s("line", { class: "cross", x1: x, x2: x, y1: TOP, y2: TOP + k.plotHeight }),
      told.map((one) => one.at !== null && s("circle", { class: `dot series-${one.index}`, cx: x, cy: k.y(one.at), r: 4 })).filter(Boolean),
      s("rect", { class: "tip", x: left, y: top, width: wide, height: high, rx: 5 }),
      lines.map(([line, strong], i) => s("text", { class: strong ? "tip-text strong" : "tip-text", x: left + 9, y: top + 18 + i * 17 }, line)),
    );
  }

  // What is known of one curve at a size: what was measured there, the curve with its intervals, what it would bring.
  told(one, n) {
    const lines = [];
    const mean = one.means.find((m) => m.n === n && m.mean !== null);
    const train = one.train?.find((m) => m.n === n);
    const alone = this.series.length === 1;
    if (mean && alone) lines.push(`measured ${number(mean.mean)}${mean.sd === null ? "" : ` ± ${number(mean.sd)}`}${mean.runs ? `, ${plural(mean.runs, "run")}` : ""}`);
    if (train && alone) lines.push(`on its training items ${number(train.mean)}`);
    const inside = one.curve && n >= one.curve.nMin;
    const p = inside ? one.curve.project(n) : null;
    if (p) {
      const half = one.curve.interval(n, 0.5);
      lines.push(`${alone ? "curve " : ""}${number(p.value)}, 95 %: ${number(p.lower)} to ${number(p.upper)}`);
      if (alone) lines.push(`50 %: ${number(half.lower)} to ${number(half.upper)}`);
      if (alone && n > one.curve.nMax) lines.push(`${signed(p.value - one.curve.value(one.curve.nMax))} for ${times(n / one.curve.nMax)} the data`);
    }
    return { name: one.name, index: one.index ?? 0, at: p?.value ?? mean?.mean ?? null, far: Boolean(p) && n > one.curve.nMax, lines };
  }

  // marks: { target: {value, answer}, sample: {n, value, lower, upper}, crossings: [{n, value, lower, upper}] }
  mark(marks) {
    this.marks = marks;
    if (!this.k) return;
    const { k } = this;
    const bottom = TOP + k.plotHeight;
    const right = k.left + k.plotWidth;
    const made = [];
    const { target, sample, crossings = [] } = marks;
    for (const crossing of crossings) {
      if (crossing.n < k.xLow || crossing.n > k.xHigh) continue;
      const x = k.x(crossing.n);
      const left = crossing.lower === null ? k.left : k.x(max(crossing.lower, k.xLow));
      const end = crossing.upper === null ? right : min(k.x(crossing.upper), right);
      made.push(
        s("line", { class: "target", x1: x, x2: x, y1: k.y(crossing.value), y2: bottom }),
        s("path", { class: "needs", d: `M${left} ${bottom - 5}v10M${left} ${bottom}H${end}m0 -5v10` }),
        s("circle", { class: "crossing", cx: x, cy: k.y(crossing.value), r: 6 }),
        s("text", { class: "label strong", x: x + 8, y: bottom - 10 }, `cross at ${shortCount(crossing.n)}`),
      );
    }
    if (target) {
      const at = k.y(target.value);
      const { n, lower, upper } = target.answer;
      const inside = at >= TOP - 1 && at <= bottom + 1;
      if (inside)
        made.push(
          s("line", { class: "target", x1: k.left, x2: right, y1: at, y2: at }),
          s("text", { class: "label strong", x: k.left + 6, y: at < TOP + 20 ? at + 15 : at - 6 }, `target ${number(target.value)}`),
        );
      if (n !== null && n <= k.xHigh && inside) made.push(s("line", { class: "target", x1: k.x(n), x2: k.x(n), y1: at, y2: bottom }));
      if (lower !== null && lower <= k.xHigh) {
        const a = k.x(max(lower, k.xLow));
        const open = upper === null || upper > k.xHigh;
        const b = open ? right : k.x(upper);
        made.push(s("path", { class: "needs", d: `M${a} ${bottom - 5}v10M${a} ${bottom}H${b}${open ? "l-6 -5m6 5l-6 5" : "m0 -5v10"}` }));
      }
      if (n !== null && n <= k.xHigh) made.push(s("circle", { class: "needs-dot", cx: k.x(n), cy: bottom, r: 4.5 }));
    }
    if (sample && sample.n <= k.xHigh && sample.n >= k.xLow) {
      const x = k.x(sample.n);
      made.push(
        s("line", { class: "sample", x1: x, x2: x, y1: TOP, y2: bottom }),
        s("path", { class: "sample-range", d: `M${x - 5} ${k.y(sample.upper)}h10M${x} ${k.y(sample.upper)}V${k.y(sample.lower)}M${x - 5} ${k.y(sample.lower)}h10` }),
        s("circle", { class: "sample-dot", cx: x, cy: k.y(sample.value), r: 5 }),
      );
    }
    replace(this.marked, made);
  }
}

export function legend(series) {
  return h(
    "ul",
    { class: "legend" },
    series.map((one) => h("li", null, h("span", { class: `swatch series-${one.index ?? 0}`, "aria-hidden": "true" }), one.name)),
  );
}

// What the marks of one curve's picture mean.
export function key({ fitted, train }) {
  const entry = (kind, text) => h("li", null, h("span", { class: `swatch key-${kind} series-0`, "aria-hidden": "true" }), text);
  return h(
    "ul",
    { class: "legend" },
    entry("mean", "mean of the runs ± SD"),
    entry("run", "one run"),
    fitted && [entry("curve", "curve, dashed where it is projected"), entry("inner", "50 % interval: half the time the mean comes to lie in it"), entry("outer", "95 % interval")],
    train && entry("train", "on its own training items"),
  );
}
