"""From what an evaluation returned to the values that are recorded."""

import math
import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.schemas.words import SCALAR

LONGEST_NAME = 200
MOST_CLASSES = 10_000


class InvalidMetrics(ValueError):
    """An evaluation returned something that is not a measurement."""


def normalise(metrics: object) -> list[tuple[str, int, float | None]]:
    """Return the values of one cell: (metric, class index or −1 for a scalar, value or None where it is missing).

    Parameters
    ----------
    metrics : Mapping
        Name to number, to a 0-d or 1-element array or tensor on any device, or to a 1-D array, one value a class.
        NaN and infinities are missing values.

    Raises
    ------
    InvalidMetrics
        For anything else; the message says what was wrong with it.
    """
    if not isinstance(metrics, Mapping):
        raise InvalidMetrics(f"the evaluation returned {_kind(metrics)}, not a mapping from metric name to value")
    if not metrics:
        raise InvalidMetrics("the evaluation returned no metric at all")
    values: list[tuple[str, int, float | None]] = []
    for name, value in metrics.items():
        _check_name(name)
        array = _numbers(name, value)
        if array.size == 1:
            values.append((name, SCALAR, _finite(array.item())))
        else:
            values += [(name, index, _finite(number)) for index, number in enumerate(array.tolist())]
    return values


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise InvalidMetrics(f"the metric name {name!r:.100} is {_kind(name)}, not a string")
    if not name.strip():
        raise InvalidMetrics("a metric has an empty name")
    if len(name) > LONGEST_NAME:
        raise InvalidMetrics(
            f"the metric name {name[:40]!r}… has {len(name)} characters; at most {LONGEST_NAME} are allowed"
        )
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InvalidMetrics(f"the metric name {name!r} holds control characters")


def _numbers(name: str, value: object) -> NDArray[np.float64]:
    """Return `value` as one number or as a vector."""
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
    if array.size > MOST_CLASSES:
        raise InvalidMetrics(f"{name!r} holds {array.size} values; at most {MOST_CLASSES} classes are recorded")
    return array.astype(np.float64).reshape(-1)


def on_host(value: Any) -> Any:
    """Bring tensors to the host's memory, also inside a list of one a class."""
    if isinstance(value, list | tuple):
        return [on_host(item) for item in value]
    if callable(detach := getattr(value, "detach", None)):
        tensor = detach().cpu()
        # NumPy has no bfloat16; every floating type fits into float64.
        return tensor.double().numpy() if tensor.is_floating_point() else tensor.numpy()
    return value


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
