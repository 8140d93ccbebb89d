"""No one is answered with a regular expression: each pattern of the specification is said in words."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.openapi import specification
from sufficiency.schemas.access import ProjectName
from sufficiency.schemas.faults import worded
from sufficiency.schemas.patterns import IN_WORDS


def patterns(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(pattern := node.get("pattern"), str):
            yield pattern
        for inside in node.values():
            yield from patterns(inside)
    elif isinstance(node, list):
        for inside in node:
            yield from patterns(inside)


def test_each_is_said_in_words() -> None:
    found = set(patterns(json.loads(specification())))
    assert found == IN_WORDS.keys()


def test_and_is_answered_so() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(ProjectName).validate_python("A-Team")
    [fault] = caught.value.errors()
    assert worded(fault) == "must be of small letters, digits and '-', the first and the last no '-', not 'A-Team'"
