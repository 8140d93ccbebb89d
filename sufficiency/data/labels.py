"""Labels as whole numbers, and names for those that have none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.errors import DatasetError

MOST_CLASSES = 100_000


def whole_labels(y: Any, source: str) -> NDArray[Any]:
    """Return labels as they are, if they are whole numbers in one dimension."""
    labels = np.asarray(y)
    whole = labels.dtype.kind in "bui" or (
        labels.dtype.kind == "f" and bool(np.isfinite(labels).all() and (labels == np.floor(labels)).all())
    )
    if labels.ndim != 1 or not whole:
        raise DatasetError(
            f"{source}: labels must be whole numbers in one dimension, got {labels.dtype} of shape {labels.shape}"
        )
    return labels


def numbered_classes(y: Any, source: str) -> list[str]:
    """Return names "0", "1" … for labels that have none, up to the largest of them."""
    labels = whole_labels(y, source)
    largest = int(labels.max()) if labels.size else -1
    if largest >= MOST_CLASSES:
        item = int(labels.argmax())
        raise DatasetError(f"{source}: item {item} has label {largest}; labels must be below {MOST_CLASSES}")
    return [str(k) for k in range(largest + 1)]


def targets_of(
    y: NDArray[Any], classes: Sequence[str] | None, task: str, source: str
) -> tuple[NDArray[Any], list[str] | None]:
    """Return the targets of an array in one dimension, and the classes' names; None for a regression.

    A column is as good as a row; one-hot rows are labels; texts are the names of their classes.

    Raises
    ------
    DatasetError
        For labels that are no whole numbers and no text, a text that is not among the `classes`, or classes of a
        regression.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if task == "regression":
        if classes is not None:
            raise DatasetError("a regression has no classes; leave them out, or make the task a classification")
        return y, None
    told_apart(classes or (), source)
    if y.dtype.kind in "US" and y.ndim == 1:
        return _named(y.astype(str), classes, source)
    if y.ndim == 2 and y.dtype.kind in "buif" and y.shape[1] > 1 and _one_hot(y):
        return y.argmax(axis=1), [str(k) for k in range(y.shape[1])] if classes is None else list(classes)
    return y, numbered_classes(y, source) if classes is None else list(classes)


def told_apart(classes: Sequence[str], source: str) -> None:
    """Raise a DatasetError where two classes have one name: nobody could tell their figures apart."""
    if twice := [name for k, name in enumerate(classes) if name in classes[:k]]:
        raise DatasetError(f"{source}: two of the classes are called {twice[0]!r}; give each a name of its own")


def classes_by_name(
    labels: NDArray[np.int64], names: Sequence[str], classes: Sequence[str] | None, source: str
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the classes' names and the labels in the order of `classes`, where that is given.

    Raises
    ------
    DatasetError
        For an item whose class is not among the `classes`, or two classes of one name.
    """
    told_apart(names if classes is None else classes, source)
    if classes is None:
        return list(names), labels
    place = np.array([classes.index(name) if name in classes else -1 for name in names], dtype=np.int64)
    if (unknown := np.flatnonzero(place[labels] < 0)).size:
        raise DatasetError(
            f"{source}: item {unknown[0]} is of class {names[labels[unknown[0]]]!r}, which is not among the classes "
            f"{', '.join(classes[:20])}"
        )
    return list(classes), place[labels]


def _named(texts: NDArray[Any], classes: Sequence[str] | None, source: str) -> tuple[NDArray[Any], list[str]]:
    names = in_order(np.unique(texts).tolist()) if classes is None else list(classes)
    number = {name: k for k, name in enumerate(names)}
    if gaps := [row for row, text in enumerate(texts.tolist()) if not text.strip()]:
        raise DatasetError(f"{source}: item {gaps[0]} has an empty label ({len(gaps)} such items); leave them out")
    if unknown := [row for row, text in enumerate(texts.tolist()) if text not in number]:
        raise DatasetError(
            f"{source}: item {unknown[0]} has the label {str(texts[unknown[0]])!r}, which is not among the classes "
            f"{', '.join(names[:20])}"
        )
    return np.array([number[text] for text in texts.tolist()], dtype=np.int64), names


def _one_hot(y: NDArray[Any]) -> bool:
    return bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())


def in_order(names: Sequence[str]) -> list[str]:
    """Return names in the order of numbers where all are whole numbers, else of the alphabet."""
    whole = all(name.lstrip("+-").isdecimal() for name in names)
    return sorted(names, key=lambda name: (int(name), name)) if whole else sorted(names)
