// Lists the operations that openapi.json describes, each with its parameters, body and answers.

const element = (name, text, ...children) => {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
};
const table = (head, rows) => element("table", "",
  element("tr", "", ...head.map(h => element("th", h))),
  ...rows.map(row => element("tr", "", ...row.map(cell => element("td", cell)))));
const typeOf = schema => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.enum) return schema.enum.map(v => JSON.stringify(v)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return "[" + typeOf(schema.items) + "]";
  return [schema.type, schema.format].filter(Boolean).join(" ");
};
const resolve = (spec, schema) =>
  schema && schema.$ref ? spec.components.schemas[schema.$ref.split("/").pop()] : schema;
const exampleOf = (spec, content) => {
  if (!content) return undefined;
  if (content.example !== undefined) return content.example;
  if (content.examples) return Object.values(content.examples)[0].value;
  const schema = resolve(spec, content.schema);
  if (schema && schema.examples) return schema.examples[0];
  if (schema && schema.properties && schema.properties.items) {
    const item = resolve(spec, schema.properties.items.items);
    if (item && item.examples) return { items: [item.examples[0]], next_cursor: null };
  }
  const branch = schema && schema.anyOf && schema.anyOf[0];
  return branch ? exampleOf(spec, { schema: branch }) : undefined;
};
const shown = value => element("pre", typeof value === "string" ? value : JSON.stringify(value, null, 2));
const operation = (spec, path, method, one) => {
  const inside = element("div", "", element("p", one.description || one.summary || ""));
  inside.className = "inside";
  if (one.parameters && one.parameters.length) inside.append(element("h4", "Parameters"),
    table(["name", "in", "type", "meaning"], one.parameters.map(p => [
      p.name + (p.required ? " (required)" : ""), p.in, typeOf(p.schema),
      p.description || (p.schema || {}).description || ""])));
  const body = one.requestBody && one.requestBody.content["application/json"];
  if (body) inside.append(element("h4", "Body: " + typeOf(body.schema)), shown(exampleOf(spec, body) || {}));
  inside.append(element("h4", "Answers"));
  for (const [status, answer] of Object.entries(one.responses)) {
    const kinds = Object.entries(answer.content || {});
    const media = kinds.length ? ": " + kinds.map(([kind]) => kind).join(", ") : "";
    inside.append(element("p", status + " " + answer.description + media));
    if (status.startsWith("2")) for (const [, content] of kinds) {
      const example = exampleOf(spec, content);
      if (example !== undefined) inside.append(shown(example));
    }
  }
  const name = element("span", method.toUpperCase());
  name.className = "method";
  const summary = element("summary", "", name, element("code", path), " " + (one.summary || ""));
  const box = element("details", "", summary, inside);
  box.id = one.operationId;
  return box;
};
fetch("openapi.json").then(answer => answer.json()).then(spec => {
  document.getElementById("title").textContent = spec.info.title + " " + spec.info.version;
  document.getElementById("about").textContent = spec.info.description || "";
  const main = document.getElementById("operations");
  for (const tag of spec.tags) {
    main.append(element("h2", tag.name), element("p", tag.description));
    for (const [path, methods] of Object.entries(spec.paths))
      for (const [method, one] of Object.entries(methods))
        if ((one.tags || []).includes(tag.name)) main.append(operation(spec, path, method, one));
  }
  const target = document.getElementById(location.hash.slice(1));
  if (target) { target.open = true; target.scrollIntoView(); }
});
