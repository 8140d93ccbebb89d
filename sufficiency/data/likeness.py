"""Names that are taken for different ones and differ in little."""

import contextlib
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sufficiency.data.description import Remark

_MOST_NAMED = 10


def likeness(name: str) -> Any:
    """Return what names have in common that differ in spaces, capitals, how a number or an accent is written."""
    composed = unicodedata.normalize("NFKC", name)
    words = " ".join(composed.split())
    key: Any = words if len(composed) == 1 else words.casefold()  # of letters by themselves, a and A are two
    with contextlib.suppress(ArithmeticError):
        number = Decimal(key)  # float would take long numbers for alike
        key = key if number.is_nan() else number
    return key


def told_apart_by_eye(*names: str) -> list[str]:
    """Return names in quotes; where some look the same, as é of one character and of two do, by their code points."""
    seen = {unicodedata.normalize("NFC", name) for name in names}
    return [repr(name) if len(seen) == len(names) else ascii(name) for name in names]


def twins(names: Sequence[str], what: str) -> list[Remark]:
    """Return a warning where names differ in spaces, capitals, or how a number or an accent is written."""
    alike: dict[Any, list[str]] = defaultdict(list)
    for name in names:
        alike[likeness(name)].append(name)
    return [
        Remark("names_alike", f"{what} {' and '.join(told_apart_by_eye(*group))} are taken for different ones")
        for group in list(alike.values())[: len(names)]
        if len(group) > 1
    ][:_MOST_NAMED]
