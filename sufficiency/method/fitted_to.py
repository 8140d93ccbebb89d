"""What a model's score on its own training items says of what it lacks: data, or something else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sufficiency.method.measurements import Reading
from sufficiency.method.worthwhile import left_to_gain
from sufficiency.schemas.words import Fitting

# Of what is left to the best, the part that is missing on the training items already, or on others alone.
_MOST = 0.5
# A training that says so in so many of its cells has not converged.
_OFTEN = 0.5
_NOT_CONVERGED = frozenset({"ConvergenceWarning"})


@dataclass(frozen=True)
class TrainScores:
    """What the cells of one size tell of their training.

    Attributes
    ----------
    n : int
    values : mapping of str to float
        By metric, the mean on training items over the runs.
    converged : bool
        Not most of the trainings said that they had not.
    """

    n: int
    values: Mapping[str, float]
    converged: bool = True


@dataclass(frozen=True)
class TrainFit:
    """How well the models do on their own training items, at the largest measured size.

    Attributes
    ----------
    value : float
        On them.
    gap : float
        How much better that is than on the test split, in the metric's units.
    fitting : {"over", "under", "between"}
        Most of what is left to the best is missing on others alone; on the training items too; or neither.
    """

    value: float
    gap: float
    fitting: Fitting


def train_scores(cells: Iterable[tuple[int, Mapping[str, Any] | None]]) -> dict[int, TrainScores]:
    """Return what cells tell of their training, by size.

    Parameters
    ----------
    cells : iterable of (int, mapping or None)
        Training-set size and details of each measured cell; see `training.details`.
    """
    by_size: dict[int, list[Mapping[str, Any]]] = {}
    for n, details in cells:
        by_size.setdefault(n, []).append(details or {})
    found = {}
    for n, of_size in by_size.items():
        values: dict[str, list[float]] = {}
        for details in of_size:
            for metric, value in (details.get("train") or {}).items():
                if value is not None and np.isfinite(value):
                    values.setdefault(metric, []).append(float(value))
        said = sum(any(w["category"] in _NOT_CONVERGED for w in one.get("warnings") or ()) for one in of_size)
        means = {metric: float(np.mean(ones)) for metric, ones in values.items()}
        found[n] = TrainScores(n, means, said < _OFTEN * len(of_size))
    return found


def train_fit(reading: Reading, now: float, train: float) -> TrainFit | None:
    """Return how well the models fit their training items; None for a metric without a best value, or at it.

    Parameters
    ----------
    reading : Reading
    now, train : float
        The metric on the test split, and on training items.
    """
    left, short = left_to_gain(reading, now), left_to_gain(reading, train)
    if left is None or short is None or left <= 0:
        return None
    gap = left - short
    fitting: Fitting = "under" if short >= _MOST * left else "over" if gap >= _MOST * left else "between"
    return TrainFit(train, gap, fitting)
