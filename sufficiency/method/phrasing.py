"""Numbers and factors as a person would say them in a sentence."""

import math
from collections.abc import Sequence

from sufficiency.schemas.text import MINUS, number

_WORDS = {1: "once", 2: "twice", 3: "three times", 4: "four times", 5: "five times", 8: "eight times", 10: "ten times"}
_MOST_DECIMALS, _MOST_MORE = 9, 3


def value_text(value: float, difference: float = math.inf) -> str:
    """Return a metric's value with three digits, or as many more as show a `difference` between two of them."""
    return values_text([value], difference)[0]


def values_text(values: Sequence[float], difference: float = math.inf) -> list[str]:
    """Return values of one metric with as many decimals as each other: three digits of the largest, or a few more."""
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    if not 1e-9 <= largest < 1e15:
        return ["0" if v == 0 else number(v) for v in values]
    decimals = 3 if 0.1 <= largest <= 1 else 2 - math.floor(math.log10(largest))
    if 0 < difference < math.inf:
        decimals = max(decimals, min(math.ceil(-math.log10(difference)), decimals + _MOST_MORE))
    return [_fixed(v, decimals) if math.isfinite(v) else number(v) for v in values]


def size_text(size: float) -> str:
    """Return how large a difference is, with two digits and no zeros at the end: 0.0073."""
    if not math.isfinite(size) or not 1e-9 <= abs(size) < 1e15:
        return "0" if size == 0 else number(size)
    text = _fixed(size, 1 - math.floor(math.log10(abs(size))))
    return text.rstrip("0").rstrip(".") if "." in text else text


def beside(size: float, other: float) -> str:
    """Return `size_text`, with as many digits more as it takes to read otherwise than `other`, if it is otherwise."""
    shown = size_text(size)
    if shown != size_text(other) or size == other or not 1e-9 <= abs(size) < 1e15:
        return shown
    first = 1 - math.floor(math.log10(abs(size)))
    for decimals in range(first + 1, first + _MOST_DECIMALS):
        if _fixed(size, decimals) != _fixed(other, decimals):
            return _fixed(size, decimals)
    return shown


def money_text(amount: float) -> str:
    """Return an amount of money, whole from a hundred on: 1,240, or 3.50."""
    return _fixed(amount, 0 if abs(amount) >= 100 or amount == round(amount) else 2)


def items_text(n: float, digits: int = 3) -> str:
    """Return a number of items that nobody counted, rounded to a few digits: 19,900."""
    return _fixed(n, min(digits - 1 - math.floor(math.log10(max(n, 1.0))), 0))


def as_much(factor: int) -> str:
    """Return how many times as much data: twice the data, five times the data."""
    return f"{_WORDS.get(factor, f'{factor} times')} the data"


def as_large(factor: float) -> str:
    """Return how many times as large something is: twice as large, 7 times as large."""
    whole = max(round(factor), 2)
    return f"{_WORDS.get(whole, f'{whole:,} times')} as large"


def _fixed(value: float, decimals: int) -> str:
    value = round(value, decimals) + 0.0  # what is rounded to zero has no sign
    text = f"{value:,.0f}" if decimals <= 0 else f"{value:,.{decimals}f}"
    return text.replace("-", MINUS)
