"""What a model's score on its own training items says of what it lacks: data, or something else."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sufficiency.method.measurements import Reading
from sufficiency.method.worthwhile import left_to_gain
from sufficiency.schemas.words import Fitting, MetricFamily

# Of what is left to the best, the part that is missing on the training items already, or on others alone.
_MOST = 0.5
# A training that says so, or whose loss still fell, in so many of its cells has not converged.
_OFTEN = 0.5
_NOT_CONVERGED = frozenset({"ConvergenceWarning"})
# What as much training again should bring on the training items, in units of what counts; and of how much better
# these are done than others, the part that is taken off, since less and less of it carries over.
_ENOUGH, _NOT_CARRIED = 1.5, 0.3
# Where nobody looked at the training items: of the loss at the start, what must be left.
_MUCH_LEFT = 0.5


class _OfFamily(Reading, Protocol):
    @property
    def family(self) -> MetricFamily: ...


@dataclass(frozen=True)
class Falling:
    """The loss of trainings in which it still fell at the end, each figure the median over the cells of one size.

    Attributes
    ----------
    start, halfway, end : float
        The loss then.
    share : float
        Of the loss that is left, what as much training again takes off, should it go on as it did.
    """

    start: float
    halfway: float
    end: float
    share: float


@dataclass(frozen=True)
class TrainScores:
    """What the cells of one size tell of their training.

    Attributes
    ----------
    n : int
    values : mapping of str to float
        By metric, the mean on training items over the runs.
    warned : bool
        Most of the trainings said that they had not converged.
    falling : Falling or None
        How the loss still fell at the end of most of them, if it did.
    """

    n: int
    values: Mapping[str, float]
    warned: bool = False
    falling: Falling | None = None


@dataclass(frozen=True)
class Unfinished:
    """That the trainings of one size had not converged, as far as a metric can gain by it.

    Attributes
    ----------
    falling : Falling or None
        None where they said so themselves.
    train : float or None
        The metric on training items; None where nobody looked.
    """

    falling: Falling | None = None
    train: float | None = None


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
        warned = sum(any(w["category"] in _NOT_CONVERGED for w in one.get("warnings") or ()) for one in of_size)
        means = {metric: float(np.mean(ones)) for metric, ones in values.items()}
        found[n] = TrainScores(n, means, warned >= _OFTEN * len(of_size), _falling(of_size))
    return found


def _falling(cells: Sequence[Mapping[str, Any]]) -> Falling | None:
    falling = [one["loss"] for one in cells if (one.get("loss") or {}).get("falls")]
    if not falling or len(falling) < _OFTEN * len(cells):
        return None
    start, halfway, end = (float(np.median([one[name] for one in falling])) for name in ("start", "halfway", "end"))
    share = float(np.median([1 - one["end"] / one["halfway"] for one in falling]))
    return Falling(start, halfway, end, share)


def unfinished(reading: _OfFamily, now: float, worthwhile: float, trained: TrainScores | None) -> Unfinished | None:
    """Return that the trainings had not converged, where a metric can gain by it; else None.

    Parameters
    ----------
    reading : Reading
        One that says of which family its metric is, as a Series does.
    now : float
        The metric on the test split.
    worthwhile : float
        The least gain that counts.
    trained : TrainScores or None
    """
    if trained is None:
        return None
    if trained.warned:
        return Unfinished()
    falling, train = trained.falling, trained.values.get(reading.metric)
    if falling is None or reading.class_index is not None:
        return None
    if train is None:
        # Of how much is missing on the training items the loss alone tells: a metric of its own says more.
        much = not trained.values and falling.end >= _MUCH_LEFT * falling.start
        return Unfinished(falling) if much else None
    left, short = left_to_gain(reading, now), left_to_gain(reading, train)
    if left is None or short is None:
        return None
    share = falling.share
    if reading.family == "regression_error":
        share = 1 - math.sqrt(1 - share)  # what is trained is mostly the square of what is measured
    expected = short * share - _NOT_CARRIED * max(left - short, 0.0)
    return Unfinished(falling, train) if expected >= _ENOUGH * worthwhile else None


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
