"""Every place of a request that holds as many entries as the client likes, found in the specification."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# As it is documented, which a test holds to the API: making it anew takes each process of the tests longer.
SPEC: dict[str, Any] = json.loads((Path(__file__).resolve().parents[2] / "docs" / "openapi.json").read_text())


@dataclass(frozen=True)
class Place:
    """A list or a mapping in the body of an operation."""

    method: str
    path: str
    example: str
    inside: tuple[str, ...]
    kind: str  # "list" or "mapping"
    entry: Any  # the schema of what it holds

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.example}: {'/'.join(self.inside)} ({self.kind})"


@dataclass(frozen=True)
class Parameter:
    """A repeatable parameter of an operation's address."""

    method: str
    path: str
    name: str
    entry: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}?{self.name}"


def resolved(schema: Any) -> Any:
    """Return a schema in place of a reference to it."""
    while isinstance(schema, dict) and "$ref" in schema:
        _, _, kind, name = schema["$ref"].split("/")
        schema = SPEC["components"][kind][name]
    return schema


def list_like(schema: Any, inside: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Yield the lists and mappings of a schema, those in the entries of others left out."""
    schema = resolved(schema)
    if not isinstance(schema, dict):
        return
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from list_like(branch, inside)
    if schema.get("type") == "array":
        yield inside, "list", schema.get("items", {})
    if schema.get("type") == "object" and schema.get("additionalProperties") not in (None, False):
        more = schema["additionalProperties"]
        yield inside, "mapping", {} if more is True else more
    for name, field in schema.get("properties", {}).items():
        yield from list_like(field, (*inside, name))


def value_of(schema: Any, number: int) -> Any:
    """Return a value that a schema admits, another one for each number as far as it goes."""
    schema = resolved(schema)
    if not isinstance(schema, dict) or not schema:
        return number
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][number % len(schema["enum"])]
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return value_of(schema[word][0], number)
    match schema.get("type"):
        case "integer":
            return number + max(schema.get("minimum", 1), 1)
        case "number":
            return number + 0.5
        case "string":
            return f"x{number}"
        case "boolean":
            return True
        case "array":
            return []
        case "object":
            wanted = schema.get("required", ())
            return {
                name: value_of(field, number) for name, field in schema.get("properties", {}).items() if name in wanted
            }
    return None


def bodies() -> Iterator[tuple[str, str, str, Any]]:
    """Yield method, path, name and value of the examples of every body that the API takes."""
    for path, operations in SPEC["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None:
                continue
            examples = content.get("examples") or {}
            assert examples, f"{method} {path} has no example"
            for name, example in examples.items():
                yield method.upper(), path, name, example["value"]


def places() -> list[Place]:
    """Return every list-like place of every body, in each of its examples."""
    found: dict[tuple[Any, ...], Place] = {}
    for method, path, example, _ in bodies():
        content = SPEC["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]
        for inside, kind, entry in list_like(content["schema"]):
            found[method, path, example, inside, kind] = Place(method, path, example, inside, kind, entry)
    return list(found.values())


def parameters() -> list[Parameter]:
    """Return every repeatable parameter."""
    return [
        Parameter(method.upper(), path, one["name"], one["schema"]["items"])
        for path, operations in SPEC["paths"].items()
        for method, operation in operations.items()
        for one in map(resolved, operation.get("parameters", ()))
        if one["in"] == "query" and one["schema"].get("type") == "array"
    ]
