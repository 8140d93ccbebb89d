"""What is sent, as JSON: and what JSON has no form for, by its field."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from sufficiency.client.errors import Unsendable

MOST_LEVELS = 100


def encoded(body: Mapping[str, Any]) -> bytes:
    """Return the body of a request.

    Raises
    ------
    Unsendable
        Naming the field that JSON has no form for.
    """
    # Not left to the encoder: how deep it goes is the version of Python's, and the service's limit is one for all.
    if _deeper(body, MOST_LEVELS):
        raise Unsendable(_fault(body, "#") or f"what is to be sent must not have more than {MOST_LEVELS} levels")
    try:
        return json.dumps(body, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Unsendable(_fault(body, "#") or f"what is to be sent is no JSON: {error}") from error


def _deeper(value: Any, levels: int) -> bool:
    """Return whether there are more levels than so many; what holds itself has."""
    if not isinstance(value, Mapping | list | tuple):
        return False
    inside = value.values() if isinstance(value, Mapping) else value
    return levels <= 0 or any(_deeper(one, levels - 1) for one in inside)


def _fault(value: Any, pointer: str, depth: int = 0) -> str | None:
    """Return the first field without a form in JSON, and why; None where none is found."""
    if depth > MOST_LEVELS:
        return f"{pointer[:100]}…: must not have more than {MOST_LEVELS} levels"
    if isinstance(value, Mapping | list | tuple):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        # A name may be at fault too.
        found = (_fault(key, pointer, depth + 1) or _fault(one, f"{pointer}/{key}", depth + 1) for key, one in pairs)
        return next((one for one in found if one is not None), None)
    if isinstance(value, float) and not isfinite(value):
        return f"{pointer}: must be a finite number, not {value}"
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        return f"{pointer}: has half a character, {value[:40]!a}"
    if value is None or isinstance(value, bool | int | float | str):
        return None
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    return f"{pointer}: must be a plain number, text, list or mapping, not {kind}"
