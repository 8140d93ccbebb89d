"""What is known of an object that has no registered name, so that a study is gone on with the same objects only."""

import hashlib
import inspect
import re
from functools import partial
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def imprint(value: Any) -> str:
    """Return a digest of an object's source, where it can be read, and of its settings.

    The same in every process. Weights and other arrays are left out: two models of the same make are the same plugin.
    """
    digest = hashlib.sha256()
    for part in _parts(value, depth=3):
        digest.update(part.encode(errors="replace"))
    return digest.hexdigest()


def _parts(value: Any, depth: int) -> list[str]:
    if value is None or isinstance(value, str | int | float | bool | complex | bytes):
        return [repr(value)]
    if isinstance(value, partial):
        return [part for one in (value.func, value.args, value.keywords) for part in _parts(one, depth - 1)]
    if depth < 0:
        return [type(value).__qualname__]
    if isinstance(value, list | tuple):
        return [part for one in value for part in _parts(one, depth - 1)]
    if isinstance(value, dict):
        return [part for key, one in value.items() for part in (repr(key), *_parts(one, depth - 1))]
    if inspect.isclass(value) or inspect.isroutine(value):
        return [value.__qualname__, _source(value), *(_closed_over(value, depth))]
    if callable(getattr(value, "state_dict", None)):  # a module of torch's: how it is built, not what it has learnt
        return [type(value).__qualname__, _source(type(value)), _ADDRESS.sub("", repr(value))]
    return [type(value).__qualname__, _source(type(value)), *_parts(_settings(value), depth - 1)]


def _settings(value: Any) -> dict[str, Any]:
    """Return what its constructor was given, as far as it keeps it: the rest may change while it is used."""
    kept = getattr(value, "__dict__", {})
    try:
        names = list(inspect.signature(type(value)).parameters)
    except (TypeError, ValueError):
        return {}
    return {name: kept[place] for name in names for place in (name, f"_{name}") if place in kept}


def _closed_over(function: Any, depth: int) -> list[str]:
    cells = getattr(function, "__closure__", None) or ()
    values = [
        *(cell.cell_contents for cell in cells if _filled(cell)),
        *(getattr(function, "__defaults__", None) or ()),
    ]
    return [part for one in values for part in _parts(one, depth - 1)]


def _filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _source(value: Any) -> str:
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):  # built in, or typed where no source is kept
        return ""
