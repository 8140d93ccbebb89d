// Reads a fitted curve where the page is: the same numbers as project and inv_project, without asking for them.

const { exp, log, log2, sqrt, abs, min, max, hypot, sinh, asinh } = Math;

// Keeps the links finite at the bounds themselves; that of the service.
const EPSILON = 1e-3;
const FARTHEST = 30;

const clip = (x, low, high) => min(max(x, low), high);

function polynomial(x, ...coefficients) {
  return coefficients.reduce((sum, c) => sum * x + c, 0);
}

// Φ, to double precision (Hart's rational functions, as given by West, 2005).
export function normalCdf(x) {
  const z = abs(x);
  if (z > 37) return x > 0 ? 1 : 0;
  const density = exp((-z * z) / 2);
  let upper;
  if (z < 7.07106781186547) {
    upper =
      (density *
        polynomial(z, 3.52624965998911e-2, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871,
          221.213596169931, 220.206867912376)) /
      polynomial(z, 8.83883476483184e-2, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674,
        637.333633378831, 793.826512519948, 440.413735824752);
  } else {
    const tail = z + 1 / (z + 2 / (z + 3 / (z + 4 / (z + 0.65))));
    upper = density / tail / 2.506628274631;
  }
  return x > 0 ? 1 - upper : upper;
}

// Φ⁻¹, to double precision (Wichura's AS 241).
export function normalQuantile(p) {
  const q = p - 0.5;
  if (abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (
      (q *
        polynomial(r, 2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
          13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608)) /
      polynomial(r, 5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
        5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1)
    );
  }
  const r = sqrt(-log(q < 0 ? p : 1 - p));
  const far = r > 5;
  const x = r - (far ? 5 : 1.6);
  const value = far
    ? polynomial(x, 2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.2426609473880784386e-3,
        2.6532189526576123093e-2, 0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699,
        6.6579046435011037772) /
      polynomial(x, 2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
        7.868691311456132591e-4, 1.4875361290850615025e-2, 0.13692988092273580531, 0.59983220655588793769, 1)
    : polynomial(x, 7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
        3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734) /
      polynomial(x, 1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
        0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1);
  return q < 0 ? -value : value;
}

// The scale on which curves are fitted: z, lower is better.
export class Link {
  constructor(link) {
    Object.assign(this, link);
  }

  z(value) {
    const c = (this.sign * (value - this.origin)) / this.unit;
    if (this.kind === "logit") {
      const share = clip(c, 0, 1);
      return log((share + EPSILON) / (1 - share + EPSILON));
    }
    if (this.kind === "log") return this.away ? -log(max(-c, 0) + EPSILON) : log(max(c, 0) + EPSILON);
    return c;
  }

  value(z) {
    if (this.kind === "identity") return this.origin + this.sign * this.unit * z;
    const t = exp(clip(z, -FARTHEST, FARTHEST));
    let c;
    if (this.kind === "logit") c = clip((t * (1 + EPSILON) - EPSILON) / (1 + t), 0, 1);
    else if (this.away) c = -max(1 / t - EPSILON, 0);
    else c = max(t - EPSILON, 0);
    return this.origin + this.sign * this.unit * c;
  }
}

function interpolate(x, xs, ys) {
  const last = xs.length - 1;
  if (x <= xs[0]) return ys[0];
  if (x >= xs[last]) return ys[last];
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle;
    else high = middle;
  }
  return ((ys[high] - ys[low]) / (xs[high] - xs[low])) * (x - xs[low]) + ys[low];
}

// The first whole n at which the line through the knots is at or below the goal; null if never.
function firstCrossing(log2n, z, goal) {
  if (z[0] <= goal) return Math.round(2 ** log2n[0]);
  for (let k = 1; k < z.length; k++) {
    if (!(z[k] <= goal) || z[k - 1] <= goal) continue;
    const share = (z[k - 1] - goal) / (z[k - 1] - z[k]);
    const first = 2 ** (log2n[k - 1] + share * (log2n[k] - log2n[k - 1]));
    const whole = Math.round(first);
    const n = max(abs(first - whole) < 1e-9 * first ? whole : Math.ceil(first), 1);
    const slack = 1e-12 * (1 + abs(goal));
    if (interpolate(log2(n), log2n, z) <= goal + slack) return n;
    if (interpolate(log2(n + 1), log2n, z) <= goal + slack) return n + 1;
  }
  return null;
}

// One item of GET /jobs/{id}/curves by the calibrated method; `reading` is that answer's.
export class Curve {
  constructor(item, reading) {
    this.metric = item.metric;
    this.label = item.class;
    this.direction = item.direction;
    this.bounds = item.bounds;
    this.fit = item.fit;
    this.reading = reading;
    this.link = new Link(item.fit.link);
    this.nMin = item.fit.n_min;
    this.nMax = item.fit.n_max;
    this.maximize = item.direction === "maximize";
    this.quantiles = new Map();
  }

  quantileZ(q, of = "mean") {
    const key = `${q}/${of}`;
    if (!this.quantiles.has(key)) {
      const u = normalQuantile(q);
      const { z, below, above, tail } = this.fit;
      const width = u < 0 ? below : above;
      const noise = { one_training: this.fit.run, population: this.fit.test }[of];
      this.quantiles.set(
        key,
        z.map((centre, k) => centre + ((noise ? hypot(width[k], noise[k]) : width[k]) * sinh(tail[k] * u)) / tail[k]),
      );
    }
    return this.quantiles.get(key);
  }

  read(n, z) {
    const [low, high] = this.bounds;
    return clip(this.link.value(interpolate(log2(n), this.fit.log2_n, z)), low ?? -Infinity, high ?? Infinity);
  }

  value(n) {
    return this.read(n, this.fit.z);
  }

  // Whether it is known what the test split's own chance adds.
  get knowsPopulation() {
    return Boolean(this.fit.test);
  }

  // The ends of the interval: of the `mean` over as many runs as were measured, of `one_training`, or of the mean on the
  // `population` that the test split was drawn from.
  interval(n, level = 0.95, of = "mean") {
    const tail = 0.5 - level / 2;
    const ends = [tail, 1 - tail].map((q) => this.read(n, this.quantileZ(this.link.sign === 1 ? q : 1 - q, of)));
    return { lower: ends[0], upper: ends[1] };
  }

  project(n, level = 0.95, of = "mean") {
    return { n, value: this.value(n), ...this.interval(n, level, of), measured: this.nMin <= n && n <= this.nMax };
  }

  probabilityAtMost(goal) {
    const { z, below, above, tail } = this.fit;
    return z.map((centre, k) => {
      const width = goal < centre ? below[k] : above[k];
      return normalCdf(asinh((tail[k] * (goal - centre)) / width) / tail[k]);
    });
  }

  // How many items a target needs: the answer of inv_project.
  needed(target, level = 0.95) {
    const goal = this.link.z(target);
    const { log2_n: all, z } = this.fit;
    const first = log2(this.nMin) - 1e-9;
    const last = log2(this.nMax);
    const end = log2(this.nMax * this.reading.horizon) + 1e-9;
    const measured = (x) => x >= first && x <= last + 1e-9;
    const ahead = (x) => x >= last - 1e-9 && x <= end;
    // What no measured mean meets can be met only from the largest measured size on.
    const met = all.some((x, k) => measured(x) && z[k] <= goal);
    const within = all.map((x) => ahead(x) || (met && measured(x)));
    const only = (values) => values.filter((_, k) => within[k]);
    const log2n = only(all);
    const probability = max(...only(this.probabilityAtMost(goal)));
    const crossing = (q, of = "mean") => firstCrossing(log2n, only(this.quantileZ(q, of)), goal);
    const n = crossing(0.5);
    let status = "unreachable";
    if (n !== null) status = n <= this.nMax ? "reached" : "needs";
    else if (probability >= this.reading.least_probability) status = "beyond_horizon";
    let lower = crossing(0.5 - level / 2);
    // At the largest measured size it was measured not to be.
    if (status !== "reached" && lower !== null) lower = max(lower, Math.floor(this.nMax) + 1);
    return {
      target,
      status,
      n,
      lower,
      upper: crossing(0.5 + level / 2),
      probability,
      n_assured: crossing(this.reading.assurance, "one_training"),
    };
  }

  get horizon() {
    return this.nMax * this.reading.horizon;
  }

  get reliable() {
    return this.nMax * this.reading.reliable;
  }
}
