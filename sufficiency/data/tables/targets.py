"""Columns that are no features: the classes of a target, and what rows are grouped by."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.errors import DatasetError
from sufficiency.data.tables.columns import Column

MOST_NAMED = 20


def classes_of(
    labels: Column, target: str, path: str, given: list[str] | None, rows: NDArray[np.int64]
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the class names and each row's class; numbers sort as numbers, so that 10 comes after 9.

    Parameters
    ----------
    labels : Column
    target, path : str
        What an error calls the column and the file.
    given : list of str, optional
        The classes, in order; those of the rows where not given.
    rows : ndarray of int64
        The rows that have a class.

    Raises
    ------
    DatasetError
        For a label that is not among the classes.
    """
    texts = labels.texts
    assert texts is not None, "a target of classes keeps what stands in its cells"
    if given is None:
        codes, first = np.unique(texts.codes[rows], return_index=True)
        words = [texts.words[code] for code in codes]
        if labels.numbers is not None:
            values = labels.numbers[rows][first].tolist()
            names = [word for _, word in sorted(zip(values, words, strict=True))]
        else:
            names = sorted(words)
    else:
        names = given
    place = {name: k for k, name in enumerate(names)}
    other = {_other_spelling(name): k for k, name in enumerate(names)} if labels.kind in ("number", "boolean") else {}
    found = [place.get(word, other.get(_other_spelling(word), -1)) for word in texts.words]
    y = np.array([*found, -1], dtype=np.int64)[texts.codes]
    if (unknown := rows[y[rows] < 0]).size:
        raise DatasetError(
            f"{path}: {texts.at(int(unknown[0]))!r} in the target {target!r} (row {unknown[0]}) is not among the "
            f"classes {', '.join(map(repr, names[:MOST_NAMED]))}"
        )
    return names, y


def _other_spelling(name: str) -> str:
    """Return a name by which true is True and 1.0 is 1: how a typed value is written is nobody's choice."""
    return name.lower().removesuffix(".0")


def groups_of(column: Column) -> NDArray[Any]:
    """Return what rows can be grouped by: numbers, or what stands in the cells where it says more (01 is not 1)."""
    if column.texts is None:
        return np.asarray(column.numbers)
    texts = column.texts.as_list()
    if column.kind == "number" and column.numbers is not None and not column.missing.any():
        numbers = [int(n) if float(n).is_integer() else n for n in column.numbers.tolist()]
        if all(text in (str(n), f"{n}.0") for text, n in zip(texts, numbers, strict=True)):
            return np.asarray(numbers)
    return np.array(texts)
