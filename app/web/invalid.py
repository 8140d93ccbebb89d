"""What pydantic finds wrong with a request, as bad fields of the document that the client wrote."""

from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from fastapi import Request
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.errors import FieldError, field_error, nearest, pointer
from sufficiency.schemas.faults import alternatives, instead, required

# What pydantic says of every branch of a union that the value was not meant for.
MISMATCHES = frozenset({"list_type", "dict_type", "model_type", "model_attributes_type"})


def field_errors(found: Sequence[Any], body: Any, asked: Any = None) -> list[FieldError]:
    """Return pydantic's errors with pointers into the request as the client wrote it.

    Pydantic names the branches of a union as if they were fields; they are no part of the client's document, and the
    branch that the value was plainly not meant for says nothing.

    Parameters
    ----------
    found : sequence
        The errors.
    body : Any
        The request's body.
    asked : type, optional
        What the body should have been, for the names of fields that there are.
    """
    placed: list[tuple[str, bool, Any]] = []
    for one in found:
        source, *parts = one["loc"]
        if source == "body" and one["type"] == "json_invalid":
            said = ValueError(f"not JSON: {one['ctx']['error']} at character {parts[0]}")
            placed.append(("#", False, {"type": "value_error", "ctx": {"error": said}}))
        elif source == "body":
            inside, skipped = _inside(body, parts, one["type"] == "missing")
            placed.append((pointer(*inside), skipped, {**one, "words": _words(one, asked, parts)}))
        else:
            placed.append((str(parts[0]) if parts else str(source), False, one))
    wrong: list[tuple[str, str, str]] = []
    for where, branch, one in placed:
        better = any(
            other is not one and (w == where or w.startswith(where + "/")) and other["type"] not in MISMATCHES
            for w, _, other in placed
        )
        if branch and one["type"] in MISMATCHES and better:
            continue
        words, given = one.get("words") or required(one), instead(one)
        if branch and wrong and wrong[-1][0] == where:
            words, given = alternatives(wrong.pop()[1], words), given
        wrong.append((where, words, given))
    return [field_error(where, words + given) for where, words, given in wrong]


def body_asked_for(request: Request) -> Any:
    """Return the type that the body of a request should have; None where the operation takes none."""
    field = getattr(request.scope.get("route"), "body_field", None)
    return None if field is None else field.field_info.annotation


def _inside(body: Any, parts: Sequence[Any], missing: bool) -> tuple[list[str | int], bool]:
    inside: list[str | int] = []
    skipped = False
    here = body
    for position, part in enumerate(parts):
        if (isinstance(here, dict) and part in here) or (
            isinstance(here, list) and isinstance(part, int) and part < len(here)
        ):
            here = here[part]
        elif not (missing and position == len(parts) - 1):
            skipped = True
            continue
        inside.append(part)
    return inside, skipped


def _words(fault: Any, asked: Any, parts: Sequence[Any]) -> str:
    """Return what would be right, by what the shape that was asked for says of its fields."""
    words = required(fault)
    if not parts:
        return "a body is required" if fault["type"] == "missing" else words
    field = str(parts[-1])
    known = _fields_at(asked, parts[:-1])
    if fault["type"] == "extra_forbidden" and known:
        return f"{words}; {nearest(field, sorted(known))}"
    about = known[field].description if field in known else None
    return f"must be of {about}" if fault["type"] == "string_pattern_mismatch" and about else words


def _fields_at(asked: Any, parts: Sequence[Any]) -> dict[str, FieldInfo]:
    """Return the fields of the models that may stand at a place; the place names branches of unions too."""
    here = [asked]
    for part in parts:
        models = list(_models(here))
        named = [model for model in models if model.__name__ == part]
        stepped = [model.model_fields[part].annotation for model in models if part in model.model_fields]
        held = [get_args(kind)[-1] for kind in _flat(here) if get_origin(kind) in (dict, list) and get_args(kind)]
        here = stepped or named or held or here
    return {name: field for model in _models(here) for name, field in model.model_fields.items()}


def _models(kinds: Sequence[Any]) -> Iterator[type[BaseModel]]:
    for kind in _flat(kinds):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind


def _flat(kinds: Sequence[Any]) -> Iterator[Any]:
    """Yield types without what is written around them: annotations, and alternatives one by one."""
    for kind in kinds:
        if get_origin(kind) is Annotated:
            yield from _flat(get_args(kind)[:1])
        elif get_origin(kind) in (Union, UnionType):
            yield from _flat(get_args(kind))
        else:
            yield kind
