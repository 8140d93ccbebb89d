"""Labels as whole numbers, and names for those that have none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.errors import DatasetError
from sufficiency.schemas.limits import CLASSES


def whole_labels(y: Any, source: str) -> NDArray[Any]:
    """Return labels as they are, if they are whole numbers in one dimension."""
    labels = np.asarray(y)
    whole = labels.dtype.kind in "bui" or (
        labels.dtype.kind == "f" and bool(np.isfinite(labels).all() and (labels == np.floor(labels)).all())
    )
    if labels.ndim == 1 and labels.dtype.kind == "f" and not whole:
        odd = np.flatnonzero(~(labels == np.floor(labels)) | np.isinf(labels))
        none = np.isnan(labels[odd[0]])
        said = "NaN for a label" if none else f"the label {labels[odd[0]]:g}, which is no whole number"
        way_out = "leave such items out" if none else "a regression (task=regression) predicts numbers"
        raise DatasetError(f"{source}: item {odd[0]} has {said} ({odd.size} such items); {way_out}")
    if labels.ndim != 1 or not whole:
        raise DatasetError(
            f"{source}: labels must be whole numbers in one dimension, got {labels.dtype} of shape {labels.shape}"
        )
    return labels


def numbered_classes(y: Any, source: str) -> list[str]:
    """Return names "0", "1" … for labels that have none, up to the largest of them."""
    labels = whole_labels(y, source)
    largest = int(labels.max()) if labels.size else -1
    if largest >= CLASSES:
        item = int(labels.argmax())
        raise DatasetError(f"{source}: item {item} has label {largest}; labels must be below {CLASSES}")
    return [str(k) for k in range(largest + 1)]


# What NumPy and pandas write for a missing value among texts.
_WRITTEN_FOR_NONE = ("nan", "NaN", "None", "<NA>", "NaT")


def named_labels(y: NDArray[Any], source: str, classes: Sequence[str] | None = None) -> list[str]:
    """Return labels by their names, if each has one.

    Parameters
    ----------
    classes : sequence of str, optional
        What is named there is a name, whatever it looks like.

    Raises
    ------
    DatasetError
        For a label that is missing: None, NaN, what these become among texts, bytes that are no text, or nothing.
    """
    if y.dtype.kind == "S":
        try:
            names: list[str] = np.char.decode(y, "utf-8").tolist()
        except UnicodeDecodeError as error:
            raise DatasetError(
                f"{source}: the labels are bytes that are no text in UTF-8 ({error}); decode them"
            ) from error
    else:
        names = [str(one) for one in y.tolist()] if y.dtype == object else y.astype(str).tolist()
    if gaps := [row for row, name in enumerate(names) if not name.strip()]:
        raise DatasetError(f"{source}: item {gaps[0]} has an empty label ({len(gaps)} such items); leave them out")
    missing = set(_WRITTEN_FOR_NONE) - set(classes or ())
    if y.dtype.kind in "OUSTM" and (gaps := [row for row, name in enumerate(names) if name in missing]):
        raise DatasetError(
            f"{source}: item {gaps[0]} has the label {names[gaps[0]]}, as a missing one is written ({len(gaps)} such "
            "items): leave them out; if it is the name of a class, name all of them in `classes`"
        )
    return names


def several_labels(y: Any, classes: int, source: str) -> NDArray[np.float32]:
    """Return targets of several labels an item, 0 or 1 for each, shape (N, classes).

    Raises
    ------
    DatasetError
        For another shape, or other values.
    """
    labels = np.asarray(y)
    if labels.ndim != 2 or labels.shape[1] != classes:
        raise DatasetError(
            f"{source}: with several labels an item, targets must be rows of 0 and 1, one number for each of the "
            f"{classes} classes; got {labels.dtype} of shape {labels.shape}"
        )
    if labels.dtype.kind not in "buif" or (bad := np.flatnonzero(((labels != 0) & (labels != 1)).any(axis=1))).size:
        where = f"item {bad[0]} has {labels[bad[0]]}" if labels.dtype.kind in "buif" else f"got {labels.dtype}"
        raise DatasetError(f"{source}: with several labels an item, targets must be 0 or 1 for each; {where}")
    return np.ascontiguousarray(labels, dtype=np.float32)


def of_rows(rows: NDArray[Any], declared: str, source: str) -> NDArray[Any]:
    """Return what rows of one number a class say: the label of each item, or the rows where items have several.

    Parameters
    ----------
    rows : ndarray, shape (N, C)
        One-hot, or probabilities, of which the largest is the label; or 0 and 1 for several labels an item.
    declared : str
        "classification" or "multilabel"; empty: the latter if an item has several labels.

    Raises
    ------
    DatasetError
        For rows that are none of these.
    """
    if rows.dtype.kind not in "buif":
        raise DatasetError(f"{source}: labels in rows must be numbers, got {rows.dtype}")
    if declared != "multilabel" and bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all()):
        return np.asarray(rows.argmax(axis=1), dtype=np.int64)
    said = [said_by(row, declared, f"{source}: item {k}") for k, row in enumerate(rows)]
    return settled_rows(said, rows.shape[1], declared, source)


# A label; a float where its row was of probabilities or another scale; the labels where they are not one.
Said = int | float | tuple[int, ...]


def said_by(row: NDArray[Any], declared: str, item: str) -> Said:
    """Return what one row says, as `of_rows` reads it; `item` is what an error calls it.

    Raises
    ------
    DatasetError
        For a row that is neither one-hot, nor probabilities that sum to 1, nor 0 and 1.
    """
    binary = bool(((row == 0) | (row == 1)).all())
    ones = np.flatnonzero(row > 0)
    if declared == "multilabel":
        if not binary:
            raise DatasetError(f"{item} has {row}; with several labels an item, targets must be 0 or 1 for each")
        return tuple(ones.tolist())
    if not np.isfinite(row).all() or not (ones.size or binary):
        raise DatasetError(f"{item} has the label {row}, which names no class")
    if ones.size == 1:
        return int(ones[0]) if binary else float(ones[0])
    if binary:
        return tuple(ones.tolist())
    if (row >= 0).all() and abs(float(row.astype(np.float64).sum()) - 1) < 0.01:
        return float(row.argmax())
    raise DatasetError(
        f"{item} has the target {row}, which is neither one-hot, nor probabilities that sum to 1, nor 0 and 1 for "
        "several labels"
    )


def settled_rows(said: Sequence[Said], classes: int, declared: str, source: str) -> NDArray[Any]:
    """Return the labels, shape (N,), or rows of several, shape (N, classes), of what every row says.

    Raises
    ------
    DatasetError
        For several labels, or none, where one is to be.
    """
    several = [isinstance(one, tuple) and len(one) > 1 for one in said]
    soft = any(isinstance(one, float) for one in said)
    if declared == "multilabel" or (not declared and not soft and any(several)):
        rows = np.zeros((len(said), classes), np.float32)
        for row, one in zip(rows, said, strict=True):
            row[list(one) if isinstance(one, tuple) else int(one)] = 1.0
        return rows
    for k, one in enumerate(said):
        if isinstance(one, tuple):
            has = (
                f"has {len(one)} labels {one}, which a classification has not"
                if one
                else "has a label of zeros, which names no class"
            )
            raise DatasetError(
                f"{source}: item {k} {has}; if items may have several labels or none, make the task multilabel"
            )
    return np.array([int(one) for one in said if not isinstance(one, tuple)], dtype=np.int64)


def several_of_lists(
    lists: Sequence[Sequence[Any]], names: Sequence[str] | None, declared: str, source: str
) -> tuple[list[str], NDArray[Any]]:
    """Return the classes' names, and the targets, of lists of labels: their numbers, their names, or rows of 0 and 1.

    Parameters
    ----------
    names : sequence of str, or None
        Of the classes that numbers stand for.
    declared : str
        As `of_rows` has it.

    Raises
    ------
    DatasetError
        For lists of anything else.
    """
    held = {value for one in lists for value in one}
    lengths = {len(one) for one in lists}
    wanted = len(names) if names is not None else None
    if len(lengths) == 1 and held <= {0, 1} and min(lengths) == (wanted or min(lengths)) > 1:
        return list(names or map(str, range(min(lengths)))), of_rows(np.asarray(lists), declared, source)
    if all(isinstance(value, str) for value in held):
        names = in_order(sorted(held))
        number: dict[Any, int] = {name: k for k, name in enumerate(names)}
    elif all(isinstance(value, int | np.integer) and value >= 0 for value in held):
        names = list(names or map(str, range(max(held, default=-1) + 1)))
        number = {k: k for k in range(len(names))}
    else:
        raise DatasetError(
            f"{source} holds lists that are neither labels by number or name, nor rows of 0 and 1 of one length"
        )
    if not names or (unknown := [value for value in held if value not in number]):
        raise DatasetError(
            f"{source} names {'no label at all' if not held else f'the label {unknown[0]!r}, which is none'}"
        )
    if len(names) == 1:
        raise DatasetError(
            f"{source} names a single label, {names[0]!r}: name all that there are in `classes`, or save one class an "
            "item in place of lists"
        )
    if len(names) > CLASSES:
        raise DatasetError(f"{source} has {len(names)} labels; at most {CLASSES} are allowed")
    rows = np.zeros((len(lists), len(names)), np.float32)
    for row, one in zip(rows, lists, strict=True):
        row[[number[value] for value in one]] = 1.0
    return list(names), rows


def targets_of(
    y: NDArray[Any], classes: Sequence[str] | None, task: str, source: str
) -> tuple[NDArray[Any], list[str] | None]:
    """Return the targets of an array, and the classes' names; None for a regression.

    A column is as good as a row; one-hot rows are labels, and rows of 0 and 1 with several ones several labels an item;
    texts are the names of their classes.

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
        return _named(y, classes, source)
    if y.ndim == 2 and y.dtype.kind in "buif" and y.shape[1] > 1:
        # Every loader's task is a classification where nobody says what it is.
        declared = "" if task == "classification" else task
        return of_rows(y, declared, source), [str(k) for k in range(y.shape[1])] if classes is None else list(classes)
    if task == "multilabel":
        raise DatasetError(
            f"{source}: with several labels an item, targets must be rows of 0 and 1, one number a class; got "
            f"{y.dtype} of shape {y.shape}"
        )
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


def _named(labels: NDArray[Any], classes: Sequence[str] | None, source: str) -> tuple[NDArray[Any], list[str]]:
    texts = named_labels(labels, source, classes)
    names = in_order(sorted(set(texts))) if classes is None else list(classes)
    number = {name: k for k, name in enumerate(names)}
    if unknown := [row for row, text in enumerate(texts) if text not in number]:
        raise DatasetError(
            f"{source}: item {unknown[0]} has the label {texts[unknown[0]]!r}, which is not among the classes "
            f"{', '.join(names[:20])}"
        )
    return np.array([number[text] for text in texts], dtype=np.int64), names


def in_order(names: Sequence[str]) -> list[str]:
    """Return names in the order of numbers where all are whole numbers, else of the alphabet."""
    whole = all(name.lstrip("+-").isdecimal() for name in names)
    return sorted(names, key=lambda name: (int(name), name)) if whole else sorted(names)
