"""From what an evaluation returned to the values that are recorded."""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.method.item_marks import pack
from sufficiency.schemas.estimate import Measured
from sufficiency.schemas.limits import (
    CLASSES_MEASURED,
    MARKED_ITEMS,
    MARKED_METRICS,
    METRICS,
    NAME_CHARACTERS,
    VALUES,
)
from sufficiency.schemas.words import SCALAR
from sufficiency.schemas.work import ItemMarks
from sufficiency.training.by_class import InvalidClasses, by_class, vector_problem

# Metrics whose standard errors are kept with a cell.
MOST_ERRORS = 50
Values = list[tuple[str, int, float | None]]


class InvalidMetrics(ValueError):
    """An evaluation returned something that is not a measurement."""


def normalise(metrics: object, class_names: Sequence[str] | None = None) -> Values:
    """Return the values of one cell: (metric, class index or −1 for a scalar, value or None where it is missing).

    Parameters
    ----------
    metrics : Mapping
        Name to number, to a 0-d or 1-element array or tensor on any device; or to one value a class: a 1-D array in the
        classes' order, or a mapping from class (its name or index) to number, in which classes may be left out. None,
        NaN and infinities are missing values.
    class_names : sequence of str, optional
        The dataset's. A 1-D array must have as many values. None or empty: nobody knows of any classes.

    Raises
    ------
    InvalidMetrics
        For anything else; the message says what was wrong with it.
    """
    if not isinstance(metrics, Mapping):
        raise InvalidMetrics(f"the evaluation returned {_kind(metrics)}, not a mapping from metric name to value")
    if not metrics:
        raise InvalidMetrics("the evaluation returned no metric at all")
    if len(metrics) > METRICS:
        raise InvalidMetrics(
            f"the evaluation returned {len(metrics)} metrics; at most {METRICS} are recorded. Values of classes are "
            "one metric: a vector, or a mapping from class to value"
        )
    values: Values = []
    for name, value in metrics.items():
        _check_name(name)
        values += _of_metric(name, value, class_names or ())
        if len(values) > VALUES:
            raise InvalidMetrics(
                f"the evaluation returned more than {VALUES} values; give fewer metrics of all classes"
            )
    return values


def standard_errors(metrics: object) -> dict[str, float]:
    """Return what the test split's own chance adds to each metric of a cell that an evaluation returned with it.

    Raises
    ------
    InvalidMetrics
        For a negative one.
    """
    if not isinstance(metrics, Mapping):
        return {}
    found = {name: value.se for name, value in metrics.items() if isinstance(value, Measured)}
    for name, error in found.items():
        if error < 0:
            raise InvalidMetrics(f"{name!r} has the standard error {error:g}; give one of at least 0, or NaN")
    return {name: error for name, error in list(found.items())[:MOST_ERRORS] if math.isfinite(error)}


def item_marks(metrics: object) -> dict[str, ItemMarks]:
    """Return by metric which test items it counts as right, where an evaluation says so.

    Raises
    ------
    InvalidMetrics
        For what is not one truth value an item.
    """
    if not isinstance(metrics, Mapping):
        return {}
    told = {
        name: value.correct
        for name, value in metrics.items()
        if isinstance(value, Measured) and value.correct is not None
    }
    found = {name: _marks(name, correct) for name, correct in list(told.items())[:MARKED_METRICS]}
    return {name: pack(marks) for name, marks in found.items() if marks.size <= MARKED_ITEMS}


def _marks(name: str, correct: object) -> NDArray[np.bool_]:
    try:
        array = np.asarray(on_host(correct))
    except Exception as error:
        raise InvalidMetrics(f"`correct` of {name!r} is {_kind(correct)}, which cannot be read: {error}") from error
    if array.ndim != 1 or not array.size:
        raise InvalidMetrics(f"`correct` of {name!r} has shape {array.shape}; give one truth value for each test item")
    if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise InvalidMetrics(f"`correct` of {name!r} holds other values than true and false")
    return array.astype(np.bool_)


def _of_metric(name: str, value: object, class_names: Sequence[str]) -> Values:
    if (told := _as_mapping(value)) is not None:
        return _of_classes(name, told, class_names)
    array = _numbers(name, value)
    if array.size == 1:
        return [(name, SCALAR, _finite(array.item()))]
    if problem := vector_problem(array.size, class_names):
        raise InvalidMetrics(f"{name!r} {problem}")
    return [(name, index, _finite(number)) for index, number in enumerate(array.tolist())]


def _of_classes(name: str, told: Mapping[Any, Any], class_names: Sequence[str]) -> Values:
    try:
        placed = by_class(told, class_names)
    except InvalidClasses as error:
        raise InvalidMetrics(f"{name!r} {error}") from None
    values: list[float | None] = [None] * len(placed)
    for index, (key, value) in enumerate(placed):
        if key is None:
            continue
        array = _numbers(f"{name}[{key}]", value)
        if array.size != 1:
            raise InvalidMetrics(f"{name!r} has {array.size} values for class {key!r}; give one")
        values[index] = _finite(array.item())
    if len(values) > CLASSES_MEASURED:
        raise InvalidMetrics(f"{name!r} holds {len(values)} values; at most {CLASSES_MEASURED} classes are recorded")
    return [(name, index, number) for index, number in enumerate(values)]


def _as_mapping(value: Any) -> Mapping[Any, Any] | None:
    """Return a value that says which class each number is of, or None where it does not: pandas' Series does too."""
    if isinstance(value, Mapping):
        return value
    index, to_dict = getattr(value, "index", None), getattr(value, "to_dict", None)
    if not callable(to_dict) or index is None or callable(index) or getattr(value, "ndim", 0) != 1:
        return None
    # Numbered through, it says no more than an array.
    keys = list(index)
    return None if keys == list(range(len(keys))) else to_dict()


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise InvalidMetrics(f"the metric name {name!r:.100} is {_kind(name)}, not a string")
    if not name.strip():
        raise InvalidMetrics("a metric has an empty name")
    if len(name) > NAME_CHARACTERS:
        raise InvalidMetrics(
            f"the metric name {name[:40]!r}… has {len(name)} characters; at most {NAME_CHARACTERS} are allowed"
        )
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InvalidMetrics(f"the metric name {name!r} holds control characters")


def _numbers(name: str, value: object) -> NDArray[np.float64]:
    """Return `value` as one number or as a vector; what is missing in it is NaN."""
    try:
        array = np.asarray(on_host(value))
    except Exception as error:
        raise InvalidMetrics(f"{name!r} is {_kind(value)}, which cannot be read as numbers: {error}") from error
    if array.dtype.kind == "c":
        raise InvalidMetrics(f"{name!r} is complex; a metric must be real")
    if array.dtype.kind not in "biuf":
        raise InvalidMetrics(f"{name!r} is {_kind(value)}, which is not numeric")
    if array.size == 0:
        raise InvalidMetrics(f"{name!r} holds no value")
    if array.size > 1 and array.ndim != 1:
        raise InvalidMetrics(f"{name!r} has shape {array.shape}; give one number, or one number a class")
    if array.size > CLASSES_MEASURED:
        raise InvalidMetrics(f"{name!r} holds {array.size} values; at most {CLASSES_MEASURED} classes are recorded")
    return array.astype(np.float64).reshape(-1)


def on_host(value: Any) -> Any:
    """Bring tensors to the host's memory, also inside a list of one a class; what is missing becomes NaN."""
    if isinstance(value, list | tuple):
        return [on_host(item) for item in value]
    if value is None:
        return math.nan
    if isinstance(value, Decimal) or (isinstance(value, Real) and not isinstance(value, int | float | np.generic)):
        return float(value)
    if isinstance(value, np.ma.MaskedArray):
        return np.ma.filled(value.astype(np.float64), np.nan)
    if callable(detach := getattr(value, "detach", None)):
        tensor = detach().cpu()
        # NumPy has no bfloat16; every floating type fits into float64.
        return tensor.double().numpy() if tensor.is_floating_point() else tensor.numpy()
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [on_host(item) for item in value.tolist()] if value.ndim else on_host(value.item())
    return value


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
