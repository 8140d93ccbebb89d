"""Whether metrics have one value, or one a class, and of how many classes: the same in every cell of a job."""

from collections.abc import Iterable, Mapping
from typing import Any

from sufficiency.schemas.words import SCALAR


def shapes_of(values: Iterable[tuple[str, int, float | None]]) -> dict[str, int]:
    """Return the number of classes of each metric, `SCALAR` where it is one number.

    Parameters
    ----------
    values : iterable of (metric, class index or `SCALAR`, value)
    """
    found: dict[str, int] = {}
    for metric, class_index, _ in values:
        size = SCALAR if class_index == SCALAR else class_index + 1
        found[metric] = max(size, found.get(metric, size))
    return found


def shape_error(known: Mapping[str, int], found: Mapping[str, int], place: Mapping[str, int]) -> dict[str, Any] | None:
    """Return the error of a cell whose metrics are of other shapes than in the cells before; None where they agree.

    Parameters
    ----------
    known : mapping
        Metric to its number of classes in the cells before.
    found : mapping
        In this cell.
    place : mapping
        Run, step and n of this cell.
    """
    told = [
        f"{metric!r} has {_said(size)} here, and {_said(known[metric])} in cells before"
        for metric, size in found.items()
        if known.get(metric, size) != size
    ]
    if not told:
        return None
    detail = (
        f"In run {place['run']}, step {place['step']} (n = {place['n']}) {'; '.join(told)}, so that it cannot be told "
        "which classes the values are of. Give one value for every class in every cell, NaN where a class has none (of "
        "scikit-learn's metrics: labels=…), or a mapping from class to value."
    )
    return {"code": "invalid_metrics", "detail": detail, "where": {**place, "phase": "evaluation"}}


def _said(size: int) -> str:
    return "one number" if size == SCALAR else f"{size} values, one a class"
