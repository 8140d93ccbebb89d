"""Columns of a table whose kind is known: numbers, truth values, categories, dates, times of day, text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["number", "boolean", "category", "date", "time", "empty", "mixed", "other"]

DAY, HOUR, MINUTE, SECOND = 86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000  # microseconds


@dataclass(frozen=True)
class Texts:
    """What stands in the cells: a number into `words` for each row.

    Parameters
    ----------
    codes : ndarray of int, shape (N,)
        -1 where a value is missing.
    words : sequence of str
    """

    codes: NDArray[np.int64]
    words: Sequence[str]

    def at(self, row: int) -> str:
        """Return what stands in one row; nothing where it is missing."""
        return self.words[self.codes[row]] if self.codes[row] >= 0 else ""

    def present(self) -> list[str]:
        """Return the words that some row has, sorted."""
        return sorted(self.words[k] for k in np.unique(self.codes) if k >= 0)

    def as_list(self) -> list[str]:
        """Return what stands in every row; nothing where it is missing."""
        return [self.words[code] if code >= 0 else "" for code in self.codes.tolist()]


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    name : str
    kind : str
    missing : ndarray of bool, shape (N,)
    numbers : ndarray of float64 or int64, shape (N,), or None
        Numbers; 0 and 1 of truth values; microseconds since 1970, or since midnight, of dates and times;
        0 where missing.
    texts : Texts or None
        What stands in the cells; None where numbers of many values need no names.
    unclear : str
        What is wrong with the column, said so that it goes on after its name; empty where nothing is.
    spelling : str
        How its numbers are written, where it is not the way of programs.
    unit : str
        The sign that stands at each of its numbers: per cent, or a currency's.
    doubt : str
        Why its categories may be numbers, said so that it goes on after its name; empty where nothing speaks for it.
    """

    name: str
    kind: Kind
    missing: NDArray[np.bool_]
    numbers: NDArray[Any] | None = None
    texts: Texts | None = None
    unclear: str = ""
    spelling: str = ""
    unit: str = ""
    doubt: str = ""

    def __len__(self) -> int:
        return len(self.missing)

    def take(self, rows: NDArray[np.int64]) -> "Column":
        """Return the column of these rows."""
        return replace(
            self,
            missing=self.missing[rows],
            numbers=None if self.numbers is None else self.numbers[rows],
            texts=None if self.texts is None else Texts(self.texts.codes[rows], self.texts.words),
        )

    def present(self) -> NDArray[Any]:
        """Return the numbers of the rows that have one."""
        assert self.numbers is not None, f"a {self.kind} has no numbers"
        return np.asarray(self.numbers[~self.missing])

    def first_missing(self) -> int:
        """Return the first row without a value."""
        return int(np.argmax(self.missing))


def counts_rows(values: NDArray[Any]) -> bool:
    """Return whether numbers are no more than the rows' own: 0 … N−1 or 1 … N, in order or shuffled.

    Notes
    -----
    In a handful of rows, small numbers may be these by chance.
    """
    size = len(values)
    if size < 10 or values.min() not in (0, 1) or values.max() - values.min() != size - 1:
        return False
    in_order = bool((np.diff(values) == 1).all())
    return in_order or (size >= 30 and bool((np.diff(np.sort(values)) == 1).all()))
