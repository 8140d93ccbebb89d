"""The description of the API: stable names, problems as they are, and a page that needs no internet."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from app.web.problem import MEDIA_TYPE
from sufficiency.schemas.problems import ProblemDetails

TAGS = [
    {"name": "plugins", "description": "What workers offer: models, strategies, loaders, schedules."},
    {"name": "datasets", "description": "Registered pairs of splits, verified by a worker."},
    {"name": "jobs", "description": "Studies: submit, follow, cancel, try again."},
    {"name": "results", "description": "What a job measured, and what its curves say."},
    {"name": "webhooks", "description": "Endpoints that are told of job events, signed as Standard Webhooks."},
    {"name": "service", "description": "Health, workers, numbers."},
]

router = APIRouter()


def operation_id(route: APIRoute) -> str:
    """Return the name of the operation: its function's."""
    return route.name


def describe(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return the function that makes the specification, once."""

    def specification() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
                webhooks=app.webhooks.routes,
                tags=app.openapi_tags,
                license_info=app.license_info,
            )
            schemas = document["components"]["schemas"]
            problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs"))
            schemas["ProblemDetails"] = problem
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            for path in document["paths"].values():
                for operation in path.values():
                    operation["responses"].setdefault(
                        "default",
                        {
                            "description": "Any other error",
                            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
                        },
                    )
                    _answer_errors_as_problems_only(operation)
                    _describe_streams_as_text(operation)
                    _describe_parameters_as_sent(operation)
            for path in document.get("webhooks", {}).values():
                for operation in path.values():
                    operation["responses"].pop("422", None)  # what FastAPI says of its own routes; these are receivers'
            app.openapi_schema = document
        return app.openapi_schema

    return specification


def _answer_errors_as_problems_only(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if status.startswith(("4", "5")) and MEDIA_TYPE in response.get("content", {}):
            response["content"] = {MEDIA_TYPE: response["content"][MEDIA_TYPE]}


def _describe_streams_as_text(operation: dict[str, Any]) -> None:
    # FastAPI describes the items of a stream with a keyword of OpenAPI 3.2 in a document of 3.1.
    for response in operation["responses"].values():
        if stream := response.get("content", {}).get("text/event-stream"):
            stream.pop("itemSchema", None)
            stream["schema"] = {"type": "string"}


def _describe_parameters_as_sent(operation: dict[str, Any]) -> None:
    # One that is left out is None to us, but nobody can send null in an address; generated clients would offer it.
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        branches = [branch for branch in schema.get("anyOf", ()) if branch != {"type": "null"}]
        if len(branches) == 1:
            del schema["anyOf"]
            parameter["schema"] = {**branches[0], **schema}


@router.get("/docs", include_in_schema=False)
def docs() -> HTMLResponse:
    """Return a page that lists the operations."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})


POLICY = "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sufficiency: API</title>
<style>
  :root { color-scheme: light dark; --line: #8884; --soft: #8881; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
  h2 { margin-top: 2rem; text-transform: capitalize; }
  details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; }
  summary { padding: .5rem .8rem; cursor: pointer; }
  summary code { font-weight: 600; }
  .method { display: inline-block; min-width: 4.5rem; font-weight: 700; }
  .inside { padding: 0 1rem 1rem; border-top: 1px solid var(--line); overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; }
  th, td { border-bottom: 1px solid var(--line); }
  pre { background: var(--soft); padding: .75rem; border-radius: 6px; overflow-x: auto; font-size: .85rem; }
</style>
<h1 id="title">API</h1>
<p id="about"></p>
<p>The specification: <a href="openapi.json">openapi.json</a></p>
<main id="operations"><noscript>This page reads openapi.json with JavaScript.</noscript></main>
<script>
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
</script>
</html>
"""
