"""Numbers that are written for people: with a unit, with spaces, with words where there is none."""

import re
from collections.abc import Sequence
from decimal import Decimal as Exact
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Per cent and per mille; dollar, euro, pound, yen, rupee.
_SIGNS = "%‰$€£¥₹"
_SIGNED = re.compile(rf"([+-]?)\s*([{_SIGNS}]?)\s*([+-]?[\d.,]+(?:[eE][+-]?\d+)?)\s*([{_SIGNS}]?)")
_AMOUNT = re.compile(rf"[<>≤≥~≈(+\-−{_SIGNS}]*\s*\d[\d\s.,'’_]*?\s*([^\W\d_]{{1,4}}[²³]?)?[{_SIGNS})]*")
_WHOLE = re.compile(r"[+-]?\d+")
_NOTHING = {"", "-", "--", "---", "–", "—", ".", "..", "...", "?", "??", "*", "/", "na", "n/a", "n.a", "nan", "nil"}
_NOTHING |= {"none", "null", "void", "missing", "unknown", "unk", "undefined", "no data", "not available"}
_NOTHING |= {"not applicable", "tbd", "empty", "blank"}
_SOME, _MANY_AS_TEXT, _MOST_LISTED = 3, 20, 3
_LARGE = 2.0**53


def stands_for_nothing(word: str) -> bool:
    """Return whether a word is one that people write where they have no value."""
    bare = word.strip().strip("()<>[]").lower()
    return bare in _NOTHING or bare.rstrip(".") in _NOTHING


def without_unit(words: Sequence[str]) -> tuple[list[str], str]:
    """Return words without the percent or currency sign that each number among them has, and the sign.

    The sign is empty, and the words are as they were, where not all have the same: of prices in two currencies none
    is taken for the other's. What stands for nothing has no sign.
    """
    signs: set[str] = set()
    bare = []
    for word in words:
        if stands_for_nothing(word):
            bare.append(word)
            continue
        match = _SIGNED.fullmatch(word.replace("−", "-"))
        if match is None or bool(match[2]) == bool(match[4]) or len(signs) > 1:
            return list(words), ""
        signs.add(match[2] or match[4])
        bare.append(match[1] + match[3])
    return (bare, signs.pop()) if len(signs) == 1 else (list(words), "")


def too_long(words: Sequence[str], numbers: NDArray[Any]) -> str:
    """Return what is wrong with whole numbers of which float64 takes different ones for the same."""
    if numbers.dtype.kind == "i" or np.abs(numbers).max(initial=0) < _LARGE:
        return ""
    whole = [k for k, word in enumerate(words) if abs(numbers[k]) >= _LARGE and _WHOLE.fullmatch(word)]
    lost = len({Exact(words[k]) for k in whole}) - len(np.unique(numbers[whole]))
    if not lost:
        return ""
    return (
        f"holds whole numbers beyond 2**53, of which float64 takes {lost} for others: name the column in "
        "`categorical` if they are names, or write fewer digits"
    )


def doubt_about(words: Sequence[str], known: NDArray[np.bool_]) -> str:
    """Return why words may be numbers after all, said so that it goes on after a column's name; mostly nothing.

    Parameters
    ----------
    words : sequence of str
        Those of a column that become categories, trimmed.
    known : ndarray of bool
        Which of them are numbers as programs write them.
    """
    names = "or name the column in `categorical` if they are names"
    odd = [word for word, plain in zip(words, known.tolist(), strict=True) if not plain]
    marks = [word for word in odd if stands_for_nothing(word)]
    if known.sum() >= _SOME and len(odd) < known.sum() and (len(odd) <= _MOST_LISTED or len(marks) == len(odd)):
        return (
            f"holds numbers but for {_listed(odd)}, and each becomes a category: add what stands for a missing value "
            f"to `missing_values`, {names}"
        )
    matches = [_AMOUNT.fullmatch(word) for word in odd if not stands_for_nothing(word)]
    units = {match[1] for match in matches if match is not None}
    if len(matches) + known.sum() < _SOME or not matches or None in matches or len(units - {None}) > 1:
        return ""
    told = _listed([word for word in odd if word not in marks])
    return f"holds amounts such as {told}, and each becomes a category: write the numbers alone, {names}"


def doubt_about_text(words: Sequence[str], known: NDArray[np.bool_]) -> str:
    """Return the same of a file whose text is text, whatever it looks like."""
    if known.sum() <= _MANY_AS_TEXT or not all(
        plain or stands_for_nothing(word) for word, plain in zip(words, known.tolist(), strict=True)
    ):
        return ""
    return (
        f"holds numbers as text, such as {words[int(np.argmax(known))]!r}, and each becomes a category: store them as "
        "numbers, or name the column in `categorical` if they are names"
    )


def _listed(words: Sequence[str]) -> str:
    return ", ".join(map(repr, words[:_MOST_LISTED])) + (" …" if len(words) > _MOST_LISTED else "")
