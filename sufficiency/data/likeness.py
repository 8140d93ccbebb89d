"""Names that are taken for different ones and differ in little."""

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sufficiency.data.description import Remark

_MOST_NAMED = 10


def twins(names: Sequence[str], what: str) -> list[Remark]:
    """Return a warning where names differ in spaces, capitals, or how a number is written."""
    alike: dict[Any, list[str]] = defaultdict(list)
    for name in names:
        words = " ".join(name.split())
        key: Any = words if len(name) == 1 else words.casefold()  # of letters by themselves, a and A are two
        with contextlib.suppress(ArithmeticError):
            number = Decimal(key)  # float would take long numbers for alike
            key = key if number.is_nan() else number
        alike[key].append(name)
    return [
        Remark("names_alike", f"{what} {' and '.join(map(repr, group))} are taken for different ones")
        for group in list(alike.values())[: len(names)]
        if len(group) > 1
    ][:_MOST_NAMED]
