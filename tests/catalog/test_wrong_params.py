"""A plugin's parameters are refused in the words of all other fields, whatever their schema asks."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.catalog.wrong_params import params_errors

WORDS = {"enum": ["a", "b"]}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "lr": {"type": "number", "exclusiveMinimum": 0, "maximum": 1.5},
        "width": {"type": "integer", "minimum": 1, "multipleOf": 2},
        "hidden": {"anyOf": [{"type": "integer", "minimum": 2}, {"type": "null"}]},
        "layers": {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]},
        "mode": WORDS,
        "metrics": {"anyOf": [WORDS, {"type": "array", "items": WORDS, "minItems": 1, "uniqueItems": True}]},
        "text": {"type": ["string", "null"], "minLength": 1, "maxLength": 3, "pattern": "^a"},
        "inner": {"$ref": "#/$defs/Inner"},
        "fixed": {"const": 3},
        "never": {"not": {}},
        "odd": {"if": {}, "then": {"type": "null"}, "dependentSchemas": {}},
    },
    "$defs": {"Inner": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}},
}


def told(params: dict[str, Any]) -> dict[str, str]:
    found = params_errors(Draft202012Validator(SCHEMA), params, ("params",))
    return {error["pointer"].removeprefix("#/params/"): error["detail"] for error in found}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"lr": 0, "width": True}, {"lr": "must be above 0, not 0", "width": "must be a whole number, not true"}),
        ({"lr": 2, "width": 3}, {"lr": "must be at most 1.5, not 2", "width": "must be a multiple of 2, not 3"}),
        ({"hidden": 1}, {"hidden": "must be at least 2, not 1"}),
        ({"hidden": "x"}, {"hidden": "must be a whole number, or null, not 'x'"}),
        ({"layers": [1, "x"]}, {"layers/1": "must be a whole number, not 'x'"}),
        ({"layers": 5}, {"layers": "must be a list, or null, not 5"}),
        ({"mode": "c"}, {"mode": "must be 'a' or 'b', not 'c'"}),
        ({"metrics": "c"}, {"metrics": "must be 'a' or 'b', or a list, not 'c'"}),
        ({"metrics": []}, {"metrics": "must have at least 1 entry, not 0"}),
        ({"metrics": ["a", "z"]}, {"metrics/1": "must be 'a' or 'b', not 'z'"}),
        ({"metrics": ["a", "a"]}, {"metrics": "must not hold anything twice"}),
        ({"text": 5}, {"text": "must be a string or null, not 5"}),
        ({"text": "bbbb"}, {"text": "must match the pattern ^a, not 'bbbb'"}),
        ({"inner": {}}, {"inner/on": "is required"}),
        ({"inner": {"on": 1}}, {"inner/on": "must be true or false, not 1"}),
        ({"fixed": 4, "never": 1}, {"fixed": "must be 3, not 4", "never": "must be something else"}),
        ({"widht": 1}, {"widht": "no such parameter; nearest: width"}),
        ({"odd": 1}, {"odd": "must be null, not 1"}),
    ],
    ids=str,
)
def test_what_is_wrong_says_what_would_be_right(params: dict[str, Any], said: dict[str, str]) -> None:
    assert told(params) == said


def test_a_keyword_that_nobody_has_words_for_is_named() -> None:
    validator = Draft202012Validator({"properties": {"x": {"propertyNames": {"maxLength": 1}, "minContains": 1}}})
    [error] = params_errors(validator, {"x": {"long": 1}}, ())
    assert error["detail"] == "must have at most 1 character, not 4"
    dependent = Draft202012Validator({"dependentRequired": {"a": ["b"]}})
    assert "'b'" in params_errors(dependent, {"a": 1}, ())[0]["detail"]
