"""How numbers read for people, one rule each: on the command line, in sentences, legends and notebooks.

The page has the same rules in `app/page/static/dom.js`, and a test holds the two to one another.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from math import floor, isfinite, log10
from typing import Any

from sufficiency.schemas.words import StopReason, TargetStatus, Worth

NO_VALUE = "–"
MINUS = "−"
DIGITS = 4  # after the point, of a value between 0.001 and 10

# What an answer's words mean, as they are said.
WORTH: dict[Worth, str] = {
    "yes": "more data is worth it",
    "no": "more data is hardly worth it",
    "unclear": "whether more data is worth it cannot be told yet",
}
STOPPED: dict[StopReason, str] = {
    "decided": "the question is decided",
    "budget": "the budget pays for no further cell",
    "grid": "every run is measured at every step",
}
STATUS: dict[TargetStatus, str] = {
    "reached": "measured",
    "needs": "more than is measured",
    "beyond_horizon": "more than is looked for",
    "unreachable": "out of reach",
    "undetermined": "cannot be told",
}


def count(n: float | None) -> str:
    """Return a number of items, with thousands set apart: 7,481."""
    return NO_VALUE if n is None else f"{_rounded(n, 0):,}".replace("-", MINUS)


def counted(n: float, what: str) -> str:
    """Return a number of things: 1 cell, 7,481 cells."""
    return f"{count(n)} {what}{'' if n == 1 else 's'}"


def short_count(n: float) -> str:
    """Return a number of items as short as an axis wants it: 25, 1k, 2.5M."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if n >= unit:
            return f"{_significant(n / unit, 3)}{name}"
    return _significant(n, 3)


def number(value: float | None) -> str:
    """Return a metric's value: 0.9460, 0.00031, 12.346, 1.20e-5."""
    if value is None or not isfinite(value):
        return NO_VALUE
    size = abs(value)
    if size != 0 and (size >= 1e5 or size < 1e-4):
        mantissa, exponent = f"{value:.2e}".split("e")
        text = f"{mantissa}e{int(exponent):+d}"
        return f"{MINUS}{text[1:]}" if value < 0 else text
    if size != 0 and size < 1e-3:
        text = f"{_rounded(value, 5):f}"
    elif size >= 10:
        text = _significant(value, 5)
    else:
        text = f"{_rounded(value, DIGITS):f}"
    return text.replace("-", MINUS)


def signed(value: float) -> str:
    """Return a change of a metric, with its sign: +0.0110."""
    return number(value) if value < 0 else f"+{number(value)}"


def spread(mean: float | None, sd: float | None) -> str:
    """Return a mean and the standard deviation about it, if there is one: 0.9460 ± 0.0031."""
    return number(mean) if mean is None or sd is None else f"{number(mean)} ± {number(sd)}"


def percent(share: float) -> str:
    """Return a probability or a share: 84 %; what is not quite all, or nearly nothing, is said to be so."""
    if 0.99 < share < 1:
        return "> 99 %"
    if 0 < share < 0.01:
        return "< 1 %"
    return f"{floor(share * 100 + 0.5)} %"


def level_text(share: float) -> str:
    """Return the level of an interval, with all its digits: 95 %, 99.9 %."""
    return f"{float(f'{share * 100:.10g}'):.10g} %"


def times(factor: float) -> str:
    """Return how many times as much something is: 2×."""
    return f"{_significant(factor, 3)}×"


def duration(seconds: float | None) -> str:
    """Return how long something takes, in the unit that fits."""
    if seconds is None:
        return NO_VALUE
    if seconds < 90:
        return f"{max(1, floor(seconds + 0.5))} s"
    if seconds < 5400:
        return f"{floor(seconds / 60 + 0.5)} min"
    if seconds < 129600:
        return f"{_rounded(seconds / 3600, 1)} h"
    return f"{_rounded(seconds / 86400, 1)} days"


def warned(warnings: Iterable[Mapping[str, Any] | str]) -> list[str]:
    """Return warnings as they are said: each once, after the metrics that it is of."""
    metrics: dict[str, list[str]] = {}
    for one in warnings:
        detail, metric = (one, None) if isinstance(one, str) else (str(one["detail"]), one.get("metric"))
        named = metrics.setdefault(detail, [])
        # Many begin with the metric's name, or have it within.
        if metric and metric not in named and not re.search(rf"(?<!\w){re.escape(metric)}(?!\w)", detail):
            named.append(metric)
    return [f"{several(names)}: {detail}" if names else detail for detail, names in metrics.items()]


def several(names: Sequence[str], most: int = 3) -> str:
    """Return the first names, and how many more there are: Accuracy, F1, Loss and 4 more."""
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left} more" if left > 0 else "")


def _rounded(value: float, digits: int) -> Decimal:
    """Round as JavaScript does: what lies in the middle away from zero."""
    exact = Decimal(value)
    # The default context's 28 digits do not hold every double with digits after the point.
    made = exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) if abs(exact) < 10**20 else exact
    return made or abs(made)  # nothing has no sign


def _significant(value: float, digits: int) -> str:
    """Return a number with so many digits, without zeros at the end."""
    if value == 0:
        return "0"
    decimals = digits - 1 - floor(log10(abs(value)))
    rounded = _rounded(value, decimals)
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
