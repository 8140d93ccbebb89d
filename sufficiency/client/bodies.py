"""What is sent, as JSON: and what JSON has no form for, by its field."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from sufficiency.client.errors import Unsendable
from sufficiency.schemas.limits import DEPTH


def encoded(body: Mapping[str, Any]) -> bytes:
    """Return the body of a request.

    Raises
    ------
    Unsendable
        Naming the field that JSON has no form for.
    """
    # Not left to the encoder: it names no field, and how deep it goes is the version of Python's.
    if fault := _fault(body, "#", 0):
        raise Unsendable(fault)
    try:
        return json.dumps(body, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:  # such as a name that is no text
        raise Unsendable(f"what is to be sent is no JSON: {error}") from error


def _fault(value: Any, pointer: str, depth: int) -> str | None:
    """Return the first field without a form in JSON, and why; None where there is none."""
    if isinstance(value, Mapping | list | tuple):
        if depth >= DEPTH:  # what holds itself too
            return f"{pointer[:100]}…: nested more than {DEPTH} deep"
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
