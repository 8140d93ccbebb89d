// Elements and words. Everything from outside becomes a text node or an attribute, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && ["value", "checked", "disabled", "selected", "htmlFor", "hidden"].includes(name))
      node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

export function replace(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

// Words and numbers, by the rules of the command line: sufficiency/schemas/text.py has the same.

export const STOPPED = { decided: "the question is decided", budget: "the budget pays for no further cell", grid: "every run is measured at every step" };
export const WORTH = { yes: "more data is worth it", no: "more data is hardly worth it", unclear: "whether more data is worth it cannot be told yet" };
export const STATUS = { reached: "measured", unreachable: "out of reach", undetermined: "cannot be told" };

export function sentenceCase(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function count(n) {
  return n === null || n === undefined ? "–" : n.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

// As short as an axis wants it: 25, 1k, 2.5M.
export function shortCount(n) {
  for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]])
    if (n >= unit) return `${+(n / unit).toPrecision(3)}${name}`;
  return `${+n.toPrecision(3)}`;
}

export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const text = () => {
    if (size !== 0 && (size >= 1e5 || size < 1e-4)) return value.toExponential(2);
    if (size !== 0 && size < 1e-3) return value.toFixed(5);
    if (size >= 10) return `${+value.toPrecision(5)}`;
    return value.toFixed(4);
  };
  return text().replace(/^-/, "−");
}

export function signed(value) {
  return value < 0 ? number(value) : `+${number(value)}`;
}

// How many times as much.
export function times(factor) {
  return `${+factor.toPrecision(3)}×`;
}

export function percent(share) {
  if (share > 0.99 && share < 1) return "> 99 %";
  if (share < 0.01 && share > 0) return "< 1 %";
  return `${Math.round(share * 100)} %`;
}

export function size(bytes) {
  for (const [unit, name] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) if (bytes >= unit) return `${+(bytes / unit).toPrecision(3)} ${name}`;
  return `${bytes} bytes`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86400).toFixed(1)} days`;
}

// The service's clock: its times are told apart from those of a machine whose own is wrong.
export const clock = {
  ahead: 0,
  now: () => Date.now() + clock.ahead,
  hear(date) {
    const told = Date.parse(date);
    // It is told in whole seconds, half of one late on average.
    if (Number.isFinite(told) && Math.abs(told + 500 - clock.now()) > 1500) clock.ahead = told + 500 - Date.now();
  },
};

// How long something takes that is not over: to the second, so that it is seen to go on.
export function elapsed(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  return [days && `${days} d`, (days || hours) && `${hours} h`, (days || hours || minutes) && `${minutes} min`, !days && !hours && `${whole % 60} s`].filter(Boolean).join(" ");
}

export function ago(text) {
  const seconds = (clock.now() - new Date(text)) / 1000;
  return seconds < 5 ? "just now" : `${duration(seconds)} ago`;
}

// A sentence of a docstring, with `names` set as code.
export function prose(text) {
  return text.split(/`+([^`]+)`+/).map((part, k) => (k % 2 ? h("code", null, part) : part));
}

// What is to be known of an answer, or of what was planned, one by one.
export function remarks(warnings, word = "Note. ") {
  return warnings.map((w) => h("p", { class: "note warn" }, h("strong", null, word), prose(w.detail ?? JSON.stringify(w))));
}

export function time(text) {
  return h("time", { datetime: text, title: new Date(text).toLocaleString() }, ago(text));
}

export function plural(n, one, many = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

export const STATES = {
  queued: "Queued",
  running: "Running",
  completed: "Completed",
  failed: "Failed",
  cancelling: "Cancelling",
  cancelled: "Cancelled",
};
export const ENDED = new Set(["completed", "failed", "cancelled"]);

// What a job is called.
export function titleOf(job) {
  return job.name || `${job.spec.model.name} on ${job.spec.dataset}`;
}

export function badge(state) {
  return h("span", { class: `badge state-${state}` }, STATES[state] ?? sentenceCase(state));
}

export function problemBox(error) {
  return h("div", { class: "note bad", role: "alert" }, h("strong", null, error.title ?? "It did not work"), " ", error.message);
}

export function table(columns, rows, { caption, numeric = [] } = {}) {
  const cell = (tag, content, k) => h(tag, { class: numeric.includes(k) ? "num" : null, scope: tag === "th" ? "col" : null }, content);
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      { class: numeric.length ? "numbers" : null },
      caption && h("caption", { class: "away" }, caption),
      h("thead", null, h("tr", null, columns.map((c, k) => cell("th", c, k)))),
      h("tbody", null, rows.map((row) => h("tr", null, row.map((c, k) => cell("td", c, k))))),
    ),
  );
}
