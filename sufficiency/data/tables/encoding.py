"""Columns as numbers: categories, and what fills gaps, are learnt from the training split alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.description import Feature
from sufficiency.data.tables.columns import DAY, HOUR, MINUTE, SECOND, Column
from sufficiency.data.tables.words import hashed_text

Missing = Literal["refuse", "drop", "impute"]
Dates = Literal["refuse", "ordinal", "parts"]


@dataclass(frozen=True)
class Choices:
    """What the user chose.

    Parameters
    ----------
    missing : {"refuse", "drop", "impute"}
        What becomes of missing values.
    dates : {"refuse", "ordinal", "parts"}
        What becomes of dates and times of day.
    text : tuple of str
        Columns of free text.
    text_features : int
        Features that each of them is hashed to.
    """

    missing: Missing
    dates: Dates
    text: tuple[str, ...]
    text_features: int

    @cached_property
    def texts(self) -> frozenset[str]:
        """The columns of free text, to be looked up."""
        return frozenset(self.text)


@dataclass(frozen=True)
class Coder:
    """How one column becomes numbers.

    Parameters
    ----------
    name : str
    kind : str
    choices : Choices
    categories : tuple of str
        Of a category: those of the training split, sorted.
    fill : str, float, int or None
        What stands for a missing value; None where the training split has no value at all.
    flagged : bool
        Whether a further number says where a value was missing.
    timed : bool
        Whether a date has hours.
    """

    name: str
    kind: str
    choices: Choices
    categories: tuple[str, ...] = ()
    fill: Any = None
    flagged: bool = False
    timed: bool = False

    @property
    def feature(self) -> Feature:
        """What a model gets of the column."""
        return Feature(self.name, self.kind, len(self.labels()))

    def labels(self) -> list[str]:
        """Return what each number is."""
        match self.kind:
            case "text":
                return [f"{self.name}#{k}" for k in range(self.choices.text_features)]
            case "category":
                return [f"{self.name}={category}" for category in self.categories]
            case "date" | "time" if self.choices.dates == "parts":
                labels = [f"{self.name}.{part}" for part in self._parts()]
            case _:
                labels = [self.name]
        return [*labels, f"{self.name} missing"] if self.flagged else labels

    def numbers(self, column: Column) -> list[NDArray[Any]]:
        """Return a column's numbers, in arrays of shape (N, k); float64 where float32 might round them."""
        if self.kind == "text":
            assert column.texts is not None, "free text keeps what stands in its cells"
            return [hashed_text(column.texts.as_list(), self.choices.text_features, self.name)[0]]
        if self.kind == "category":
            return [self._one_hot(column)]
        assert column.numbers is not None, f"a {self.kind} has numbers"
        values = np.where(column.missing, np.asarray(self.fill, dtype=column.numbers.dtype), column.numbers)
        flag = [column.missing.astype(np.float32)[:, None]] if self.flagged else []
        if self.kind in ("date", "time"):
            return [*self._of_date(values), *flag]
        return [values[:, None], *flag]

    def unseen(self, column: Column) -> list[str]:
        """Return a category column's values that the training split lacks."""
        known = set(self.categories)
        return [] if column.texts is None else [word for word in column.texts.present() if word not in known]

    def _one_hot(self, column: Column) -> NDArray[np.float32]:
        assert column.texts is not None, "a category keeps what stands in its cells"
        place = {category: k for k, category in enumerate(self.categories)}
        # The last place is of words that the training split lacks: they are none of its categories.
        of_words = np.array([place.get(word, len(place)) for word in column.texts.words] + [len(place)], np.int64)
        index = of_words[column.texts.codes]
        if self.fill is not None:
            index = np.where(column.missing, place[self.fill], index)
        return np.eye(len(place) + 1, len(place), dtype=np.float32)[index]

    def _parts(self) -> list[str]:
        day = [] if self.kind == "time" else ["year", "month", "day", "weekday"]
        return [*day, *(["hour", "minute", "second"] if self.timed else [])]

    def _of_date(self, values: NDArray[np.int64]) -> list[NDArray[Any]]:
        if self.choices.dates == "ordinal":
            return [(values / (SECOND if self.kind == "time" else DAY))[:, None]]
        days, rest = np.divmod(values, DAY)
        dates = days.astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        parts = {
            "year": dates.astype("datetime64[Y]").astype(np.int64) + 1970,
            "month": months.astype(np.int64) % 12 + 1,
            "day": (dates - months.astype("datetime64[D]")).astype(np.int64) + 1,
            "weekday": (days + 3) % 7,  # 1970 began on a Thursday; Monday is 0
            "hour": rest // HOUR,
            "minute": rest % HOUR // MINUTE,
            "second": rest % MINUTE // SECOND,
        }
        return [np.stack([parts[part] for part in self._parts()], axis=1).astype(np.float32)]


def coder_for(column: Column, choices: Choices) -> Coder:
    """Return how a column becomes numbers, learnt from its training split.

    Notes
    -----
    A gap is filled with the median of numbers, with the most frequent of categories and truth values.
    """
    if column.name in choices.texts:
        return Coder(column.name, "text", choices)
    gaps = choices.missing == "impute" and bool(column.missing.any())
    if column.kind == "category":
        assert column.texts is not None, "a category keeps what stands in its cells"
        categories = tuple(column.texts.present())
        fill = _most_frequent(column, categories) if choices.missing == "impute" else None
        return Coder(column.name, "category", choices, categories, fill)
    values = column.present()
    timed = column.kind == "time" or (column.kind == "date" and bool((values % DAY != 0).any()))
    middle: Any = 0
    if column.kind == "boolean":
        middle = float(len(values) > 0 and values.mean() > 0.5)
    elif len(values):
        middle = _median(values).item()
    return Coder(column.name, column.kind, choices, (), middle, gaps, timed)


def _median(values: NDArray[Any]) -> Any:
    """Return the median; of whole numbers one of them, so that it is whole and exact."""
    return np.median(values) if values.dtype.kind == "f" else np.sort(values)[(len(values) - 1) // 2]


def _most_frequent(column: Column, categories: Sequence[str]) -> str | None:
    assert column.texts is not None, "a category keeps what stands in its cells"
    counts: Mapping[str, int] = dict.fromkeys(categories, 0)
    codes, sizes = np.unique(column.texts.codes[column.texts.codes >= 0], return_counts=True)
    counts = {column.texts.words[code]: size for code, size in zip(codes.tolist(), sizes.tolist(), strict=True)}
    return max(categories, key=lambda category: counts[category], default=None)
