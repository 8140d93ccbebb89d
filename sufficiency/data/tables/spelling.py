"""What is written in cells as numbers, truth values, dates and times of day."""

import datetime
import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.tables.columns import HOUR, MINUTE, SECOND

Decimal = Literal[".", ","]

_PLAIN = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:inf|infinity))$"
_COMMA = r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)?(,\d+)?([eE][+-]?\d+)?$"
_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"
_DATE = re.compile(
    r"(\d{4}|\d{1,2})([-./])(\d{1,2})\2(\d{4}|\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?)?"
)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.*)?")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d+))?)?")
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_EPOCH = datetime.datetime(1970, 1, 1)
_WHOLE = 2.0**53


def numbers_in(
    words: Any, decimal: Decimal | None, delimiter: str
) -> tuple[NDArray[Any], NDArray[np.bool_], Literal["", "comma", "thousands"]]:
    """Return the numbers that words stand for, which words are numbers, and how they are written.

    Parameters
    ----------
    words : pyarrow string array, shape (W,)
        Trimmed, without those that stand for a missing value.
    decimal : {".", ","}, optional
        What stands before the fraction; found where not given.
    delimiter : str
        Of the file: numbers in a file of commas have no decimal comma unless they must.
    """
    import pyarrow.compute as pc

    plain = _matches(words, _PLAIN)
    if plain.all() and decimal != ",":
        return _parsed(words, plain), plain, ""
    comma, thousands = _matches(words, _COMMA), _matches(words, _THOUSANDS)
    comma &= np.asarray(pc.match_substring_regex(words, r"\d"))
    english, german = plain | thousands, comma
    if decimal is None:
        if german.all() and english.all():  # 1,234 may be either
            how = "." if delimiter == "," else ","
        else:
            how = "," if german.sum() > english.sum() else "."
    else:
        how = decimal
    known = german if how == "," else english
    bare = words
    if how == ",":
        bare = pc.replace_substring(pc.replace_substring(words, ".", ""), ",", ".")
    elif thousands.any():
        bare = pc.replace_substring(words, ",", "")
    numbers = _parsed(bare, known)
    if how == "," and not (plain & (numbers == _parsed(words, plain)))[known].all():
        return numbers, known, "comma"
    return numbers, known, "thousands" if how == "." and thousands.any() else ""


def _matches(words: Any, pattern: str) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    return np.asarray(pc.match_substring_regex(words, pattern), dtype=bool)


def _parsed(words: Any, known: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the numbers of the words that are some, 0 for the others; whole where float64 would round them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    chosen = words.filter(pa.array(known))
    numbers: NDArray[Any] = np.zeros(len(words), np.float64)
    numbers[known] = pc.cast(chosen, pa.float64()).to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):
        if np.abs(numbers).max(initial=0) >= _WHOLE:
            try:
                whole = np.zeros(len(words), np.int64)
                whole[known] = pc.cast(chosen, pa.int64()).to_numpy(zero_copy_only=False)
                return whole
            except pa.ArrowInvalid:
                pass
    return numbers


def truths_in(words: Sequence[str]) -> NDArray[np.float64] | None:
    """Return 1 and 0 for true and false, or None where a word is neither; 1 and 0 may stand beside them."""
    if not any(word in (*_TRUE, *_FALSE) for word in words):
        return None
    known = {**dict.fromkeys((*_TRUE, "1"), 1.0), **dict.fromkeys((*_FALSE, "0"), 0.0)}
    found = [known.get(word) for word in words]
    return None if None in found else np.array(found, dtype=np.float64)


def times_in(words: Sequence[str]) -> NDArray[np.int64] | None:
    """Return microseconds since midnight, or None where a word is no time of day."""
    found = []
    for word in words:
        if (match := _TIME.fullmatch(word)) is None:
            return None
        hour, minute, second, fraction = match.groups()
        micro = int((fraction or "0")[:6].ljust(6, "0"))
        found.append(int(hour) * HOUR + int(minute) * MINUTE + int(second or 0) * SECOND + micro)
    return np.array(found, dtype=np.int64)


def dated(words: Sequence[str]) -> NDArray[np.bool_]:
    """Return which words are a date by themselves, however each is written."""
    looks = (word if _ISO.fullmatch(word) or _DATE.fullmatch(word) else None for word in words)
    return np.array([word is not None and dates_in([word]) is not None for word in looks], dtype=bool)


def dates_in(words: Sequence[str]) -> tuple[NDArray[np.int64], bool] | None:
    """Return microseconds since 1970 (UTC), and whether day and month cannot be told apart; None for other words."""
    if not words:
        return None
    if all(_ISO.fullmatch(word) for word in words):
        try:
            return np.array([_microseconds(datetime.datetime.fromisoformat(word)) for word in words], np.int64), False
        except ValueError:
            return None
    matches = [_DATE.fullmatch(word) for word in words]
    parts = [match.groups() for match in matches if match is not None]
    if len(parts) < len(words):
        return None
    orders: list[list[int]] = []
    for order in ("year first", "day first", "month first"):
        try:
            orders.append([_microseconds(_dated(part, order)) for part in parts])
        except ValueError:
            orders.append([])
    year, day, month = orders
    if year:
        return np.array(year, np.int64), False
    if not day and not month:
        return None
    dotted = all(part[1] == "." for part in parts)  # nobody writes the month first and dots
    unclear = bool(day) and bool(month) and day != month and not dotted
    return np.array(day or month, np.int64), unclear


def _dated(part: tuple[str, ...], order: str) -> datetime.datetime:
    first, _, second, third, hour, minute, seconds = part
    year, month, day = {
        "year first": (first, second, third),
        "day first": (third, second, first),
        "month first": (third, first, second),
    }[order]
    if len(year) != 4:
        raise ValueError("a year has four digits")
    return datetime.datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(seconds or 0))


def _microseconds(moment: datetime.datetime) -> int:
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    return (moment - _EPOCH) // datetime.timedelta(microseconds=1)
