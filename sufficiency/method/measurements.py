"""The measured values of one metric, by run and step."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sufficiency.method.assumed import ROUNDING, assume
from sufficiency.method.averages import Averages
from sufficiency.method.course import SLOTS, course
from sufficiency.method.families import family_of
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import SCALAR, Bounds, Direction, MetricFamily

Row = tuple[int, int, int, str, int, float | None]
# Metric and class index: the place of a series among those of its study.
Key = tuple[str, int]


class Reading(Protocol):
    """How the values of one metric (of one class) read: all that a fitted curve needs to answer from it."""

    @property
    def metric(self) -> str: ...
    @property
    def class_index(self) -> int | None: ...
    @property
    def direction(self) -> Direction: ...
    @property
    def bounds(self) -> Bounds: ...


def key(reading: Reading) -> Key:
    """Return the place of a series among those of its study, as rows have it: `SCALAR` where it is of no class."""
    return reading.metric, SCALAR if reading.class_index is None else reading.class_index


def bounds_text(bounds: Bounds) -> str:
    """Return what a metric can take for a sentence, such as [0, ∞]."""
    low, high = bounds
    return f"[{'−∞' if low is None else f'{low:g}'}, {'∞' if high is None else f'{high:g}'}]"


def widened(bounds: Bounds) -> tuple[float, float]:
    """Return the ends that no value lies beyond but for rounding; infinite where there is none."""
    low, high = bounds
    return (
        -math.inf if low is None else low - ROUNDING * max(1.0, abs(low)),
        math.inf if high is None else high + ROUNDING * max(1.0, abs(high)),
    )


def sampling_sd(value: float, items: int) -> float:
    """Return the standard deviation that a proportion has because the test split has only so many items.

    Notes
    -----
    Binomial: sqrt(p(1 − p)/n). All cells share one test split, so that more runs do not make it smaller.
    """
    p = min(max(value, 0.0), 1.0)
    return math.sqrt(p * (1.0 - p) / max(items, 1))


@dataclass(frozen=True)
class Series:
    """One metric (of one class) over all cells.

    Attributes
    ----------
    metric : str
    class_index : int or None
        None for a scalar metric.
    n : ndarray, shape (K,)
        Training-set size of each step, increasing.
    values : ndarray, shape (R, K)
        NaN where a value is missing.
    direction : {"maximize", "minimize"}
    bounds : (float or None, float or None)
        What the metric can take; None is unbounded.
    family : str
        What kind of metric it is.
    test_sd : ndarray, shape (K,), or None
        Standard deviation that a value has because the test split holds only so many items; None: nobody knows. All
        cells share the test split, so that more runs do not make it smaller.
    shared : ndarray, shape (K,), or None
        Share of its items that a run's subset has in common with another run's: at the whole training split all of
        them. None: none, or nobody knows.
    companions : tuple of Series
        Other metrics of the same study, one number each, whose trends tell of this one's; see `companions_of`.
    """

    metric: str
    class_index: int | None
    n: NDArray[np.float64]
    values: NDArray[np.float64]
    direction: Direction
    bounds: Bounds
    family: MetricFamily = "accuracy"
    test_sd: NDArray[np.float64] | None = None
    shared: NDArray[np.float64] | None = None
    companions: tuple["Series", ...] = ()

    def within(self, low: float, high: float) -> "Series":
        """Return what was measured at sizes from `low` to `high`, both included."""
        return self.at((self.n >= low) & (self.n <= high))

    def at(self, steps: NDArray[np.bool_]) -> "Series":
        """Return what was measured at some of the steps, of the companions too."""
        if steps.all():
            return self
        companions = tuple(
            one._part(steps if one.n is self.n else np.isin(one.n, self.n[steps])) for one in self.companions
        )
        test_sd, shared = (None if of is None else of[steps] for of in (self.test_sd, self.shared))
        kept = replace(self, n=self.n[steps], values=self.values[:, steps], companions=companions)
        return replace(kept, test_sd=test_sd, shared=shared)

    def _part(self, steps: NDArray[np.bool_]) -> "Series":
        """Return what `at` does, the same one again: many series have the same companions."""
        return self._parts.setdefault(steps.tobytes(), self.at(steps))

    @cached_property
    def _parts(self) -> dict[bytes, "Series"]:
        return {}

    def of_items(self, items: int) -> "Series":
        """Return the series as a proportion of so many test items, whose noise is then known: the binomial's.

        Notes
        -----
        With one item more of either kind, as Laplace has it: all of a hundred right is no certainty.
        """
        share = np.where(np.isfinite(self.mean()), self.mean(), 0.5)
        shares = (np.clip(share, 0.0, 1.0) * items + 1.0) / (items + 2.0)
        return replace(self, test_sd=np.array([sampling_sd(one, items) for one in shares.tolist()]))

    def of_split(self, sizes: Sequence[int]) -> "Series":
        """Return the series as one of subsets of a training split of a size, after those that it had before it grew.

        Notes
        -----
        Up to a size that it had, all runs draw from the same items; beyond, each has all of those, and draws from what
        was added.
        """
        shared = np.zeros_like(self.n)
        for before, size in pairwise((0, *sizes)):
            here = (self.n > before) & (self.n <= size)
            n = self.n[here]
            shared[here] = (before + (n - before) ** 2 / (size - before)) / n
        return replace(self, shared=shared)

    def runs(self) -> NDArray[np.int64]:
        """Return the number of values at each step, shape (K,)."""
        return self._averages.runs

    def mean(self) -> NDArray[np.float64]:
        """Return the mean over runs at each step, shape (K,); NaN where no run has a value."""
        return self._averages.mean

    def sd(self) -> NDArray[np.float64]:
        """Return the sample standard deviation over runs, shape (K,); NaN where fewer than two runs have a value."""
        return self._averages.sd

    def extremes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the smallest and the largest value at each step; see `Averages.extremes`."""
        return self._averages.extremes

    @cached_property
    def _averages(self) -> Averages:
        return Averages(self.values)

    @cached_property
    def course(self) -> NDArray[np.float64]:
        """How the means went: see `course.course`."""
        return course(self.n, self.mean(), self.direction, self.bounds)


def series_from_rows(
    rows: Iterable[Row], metrics: Mapping[str, MetricSpec], errors: Iterable[tuple[int, Mapping[str, float]]] = ()
) -> list[Series]:
    """Gather rows of (run, step, n, metric, class index or `SCALAR`, value or None) into one series a metric and class.

    `errors` are, for each cell that has some, its step and, by metric of one number, what the test split alone adds.

    A metric that nobody declared is read by its name and its values, of all classes alike: see `assumed.assume`.
    """
    cells: dict[tuple[str, int], list[tuple[int, int, float]]] = {}
    sizes: dict[int, int] = {}
    runs = 0
    for run, step, n, metric, class_index, value in rows:
        sizes[step] = n
        runs = max(runs, run + 1)
        cells.setdefault((metric, class_index), []).append((run, step, np.nan if value is None else value))
    column = {step: k for k, step in enumerate(sorted(sizes, key=lambda step: (sizes[step], step)))}
    n_of = np.array([sizes[step] for step in column], dtype=np.float64)
    result = []
    ranges, told = _ranges(cells), list(errors)
    for (metric, class_index), entries in sorted(cells.items()):
        values = np.full((runs, len(column)), np.nan)
        for run, step, value in entries:
            values[run, column[step]] = value
        spec = metrics.get(metric) or assume(metric, *ranges[metric]).spec
        result.append(
            Series(
                metric,
                None if class_index == SCALAR else class_index,
                n_of,
                values,
                spec.direction,
                spec.bounds,
                family_of(metric, spec),
                _mean_errors(metric, list(column), told) if class_index == SCALAR else None,
            )
        )
    return with_companions(result)


def _mean_errors(
    metric: str, steps: Sequence[int], told: Sequence[tuple[int, Mapping[str, float]]]
) -> NDArray[np.float64] | None:
    """Return what the test split adds to a metric at each step, the mean over its cells; None where none says so."""
    of_step: dict[int, list[float]] = {}
    for step, errors in told:
        if metric in errors:
            of_step.setdefault(step, []).append(errors[metric])
    if not of_step:
        return None
    places = [k for k, step in enumerate(steps) if step in of_step]
    # A step whose cells do not say is taken for what its neighbours say.
    return np.interp(np.arange(len(steps)), places, [float(np.mean(of_step[steps[k]])) for k in places])


def with_companions(measured: Sequence[Series]) -> list[Series]:
    """Return the series of one study, each with the others whose trends tell of its own.

    Notes
    -----
    At most three: a loss (or regression error), a ranking metric (or R²), and an accuracy, each of one number a cell,
    of several the first by name. A loss and a ranking move before an accuracy leaves chance.
    """
    scalars = sorted((one for one in measured if one.class_index is None), key=lambda one: one.metric)
    company = [next((one for one in scalars if one.family in families), None) for families in SLOTS]
    return [
        replace(one, companions=tuple(other for other in company if other is not None and other is not one))
        for one in measured
    ]


def _ranges(
    cells: Mapping[tuple[str, int], list[tuple[int, int, float]]],
) -> dict[str, tuple[float | None, float | None]]:
    """Return the least and the largest value of every metric, over all classes; None without any."""
    found: dict[str, list[float]] = {}
    for (metric, _), entries in cells.items():
        found.setdefault(metric, []).extend(value for _, _, value in entries if np.isfinite(value))
    return {metric: (min(values, default=None), max(values, default=None)) for metric, values in found.items()}
