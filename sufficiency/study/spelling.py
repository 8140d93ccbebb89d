"""Numbers as people and spreadsheets write them: 1,000 or 1.000, 2k, 93.2%, 0,932, and a number with its spread."""

import math
import re
from collections.abc import Sequence
from typing import Any

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
# Groups of three digits: a thousand, or three decimals; a leading nought leaves decimals alone.
_BY_COMMAS, _BY_POINTS = (
    re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?"),
    re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?"),
)
_ONE_OR_THOUSAND = re.compile(r"[1-9]\d{0,2}([.,]000)+")
_THOUSANDS = {"k": 1_000, "m": 1_000_000}
_SCALED = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([kKmM])")
_SPREAD = re.compile(r"[+-]?[\d.,]+\s*(?:±|\+/-|\+-|\()\s*[\d.,]+\s*\)?")
MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "–"}


def number_of(text: str) -> float | None:
    """Return what a text says; None for a missing one, or an infinity.

    Raises
    ------
    ValueError
        For what is no number, with what to write.
    """
    text = text.strip()
    if text.lower() in MISSING or text.lower().lstrip("+-") in ("inf", "infinity"):
        return None
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else None
    if _SPREAD.fullmatch(text):
        raise ValueError(f"{text!r} is a number and its spread: give the number alone, or a row for each run")
    raise ValueError(f"{text!r} is no number")


def is_number(text: str) -> bool:
    """Return whether a text is a number, with a point as decimal sign."""
    return _NUMBER.fullmatch(text.strip()) is not None


def size_of(text: str) -> str:
    """Return a size that is given in thousands or millions, such as 2.5k, in full; any other text as it is.

    Raises
    ------
    ValueError
        For a share of the whole.
    """
    if text.strip().endswith("%"):
        raise ValueError(f"{text!r} is a share, and no training-set size: give the number of items")
    found = _SCALED.fullmatch(text.strip())
    return text if found is None else repr(float(found[1]) * _THOUSANDS[found[2].lower()])


def plain(rows: Sequence[Sequence[str]], delimiter: str) -> list[list[str]]:
    """Return the cells of a file with a point as decimal sign, and nothing between thousands.

    Notes
    -----
    1,000 is a thousand where fields end at commas, or where other numbers have a decimal point; elsewhere it is one.
    1.000 is a thousand where other numbers have a decimal comma. What is per cent is no thousand.

    Raises
    ------
    ValueError
        Where fields do not end at commas, and nothing tells whether 1,000 or 1.000 is one or a thousand.
    """
    signs = [(cell, cell.removesuffix("%").rstrip()) for row in rows for cell in row]
    points = any(_NUMBER.fullmatch(bare) and "." in bare and not _BY_POINTS.fullmatch(cell) for cell, bare in signs)
    commas = any(_WITH_COMMA.fullmatch(bare) and not _BY_COMMAS.fullmatch(cell) for cell, bare in signs)
    if delimiter == "," or (points and not commas):
        return [[cell.replace(",", "") if _BY_COMMAS.fullmatch(cell) else cell for cell in row] for row in rows]
    if not points and not commas and (either := next((c for c, _ in signs if _ONE_OR_THOUSAND.fullmatch(c)), None)):
        raise ValueError(f"{either!r} may be read with a decimal sign or as thousands, and no other number tells which")
    grouped = commas and not points

    def one(cell: str) -> str:
        if grouped and _BY_POINTS.fullmatch(cell):
            cell = cell.replace(".", "")
        return cell.replace(",", ".") if _WITH_COMMA.fullmatch(cell.removesuffix("%").rstrip()) else cell

    return [[one(cell) for cell in row] for row in rows]


def without_per_cent(values: Sequence[Any]) -> list[Any]:
    """Return values without a sign of per cent that all of them have.

    Raises
    ------
    ValueError
        Where some have one and others do not.
    """
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip().lower() not in MISSING]
    signed = [text for text in texts if text.endswith("%") and _NUMBER.fullmatch(text[:-1].strip())]
    if not signed:
        return list(values)
    if other := next((value for value in values if not _is_missing(value) and str(value).strip() not in signed), None):
        raise ValueError(f"{signed[0]!r} is per cent, and {other!r} says nothing of the kind: write them alike")
    return [value.strip().removesuffix("%") if isinstance(value, str) else value for value in values]


def without_na(values: Sequence[Any]) -> list[Any]:
    """Return values with None for pandas' NA, which says of no comparison whether it holds, and is no number."""
    return [None if type(value).__name__ == "NAType" else value for value in values]


def is_meant_as_numbers(values: Sequence[Any]) -> bool:
    """Return whether most of some values are numbers, be it with their spread."""
    return sum(_is_meant(value) for value in values) * 2 > len(values)


def _is_meant(value: Any) -> bool:
    if not isinstance(value, str):
        return isinstance(value, int | float) and value == value
    return bool(_NUMBER.fullmatch(value.strip()) or _SPREAD.fullmatch(value.strip()))


def _is_missing(value: Any) -> bool:
    return value is None or value != value or (isinstance(value, str) and value.strip().lower() in MISSING)
