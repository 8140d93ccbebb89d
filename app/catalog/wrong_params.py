"""What is wrong with a plugin's parameters by their JSON Schema, in the words in which all else is refused."""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from app.errors import FieldError, field_error, nearest, pointer
from sufficiency.schemas.faults import alternatives, plain, shown

TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a string",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
# By keyword of the schema; `{}` is its value.
SAID = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be above {}",
    "exclusiveMaximum": "must be below {}",
    "multipleOf": "must be a multiple of {}",
    "pattern": "must match the pattern {}",
    "format": "must be written as {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} entries",
    "maxItems": "must have at most {} entries",
    "minProperties": "must have at least {} entries",
    "maxProperties": "must have at most {} entries",
    "uniqueItems": "must not hold anything twice",
    "contains": "must hold an entry that it lacks",
    "not": "must be something else",
}
LENGTHS = {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
COMPLETE = {"required", "additionalProperties", "unevaluatedProperties", "uniqueItems", "contains", "not"}
COMPLETE |= {"dependentRequired"}


def params_errors(
    validator: Draft202012Validator, params: Mapping[str, Any], where: Sequence[str | int]
) -> list[FieldError]:
    """Return what is wrong with parameters, each fault with its pointer into the request's body.

    Parameters
    ----------
    validator : Draft202012Validator
        Of the plugin's schema.
    params : mapping
        What is checked.
    where : sequence of str
        Place of the parameters in the body.
    """
    errors: list[FieldError] = []
    for error in sorted(validator.iter_errors(params), key=lambda e: [str(p) for p in e.absolute_path]):
        for part in _meant(error):
            errors.extend(_field_errors(part, (*where, *part.absolute_path)))
    return errors


def _meant(error: ValidationError) -> Iterator[ValidationError]:
    """Yield what is wrong by the one alternative that the value was plainly meant for; else the error itself."""
    branches: dict[Any, list[ValidationError]] = {}
    for child in error.context or ():
        branches.setdefault(child.schema_path[0], []).append(child)
    meant = [found for found in branches.values() if not any(_of_another_kind(child) for child in found)]
    if len(meant) == 1:
        for child in meant[0]:
            yield from _meant(child)
    else:
        yield error


def _of_another_kind(child: ValidationError) -> bool:
    return not child.relative_path and child.validator in ("type", "const", "enum")


def _field_errors(error: ValidationError, place: tuple[str | int, ...]) -> list[FieldError]:
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    if error.validator in ("additionalProperties", "unevaluatedProperties") and isinstance(error.instance, dict):
        known = sorted(schema.get("properties", {}))
        return [
            field_error(
                pointer(*place, name),
                f"no such parameter; {nearest(name, known)}" if known else "no such parameter; there is none",
            )
            for name in error.instance
            if name not in known
        ]
    if error.validator == "required" and isinstance(error.instance, dict):
        # One error a missing name: the message names it.
        name = error.message.split("'")[1] if "'" in error.message else ""
        return [field_error(pointer(*place, name), "is required")]
    return [field_error(pointer(*place), _required(error) + _instead(error))]


def _required(error: ValidationError) -> str:
    keyword, value = str(error.validator), cast(Any, error.validator_value)
    if keyword == "type":
        return f"must be {_listed([TYPES.get(one, one) for one in ([value] if isinstance(value, str) else value)])}"
    if keyword == "enum":
        return f"must be {_listed([shown(one) for one in value])}"
    if keyword == "const":
        return f"must be {shown(value)}"
    if keyword in ("anyOf", "oneOf") and error.context:
        return reduce(alternatives, dict.fromkeys(_required(child) for child in error.context))
    if keyword in SAID:
        said = plain(value) if isinstance(value, float) else str(value)
        words = SAID[keyword].format(said)
        return words.replace("entries", "entry").replace("characters", "character") if value == 1 else words
    if keyword == "dependentRequired":
        return f"lacks what goes with it: {error.message}"
    return f"is not what the plugin takes, by {keyword!r} of its schema"


def _instead(error: ValidationError) -> str:
    if error.validator in COMPLETE:
        return ""
    given = cast(Any, error.instance)
    return f", not {len(given) if error.validator in LENGTHS else shown(given)}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
