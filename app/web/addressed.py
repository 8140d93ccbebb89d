"""What a request's address and body say must be said once, and by names and in writings that there are."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args
from weakref import WeakKeyDictionary

from fastapi import Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

from app.errors import FieldError, Invalid, field_error, nearest, shortened, told
from sufficiency.schemas.faults import shown

# How numbers are written; Python would also take 1_000, spaces around them, and digits of every script.
_WRITTEN = {int: re.compile(r"[+-]?[0-9]+"), float: re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")}
_WORDS = {int: "must be a whole number", float: "must be a number", bool: "must be true or false"}
# By the endpoint: routes cannot be looked up.
_KNOWN: WeakKeyDictionary[Callable[..., Any], dict[str, Any]] = WeakKeyDictionary()


async def refuse_unclear(request: Request) -> None:
    """Refuse what would be passed over or guessed at: unknown and repeated parameters, and keys that are there twice.

    A parameter that nobody knows is a parameter that somebody meant: ``?dryrun=true`` queued a job.

    Raises
    ------
    Invalid
        With each of them.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not route.include_in_schema:
        return  # the page's files are the same whatever follows
    known = _parameters(route)
    errors: list[FieldError] = []
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        given.setdefault(name, []).append(value)
    for name, values in given.items():
        if name not in known:
            what = f"there is no such parameter; {nearest(name, sorted(known))}" if known else "it takes no parameters"
            errors.append(field_error(name, what))
            continue
        kinds = set(_flat(known[name]))
        if len(values) > 1 and list not in kinds:
            errors.append(field_error(name, f"may be given only once, not {len(values)} times"))
        errors += [field_error(name, problem) for value in values if (problem := _misspelt(value, kinds))]
    if errors:
        raise Invalid(told(errors), errors=errors)
    if route.body_field is not None:
        _refuse_twins(await request.body())


def _parameters(route: APIRoute) -> dict[str, Any]:
    known = _KNOWN.get(route.endpoint)
    if known is None:
        fields = get_flat_params(route.dependant)
        known = {f.alias: f.field_info.annotation for f in fields if isinstance(f.field_info, params.Query)}
        _KNOWN[route.endpoint] = known
    return known


def _flat(kind: Any) -> Iterator[Any]:
    """Yield the plain types that a parameter may be of, `list` among them where it may be repeated."""
    if isinstance(kind, type) and kind in (int, float, bool, str):
        yield kind
    elif getattr(kind, "__origin__", None) is list:
        yield list
    for inside in get_args(kind):
        yield from _flat(inside)


def _misspelt(value: str, kinds: set[Any]) -> str:
    """Return what is wrong with how a number or a truth value is written; "" for what is no such parameter's."""
    if str in kinds:
        return ""
    for kind in (bool, float, int):
        if kind in kinds:
            right = value in ("true", "false") if kind is bool else _WRITTEN[kind].fullmatch(value) is not None
            return "" if right else f"{_WORDS[kind]}, not {shown(value)}"
    return ""


def _refuse_twins(body: bytes) -> None:
    twins: dict[str, None] = {}

    def once(pairs: Sequence[tuple[str, Any]]) -> None:
        if len({name for name, _ in pairs}) < len(pairs):
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    twins[name] = None
                seen.add(name)

    try:
        json.loads(body, object_pairs_hook=once)
    except (ValueError, RecursionError):
        return  # told where it is read
    if twins:
        errors = [field_error("#", f"an object has the key {shortened(repr(name), 200)} twice") for name in twins]
        raise Invalid(told(errors), errors=errors)
