// Fields from a JSON Schema, and back to what the service takes.

import { h, prose, replace } from "./dom.js";

let counter = 0;

function withoutNull(schema) {
  const options = schema.anyOf ?? schema.oneOf;
  if (!options) return [schema, false];
  const rest = options.filter((option) => option.type !== "null");
  return rest.length === 1 ? [{ ...schema, ...rest[0], anyOf: undefined }, rest.length < options.length] : [schema, false];
}

const SCALARS = new Set(["string", "integer", "number"]);

function scalar(text, type) {
  if (type === "string") return text;
  const value = Number(text);
  // What is no number is sent as it was written: the service says what would be right.
  return text.trim() !== "" && Number.isFinite(value) ? value : text;
}

// One field: its node, read() → value or undefined for "as the service has it", and wrong(text) to mark it.
export function field(name, given, { value, required = false, label = name } = {}) {
  const [schema, nullable] = withoutNull(given);
  const id = `field-${++counter}`;
  const start = value !== undefined ? value : given.default;
  const type = schema.type;
  let control;
  let read;
  if (schema.enum && type !== "array") {
    const options = [...(nullable || (required && start === undefined) ? [null] : []), ...schema.enum];
    control = h("select", { id }, options.map((o) => h("option", { value: JSON.stringify(o), selected: o === (start ?? null) }, o === null ? "–" : String(o))));
    read = () => JSON.parse(control.value);
  } else if (type === "boolean") {
    control = h("input", { type: "checkbox", id, checked: start === true });
    read = () => control.checked;
  } else if (type === "array" && schema.items?.enum) {
    const boxes = schema.items.enum.map((o) => [o, h("input", { type: "checkbox", checked: (start ?? []).includes(o) })]);
    control = h("div", { class: "checks", role: "group", id, "aria-label": label }, boxes.map(([o, box]) => h("label", { class: "check" }, box, String(o))));
    read = () => boxes.filter(([, box]) => box.checked).map(([o]) => o);
  } else if (type === "array" && SCALARS.has(schema.items?.type)) {
    control = h("input", { id, value: (start ?? []).join(", "), autocomplete: "off", placeholder: nullable ? "none" : "separated by commas" });
    read = () => {
      const parts = control.value.split(",").map((part) => part.trim()).filter(Boolean);
      return parts.length || !nullable ? parts.map((part) => scalar(part, schema.items.type)) : null;
    };
  } else if (type === "integer" || type === "number") {
    control = h("input", { id, type: "number", step: type === "integer" ? 1 : "any", min: schema.minimum, max: schema.maximum, value: start ?? "", placeholder: nullable ? "none" : "", inputmode: type === "integer" ? "numeric" : "decimal" });
    read = () => (control.value === "" ? (nullable ? null : undefined) : Number(control.value));
  } else if (type === "string") {
    control = h("input", { id, value: start ?? "", autocomplete: "off", maxlength: schema.maxLength });
    read = () => (control.value === "" && (nullable || !required) ? (nullable ? null : start === undefined ? undefined : "") : control.value);
  } else {
    control = h("input", { id, class: "code", value: start === undefined ? "" : JSON.stringify(start), autocomplete: "off", placeholder: "JSON" });
    read = () => {
      if (control.value.trim() === "") return undefined;
      try {
        return JSON.parse(control.value);
      } catch {
        return control.value;
      }
    };
  }
  const hint = schema.description && h("span", { class: "hint", id: `${id}-hint` }, prose(schema.description));
  const wrong = h("span", { class: "wrong", id: `${id}-wrong` });
  if (control.tagName !== "DIV") control.setAttribute("aria-describedby", `${hint ? `${id}-hint ` : ""}${id}-wrong`);
  const title = [label, required && h("span", { class: "muted" }, " (required)")];
  const node = h(
    "div",
    { class: "field" },
    type === "boolean" ? h("label", { class: "check" }, control, title) : [control.tagName === "DIV" ? h("span", { class: "name" }, title) : h("label", { for: id }, title), control],
    hint,
    wrong,
  );
  return {
    name,
    node,
    read: () => {
      const now = read();
      return JSON.stringify(now) === JSON.stringify(given.default) && !required ? undefined : now;
    },
    wrong: (text) => {
      replace(wrong, text ?? "");
      if (text) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    },
  };
}

// The fields of an object's schema; read() leaves out what is as the service has it anyway.
export function fields(schema, values = {}) {
  const required = new Set(schema?.required ?? []);
  const made = Object.entries(schema?.properties ?? {}).map(([name, one]) => field(name, one, { value: values[name], required: required.has(name) }));
  made.sort((a, b) => required.has(b.name) - required.has(a.name));
  return {
    node: h("div", { class: "fields" }, made.map((one) => one.node)),
    byName: new Map(made.map((one) => [one.name, one])),
    read: () => Object.fromEntries(made.map((one) => [one.name, one.read()]).filter(([, value]) => value !== undefined)),
    empty: made.length === 0,
  };
}

// A choice of plugin with the fields of the one that is chosen.
export class PluginChoice {
  constructor(kind, plugins, { label, none, value, onchange }) {
    Object.assign(this, { kind, plugins });
    this.select = h("select", { id: `choice-${++counter}` });
    if (none) this.select.append(h("option", { value: "" }, none));
    for (const plugin of plugins)
      this.select.append(h("option", { value: plugin.name, selected: plugin.name === value?.name }, plugin.available ? plugin.name : `${plugin.name} (no worker offers it now)`));
    this.summary = h("p", { class: "muted small" });
    this.holder = h("div");
    this.wrongText = h("p", { class: "field" });
    this.node = h("div", { class: "stack" }, h("div", { class: "field" }, h("label", { for: this.select.id }, label), this.select), this.summary, this.wrongText, this.holder);
    this.chosen = Boolean(value);
    // Before the form hears of it.
    this.select.addEventListener("input", () => (this.chosen = true));
    this.select.addEventListener("change", () => {
      this.draw({});
      onchange?.();
    });
    this.draw(value?.params ?? {});
  }

  get plugin() {
    return this.plugins.find((one) => one.name === this.select.value);
  }

  // Take another one, which nobody chose by hand.
  propose(plugin) {
    if (!plugin || plugin.name === this.select.value) return;
    this.select.value = plugin.name;
    this.draw({});
  }

  // Take a plugin by its name, with values for some of its fields.
  take(name, values) {
    if (!this.plugins.some((plugin) => plugin.name === name)) return;
    const kept = this.select.value === name ? this.fields.read() : {};
    this.select.value = name;
    this.chosen = true;
    this.draw({ ...kept, ...values });
  }

  // Say of those that are left out why they are.
  label(remark) {
    for (const option of this.select.options) {
      const plugin = this.plugins.find((one) => one.name === option.value);
      if (plugin) option.textContent = [plugin.name, ...(plugin.available ? [] : ["(no worker offers it now)"]), remark(plugin)].filter(Boolean).join(" ");
    }
  }

  draw(values) {
    const plugin = this.plugin;
    this.fields = fields(plugin?.params_schema, values);
    replace(this.summary, prose(plugin?.summary ?? ""));
    replace(this.holder, this.fields.empty ? null : this.fields.node);
  }

  read() {
    return this.select.value ? { name: this.select.value, params: this.fields.read() } : null;
  }

  // The field that a pointer such as /params/lr names, or the choice itself.
  place(path) {
    const inner = path[0] === "params" ? this.fields.byName.get(path[1]) : null;
    return inner ?? { wrong: (text) => replace(this.wrongText, text ? h("span", { class: "wrong" }, text) : null) };
  }
}

// Go to the first field that is marked as wrong, and open what it is folded away in.
export function toFirstWrong(form) {
  const said = form.querySelector(".wrong:not(:empty)");
  if (!said) return;
  for (let node = said; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  const control = said.closest(".stack, .field")?.querySelector("input, select, textarea");
  control?.focus({ preventScroll: true });
  said.scrollIntoView({ block: "center" });
}

export function pointerPath(pointer) {
  return pointer.replace(/^#?\/?/, "").split("/").filter(Boolean).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function byKind(plugins) {
  return Map.groupBy ? Map.groupBy(plugins, (one) => one.kind) : plugins.reduce((all, one) => all.set(one.kind, [...(all.get(one.kind) ?? []), one]), new Map());
}
