"""What pydantic finds is told in the service's words, whatever type of error it is."""

from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import pytest
from pydantic import BaseModel, ByteSize, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError, PydanticKnownError, core_schema

from sufficiency.schemas import faults
from sufficiency.schemas.faults import REQUIRED, worded

# All that any of pydantic's errors has in its context.
CONTEXT: dict[str, Any] = {
    **dict.fromkeys(("gt", "ge", "lt", "le", "multiple_of"), 2.0),
    **dict.fromkeys(("min_length", "max_length", "max_digits", "decimal_places", "whole_digits"), 3),
    **dict.fromkeys(("error", "method_name", "class_name", "pattern", "expected", "discriminator", "tag"), "it"),
    **dict.fromkeys(("expected_tags", "class", "expected_schemes", "encoding", "encoding_error", "attribute"), "it"),
    "field_type": "List",
    "actual_length": 1,
    "tz_expected": 0,
    "tz_actual": 1,
    "expected_version": 4,
}
PYDANTIC_SAYS = ("nput should", "ield required", "xtra inputs", "hould be", "hould have", "valid dictionary")


@pytest.mark.parametrize("kind", get_args(core_schema.ErrorType))
def test_every_type_of_error_has_words(kind: str) -> None:
    message = PydanticKnownError(kind, CONTEXT).message()  # type: ignore[arg-type]
    said = worded({"type": kind, "msg": message, "ctx": CONTEXT, "input": 5, "loc": ("a",)})
    assert kind in REQUIRED or kind in ("value_error", "assertion_error"), "name what would be right in faults.py"
    assert not any(words in said for words in PYDANTIC_SAYS), said
    assert "{" not in said
    assert not said.endswith("another value"), "its context has what the words ask for"


class Asked(BaseModel):
    """Every kind of field that requests, settings and plugins have."""

    whole: int = Field(1, ge=1, lt=10)
    strict: int = Field(1, strict=True)
    share: float = Field(0.5, gt=0, le=1)
    name: str = Field("a", min_length=1, max_length=3, pattern="^a")
    sizes: list[int] = Field([1], min_length=1, max_length=2)
    word: Literal["a", "b"] = "a"
    yes: bool = True
    which: UUID | None = None
    memory: ByteSize | None = None
    table: dict[str, int] = {}
    pair: tuple[float | None, float | None] = (0, 1)
    inner: "Asked | None" = None

    @model_validator(mode="after")
    def _own(self) -> "Asked":
        if self.whole == 7:
            raise ValueError("seven is taken")
        return self


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("whole", 0, "must be at least 1, not 0"),
        ("whole", "0", "must be at least 1, not 0"),
        ("whole", 10, "must be below 10, not 10"),
        ("whole", "many", "must be a whole number, not 'many'"),
        ("whole", 1.5, "must be a whole number, not 1.5"),
        ("whole", None, "must be a whole number, not null"),
        ("strict", True, "must be a whole number, not true"),
        ("whole", "9" * 5000, "must be a whole number of fewer digits"),
        ("share", 0, "must be above 0, not 0"),
        ("share", 1.25, "must be at most 1, not 1.25"),
        ("share", {}, "must be a number, not an object"),
        ("name", "", "must have at least 1 character, not 0"),
        ("name", "aaaa", "must have at most 3 characters, not 4"),
        ("name", "b", "must match the pattern ^a, not 'b'"),
        ("name", 5, "must be a string, not 5"),
        ("sizes", [], "must have at least 1 entry, not 0"),
        ("sizes", [1, 2, 3], "must have at most 2 entries, not 3"),
        ("sizes", "x" * 100, f"must be a list, not '{'x' * 39}…'"),
        ("word", "c", "must be 'a' or 'b', not 'c'"),
        ("yes", "maybe", "must be true or false, not 'maybe'"),
        ("which", "none", f"must be a UUID such as {faults.EXAMPLE_ID}, not 'none'"),
        ("memory", "much", "must be a size such as 8GiB or a number of bytes, not 'much'"),
        ("table", [], "must be an object, not a list"),
        ("table", {"a": "b"}, "must be a whole number, not 'b'"),
        ("pair", [0], "is required"),
        ("pair", [0, 1, 2], "must have at most 2 entries, not 3"),
        ("inner", [], "must be an object, not a list"),
        ("whole", 7, "seven is taken"),
    ],
)
def test_what_is_wrong_says_what_would_be_right_and_what_was_given(field: str, value: Any, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Asked.model_validate({field: value})
    assert [worded(fault) for fault in caught.value.errors()] == [said]


def test_an_error_that_nobody_has_words_for_is_turned() -> None:
    def refuse(value: Any) -> Any:
        raise PydanticCustomError("of_a_later_version", "Input should be a valid colour")

    from pydantic import AfterValidator

    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[str, AfterValidator(refuse)]).validate_python("x")
    assert worded(caught.value.errors()[0]) == "must be a valid colour"


def test_a_context_of_another_version_of_pydantic_is_borne() -> None:
    assert worded({"type": "greater_than", "msg": "…", "ctx": {}, "input": 1}) == "must be above another value, not 1"


def test_alternatives_are_told_as_one() -> None:
    assert faults.alternatives("must be a list", "must be null") == "must be a list, or null"
    assert faults.alternatives("must be a list", "is required") == "must be a list, or: is required"
    assert faults.alternatives("must be a list", "must be a list") == "must be a list"
