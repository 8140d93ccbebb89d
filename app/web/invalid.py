"""What pydantic finds wrong with a request, as bad fields of the document that the client wrote."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from fastapi import Request
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.errors import Faults, field_error, nearest, pointer
from sufficiency.schemas.faults import alternatives, instead, required
from sufficiency.schemas.limits import ERRORS

# What pydantic says of every branch of a union that the value was not meant for.
MISMATCHES = frozenset({"list_type", "dict_type", "model_type", "model_attributes_type"})


@dataclass(frozen=True)
class _Placed:
    """One of pydantic's errors, where it is in the client's document; its words are made when they are wanted."""

    where: str
    fault: Any
    branch: bool = False  # the place has branches of a union in it, which are no part of the document
    parts: Sequence[Any] = ()
    in_body: bool = False

    @property
    def mismatch(self) -> bool:
        return self.fault["type"] in MISMATCHES


def field_errors(found: Sequence[Any], body: Any, asked: Any = None) -> Faults:
    """Return pydantic's errors with pointers into the request as the client wrote it: the first few, and how many.

    Pydantic names the branches of a union as if they were fields; they are no part of the client's document, and the
    branch that the value was plainly not meant for says nothing. A small document can have as many errors as bytes, so
    each is looked at by itself, and words are made for those alone that are answered.

    Parameters
    ----------
    found : sequence
        The errors.
    body : Any
        The request's body.
    asked : type, optional
        What the body should have been, for the names of fields that there are.
    """
    placed = [_place(one, body) for one in found]
    # Where something better is said, at a place or inside of it.
    better = {place for one in placed if not one.mismatch for place in _ancestors(one.where)}
    groups: list[list[_Placed]] = []
    for one in placed:
        if one.branch and one.mismatch and one.where in better:
            continue
        if one.branch and groups and groups[-1][0].where == one.where:
            groups[-1].append(one)
        else:
            groups.append([one])
    return Faults([field_error(group[0].where, _said(group, asked)) for group in groups[:ERRORS]], len(groups))


def _place(one: Any, body: Any) -> _Placed:
    source, *parts = one["loc"]
    if source != "body":
        return _Placed(str(parts[0]) if parts else str(source), one)
    if one["type"] == "json_invalid":
        said = ValueError(f"not JSON: {one['ctx']['error']} at character {parts[0]}")
        return _Placed("#", {"type": "value_error", "ctx": {"error": said}})
    inside, skipped = _inside(body, parts, one["type"] == "missing")
    return _Placed(pointer(*inside), one, skipped, parts, True)


def _ancestors(where: str) -> Iterator[str]:
    yield where
    while "/" in where:
        where = where.rpartition("/")[0]
        yield where


def _said(group: Sequence[_Placed], asked: Any) -> str:
    """Return what is wrong at one place; branches of a union are alternatives."""
    words, given = "", ""
    for one in group:
        own = _words(one.fault, asked, one.parts) if one.in_body else required(one.fault)
        words, given = (alternatives(words, own) if words else own), instead(one.fault)
    return words + given


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
