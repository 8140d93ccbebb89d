"""What a table is refused for: every fault of it, with the way out."""

from collections.abc import Mapping, Sequence

import numpy as np

from sufficiency.data.arrays import Task
from sufficiency.data.tables.columns import Column
from sufficiency.data.tables.encoding import Choices
from sufficiency.data.tables.faults import Faults
from sufficiency.schemas.limits import CATEGORIES


def refuse(
    path: str,
    labels: Column,
    target: str,
    used: Mapping[str, Column],
    about: Mapping[str, Column],
    task: Task,
    classes: Sequence[str] | None,
    choices: Choices,
) -> None:
    """Raise all that is wrong with a table at once.

    Parameters
    ----------
    path : str
        What the error calls the file.
    labels : Column
        Of the target.
    target : str
    used, about : mapping from str to Column
        The features, and what rows are grouped by.
    task : {"classification", "regression"}
    classes : sequence of str, optional
        As the user named them.
    choices : Choices

    Raises
    ------
    DatasetError
        For one fault or more, each with the way out.
    """
    faults = Faults(path)
    if task == "regression" and classes is not None:
        faults.add("a regression has no classes; leave them out, or make the task a classification")
    elif fault := _target_fault(labels, task, classes):
        faults.add(f"the target {target!r} {fault}")
    elif labels.missing.any() and (choices.missing == "refuse" or labels.kind == "empty"):
        faults.add(f"the target {target!r} {_gaps(labels)}; drop those rows, or choose missing=drop")
    for column in used.values():
        if fault := _feature_fault(column, choices):
            faults.add(f"column {column.name!r} {fault}")
    for column in about.values():
        if column.missing.any() and choices.missing == "refuse":
            faults.add(f"column {column.name!r} (metadata) {_gaps(column)}; fill them, or choose missing=drop")
    if not used:
        faults.add("no feature is left: every other column counts the rows, or is empty; name some in `features`")
    faults.raise_any()


def _target_fault(labels: Column, task: Task, classes: Sequence[str] | None) -> str:
    if labels.kind == "empty":
        return ""
    if labels.kind in ("date", "time", "other"):
        return labels.unclear or f"holds {labels.kind}s; it must hold numbers or text"
    if task == "regression":
        if labels.kind != "number" or labels.numbers is None:
            return (labels.unclear or labels.doubt or f"holds {_what(labels)}") + "; a regression needs numbers"
        return labels.unclear or _infinite(labels)
    if classes is None and labels.texts is not None and (count := len(np.unique(labels.texts.codes))) > CATEGORIES:
        return f"has {count} different values; it is no class (task=regression predicts numbers)"
    return ""


def _feature_fault(column: Column, choices: Choices) -> str:
    if column.name in choices.texts:
        if column.texts is None:
            return f"holds {_what(column)}; free text must be text"
        way_out = "fill them, or choose missing=drop or missing=impute"
        return f"{_gaps(column)}; {way_out}" if _refused(column, choices) else ""
    if column.unclear and not (column.kind == "date" and choices.dates == "refuse"):
        return f"{column.unclear}, or leave it out with `leave_out`"
    if column.kind in ("date", "time") and choices.dates == "refuse":
        return (
            f"holds {column.kind}s, which are no numbers or text: choose dates=ordinal or dates=parts, or leave it out "
            "with `leave_out`"
        )
    categories = len(column.texts.present()) if column.kind == "category" and column.texts is not None else 0
    if categories > CATEGORIES and column.doubt:
        return f"{column.doubt}, or leave it out with `leave_out`"
    if categories > CATEGORIES:
        return (
            f"has {categories} categories: leave it out with `leave_out`, or name it in `text` if it is free text, or "
            "in `metadata` if rows are grouped by it"
        )
    if _refused(column, choices):
        return f"{_gaps(column)}: choose missing=drop or missing=impute, or leave it out with `leave_out`"
    return _infinite(column) if column.kind == "number" else ""


def _refused(column: Column, choices: Choices) -> bool:
    return choices.missing == "refuse" and bool(column.missing.any())


def _gaps(column: Column) -> str:
    count = int(column.missing.sum())
    many = "1 empty value" if count == 1 else f"{count} empty values"
    first = column.first_missing()
    return f"has {many} of {len(column)} (empty, NaN, or one of `missing_values`; the first in row {first})"


def _infinite(column: Column) -> str:
    assert column.numbers is not None, "a number column has numbers"
    bad = np.flatnonzero(~(np.abs(column.numbers.astype(np.float64)) <= np.finfo(np.float32).max))
    what = "is infinite, or beyond 3.4e38, which is the most that float32 holds,"
    return f"{what} in row {bad[0]} ({bad.size} such rows); correct or drop them" if bad.size else ""


def _what(column: Column) -> str:
    return {"category": "text", "boolean": "truth values", "mixed": "text"}.get(column.kind, f"{column.kind}s")
