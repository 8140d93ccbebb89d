"""Golden values: what was computed when they were written, kept as JSON, and compared with what is computed now."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

DATA = Path(__file__).parent / "data"
# Libraries round the last digits in their own way on each kind of processor; a changed formula is farther off.
RTOL, ATOL = 1e-9, 1e-12
# Of numbers out of a training, where another torch or other vector instructions have rounded each of its steps.
RTOL_OF_ANOTHER_MACHINE = 1e-4
# More than the tolerance asks for, and short enough to be read.
DIGITS = 12
WIDTH = 120
MOST_SHOWN = 12
_HEX = re.compile(r"-?0x[01]\.[0-9a-f]+p[+-]\d+")
_TO_WRITE = "If that is meant, run `python -m tests.golden.write` and say in the commit why."

writing = False
checked: dict[str, bool] = {}  # every name asked for by this process, and whether its file was written anew


def check(name: str, value: object, *, machine: Mapping[str, str] | None = None, rtol: float = RTOL) -> None:
    """Compare a value with the golden one of that name; `tests.golden.write` has it kept instead.

    Parameters
    ----------
    name : str
        Of the file in ``data/``, without its ending.
    value : object
        JSON values, dataclasses, pydantic models and arrays, in any depth. Nothing else, so that no `repr`, identifier
        or time can slip in. Floats are compared to `rtol`, those written as `float.hex()` to the last bit.
    machine : mapping of str to str, optional
        What the last bits depend on. It is kept with the value, and on another machine numbers written as
        `float.hex()` may differ by `RTOL_OF_ANOTHER_MACHINE`.

    Raises
    ------
    AssertionError
        With the first places that differ.
    """
    assert name not in checked, f"two tests check the golden {name!r}"
    now = plain(value)
    file = DATA / f"{name}.json"
    kept = json.loads(file.read_text()) if file.exists() else None
    is_same_machine = machine is None or kept is None or kept["machine"] == dict(machine)
    if kept is None:
        found = ["there is no such file"]
    else:
        of = kept["value"] if machine is not None else kept
        hex_rtol = 0.0 if is_same_machine else RTOL_OF_ANOTHER_MACHINE
        found = list(differences(of, now, rtol=rtol, hex_rtol=hex_rtol))
    checked[name] = writing and bool(found)
    if not found:
        return
    if writing:
        file.write_text(text(now if machine is None else {"machine": plain(machine), "value": now}) + "\n")
        return
    more = [f"… and {len(found) - MOST_SHOWN} more"] if len(found) > MOST_SHOWN else []
    where = [] if machine is None or kept is None else [_holds_for(kept["machine"], machine, is_same_machine)]
    raise AssertionError("\n".join([f"golden {name}:", *found[:MOST_SHOWN], *more, *where, _TO_WRITE]))


def _holds_for(kept: Mapping[str, str], now: Mapping[str, str], is_same: bool) -> str:
    """Return for which machine a golden holds, and how it was compared."""
    how = "to the last bit" if is_same else f"to {RTOL_OF_ANOTHER_MACHINE:g}"
    return f"It holds for {_listed(kept)}; here: {_listed(now)}; compared {how}."


def _listed(machine: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in machine.items())


def plain(value: object) -> Any:
    """Return a value as JSON has it; floats rounded to `DIGITS`, and as words where JSON cannot write them.

    Raises
    ------
    TypeError
        For what JSON has no form of.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else str(value)
        case np.ndarray() | np.generic():
            return plain(value.tolist())
        case BaseModel():
            return plain(value.model_dump())
        case Mapping():
            return {_key(key): plain(item) for key, item in value.items()}
        case Sequence():
            return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no place in a golden value")


def _key(key: object) -> str:
    if isinstance(key, str | int):
        return str(key)
    raise TypeError(f"a key that is a {type(key).__name__} has no place in a golden value")


def differences(kept: Any, now: Any, *, rtol: float = RTOL, hex_rtol: float = 0.0, at: str = "") -> Iterator[str]:
    """Yield where two JSON values differ, and how; 1, 1.0 and true are three different values.

    Parameters
    ----------
    rtol : float
        Of floats; `ATOL` is allowed in any case.
    hex_rtol : float
        Of strings that both are floats as `float.hex()` writes them; 0 compares them to the last bit.
    """
    if isinstance(kept, dict) and isinstance(now, dict):
        for key in [*kept, *(key for key in now if key not in kept)]:
            place = f"{at}/{key}"
            if key not in now:
                yield f"{place}: is no longer there, was {_short(kept[key])}"
            elif key not in kept:
                yield f"{place}: is new, {_short(now[key])}"
            else:
                yield from differences(kept[key], now[key], rtol=rtol, hex_rtol=hex_rtol, at=place)
    elif isinstance(kept, list) and isinstance(now, list):
        if len(kept) != len(now):
            yield f"{at or '/'}: has {len(now)} items, had {len(kept)}"
        for index, (one, other) in enumerate(zip(kept, now, strict=False)):
            yield from differences(one, other, rtol=rtol, hex_rtol=hex_rtol, at=f"{at}/{index}")
    elif not _equal(kept, now, rtol, hex_rtol):
        yield f"{at or '/'}: is {_short(now)}, was {_short(kept)}"


def _equal(kept: Any, now: Any, rtol: float, hex_rtol: float) -> bool:
    if type(kept) is not type(now):
        return False
    if isinstance(kept, float):
        return math.isclose(kept, now, rel_tol=rtol, abs_tol=ATOL)
    if hex_rtol and isinstance(kept, str) and _HEX.fullmatch(kept) and _HEX.fullmatch(now):
        return math.isclose(float.fromhex(kept), float.fromhex(now), rel_tol=hex_rtol, abs_tol=ATOL)
    return bool(kept == now)


def _short(value: Any) -> str:
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) <= WIDTH else f"{written[:WIDTH]}…"


def text(value: Any, indent: int = 0) -> str:
    """Return JSON with a line for whatever fits into one, so that a change shows as the few lines that it changed."""
    one_line = json.dumps(value, ensure_ascii=False)
    if len(one_line) + 2 * indent <= WIDTH or not isinstance(value, dict | list):
        return one_line
    inner = "  " * (indent + 1)
    if isinstance(value, dict):
        entries = [f"{json.dumps(key, ensure_ascii=False)}: {text(item, indent + 1)}" for key, item in value.items()]
    elif any(isinstance(item, dict | list) or (isinstance(item, str) and " " in item) for item in value):
        entries = [text(item, indent + 1) for item in value]  # a sentence has a line of its own
    else:
        entries = list(_filled([json.dumps(item, ensure_ascii=False) for item in value], WIDTH - len(inner)))
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([opening, ",\n".join(inner + entry for entry in entries), "  " * indent + closing])


def _filled(words: Sequence[str], width: int) -> Iterator[str]:
    """Yield lines of words with commas between them, each about as long as `width` allows."""
    line = words[0]
    for word in words[1:]:
        if len(line) + len(word) + 2 > width:
            yield line
            line = word
        else:
            line += f", {word}"
    yield line
