"""DataEval's schedules: the training-set sizes at which a curve is measured."""

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["EvaluationSchedule", "GeometricSchedule", "ManualSchedule"]


@runtime_checkable
class EvaluationSchedule(Protocol):
    """Names the training-set sizes to measure."""

    def get_steps(self, dataset_length: int) -> NDArray[np.intp]:
        """Return sizes for a training split of that length, increasing, each in 1 … `dataset_length`."""
        ...


class GeometricSchedule:
    """Sizes in geometric progression, from 1 % to all of the training split.

    Parameters
    ----------
    substeps : int
        How many.

    Examples
    --------
    >>> GeometricSchedule(substeps=5).get_steps(100)
    array([  1,   3,  10,  31, 100])
    """

    def __init__(self, substeps: int) -> None:
        self.substeps = substeps

    def get_steps(self, dataset_length: int) -> NDArray[np.intp]:
        """Return the sizes, shape (substeps,); below 100 items the first are 0, and some are there twice."""
        return np.geomspace(0.01 * dataset_length, dataset_length, self.substeps, dtype=np.intp)


class ManualSchedule:
    """The sizes that are given.

    Parameters
    ----------
    eval_points : int or iterable of int
        One size, or several.

    Raises
    ------
    ValueError
        For what is no number.

    Examples
    --------
    >>> ManualSchedule([10, 50, 100]).get_steps(100)
    array([ 10,  50, 100])
    """

    def __init__(self, eval_points: int | Iterable[int] | NDArray[Any]) -> None:
        single = not isinstance(eval_points, Iterable) or (hasattr(eval_points, "ndim") and not eval_points.ndim)
        points: list[Any] = [eval_points] if single else list(eval_points)  # type: ignore[arg-type]
        self.eval_points: NDArray[np.intp] = np.asarray(points, dtype=np.intp)

    def get_steps(self, dataset_length: int) -> NDArray[np.intp]:
        """Return the sizes that were given."""
        return self.eval_points
