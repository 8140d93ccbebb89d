"""The limits stand in the guide and in the specification as the code has them, and the code has them in one place."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.openapi import specification
from app.settings import Settings
from sufficiency.schemas import limits
from tests.schemas import limits_page

ROOT = Path(__file__).parents[2]
NAMES = {name: value for name, value in vars(limits).items() if name.isupper() and isinstance(value, int)}


def test_the_guide_has_them() -> None:
    assert limits_page.PAGE.read_text() == limits_page.page(), "run: python -m tests.schemas.limits_page"


def test_the_specification_has_them() -> None:
    told = json.loads(specification())["x-limits"]
    assert [(one["of"], one["what"], one["most"]) for one in told] == [(o.of, o.what, o.most) for o in limits.LIMITS]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_told_and_used(name: str) -> None:
    assert NAMES[name] in {one.most for one in limits.LIMITS}
    used = [
        path
        for package in ("sufficiency", "app", "worker")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "limits.py" or path.parent.name != "schemas"
        if re.search(rf"\b{name}\b", path.read_text())
    ]
    assert used, f"{name} limits nothing"


def test_settings_that_are_named_are_settings() -> None:
    named = {re.fullmatch(r"`SUFFICIENCY_(\w+)`", str(one.most)) for one in limits.LIMITS if "SUFF" in str(one.most)}
    assert {match[1].lower() for match in named if match} <= set(Settings.model_fields)


def fields(schema: Any, where: str = "") -> list[str]:
    """Return the lists, mappings and texts of a request's body that have no end."""
    found = []
    if isinstance(schema, dict):
        if schema.get("type") == "array" and "maxItems" not in schema:
            found.append(where)
        for name, inside in schema.items():
            if name in ("properties", "anyOf", "items", "additionalProperties", "$defs", "oneOf", "allOf") or where:
                found += fields(inside, f"{where}/{name}")
    elif isinstance(schema, list):
        for number, inside in enumerate(schema):
            found += fields(inside, f"{where}/{number}")
    return found


def test_every_list_of_a_request_has_an_end() -> None:
    document = json.loads(specification())
    schemas = document["components"]["schemas"]
    wanted: set[str] = set()

    def refer(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value and (name := value["$ref"].rsplit("/", 1)[-1]) not in wanted:
                wanted.add(name)
                refer(schemas.get(name, {}))
            for inside in value.values():
                refer(inside)
        elif isinstance(value, list):
            for inside in value:
                refer(inside)

    for operations in document["paths"].values():
        for operation in operations.values():
            refer(operation.get("requestBody", {}))
            for parameter in operation.get("parameters", ()):
                assert fields(parameter.get("schema", {}), "schema") == [], parameter
    for name in wanted:
        assert fields(schemas[name], name) == []
