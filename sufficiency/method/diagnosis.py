"""What is odd about a curve, what drove its answer, and how much of it is the test split's own noise."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from sufficiency.method.calibrated import medians
from sufficiency.method.curve import NotEnoughData
from sufficiency.method.measurements import Series, widened
from sufficiency.method.measurements import sampling_sd as sampling_sd
from sufficiency.method.observed import Observed, observe_all
from sufficiency.method.trend import Fall, are_flat, find_falls

Code = Literal[
    "too_short", "one_run", "flat", "non_monotone", "missing_values", "values_outside_bounds", "far_extrapolation"
]

# What to do about what a flag says; the flag itself only says it, so that no answer advises twice.
REMEDIES: Mapping[str, str] = {
    "too_short": "Measure at least 5 steps over a factor of 8 or more: add smaller sizes to the schedule.",
    "one_run": "Run the job with 3 to 5 runs.",
    "flat": "Try a model that can use the data, or look for errors in the labels.",
    "non_monotone": "Look at how the training does at that size before you buy.",
}

# Fewer steps, or a smaller ratio of the largest to the smallest size, show little of a curve's shape.
FEW_STEPS, SMALL_SPAN = 5, 8.0
# So many values are held at once of curves that are fitted anew.
_AT_ONCE = 500_000


@dataclass(frozen=True)
class Flag:
    """Something that a reader of the curve's answers should know."""

    code: Code
    detail: str


def diagnose(series: Series) -> list[Flag]:
    """Return what is odd about a curve.

    Parameters
    ----------
    series : Series

    Raises
    ------
    NotEnoughData
        For fewer than three steps with a value, and for values too large to compute with.
    """
    [flags] = diagnose_all([series])
    if isinstance(flags, NotEnoughData):
        raise flags
    return flags


def diagnose_all(series: Sequence[Series]) -> list[list[Flag] | NotEnoughData]:
    """Return what `diagnose` does of each of many series, looked at side by side; or why nothing can be said."""
    groups, refused = observe_all(series)
    found: dict[int, list[Flag] | NotEnoughData] = dict(refused)
    for group in groups:
        seen, falls = group.seen, find_falls(group.seen)
        for row, (place, fall, flat) in enumerate(zip(group.places, falls, are_flat(seen).tolist(), strict=True)):
            one = series[place]
            odd = [_holes(one), _outside(one), _short(seen), _one_run(seen)]
            odd.append(_fall(seen, row, fall) if fall is not None else _flat(seen) if flat else None)
            found[place] = [flag for flag in odd if flag is not None]
    return [found[place] for place in range(len(series))]


def _holes(series: Series) -> Flag | None:
    missing = int(series.values.size - np.isfinite(series.values).sum())
    if not missing:
        return None
    return Flag("missing_values", f"{missing} of {series.values.size} values are missing; those cells are left out.")


def _outside(series: Series) -> Flag | None:
    low, high = widened(series.bounds)
    values = series.values[np.isfinite(series.values)]
    outside = values[(values < low) | (values > high)]
    if not outside.size:
        return None
    worst = outside[np.argmax(np.abs(outside))]
    return Flag(
        "values_outside_bounds",
        f"{outside.size} of {values.size} values lie outside the metric's declared range, such as {worst:.4g}; they "
        "count as being on its edge. Declare the range in the job's `metrics`.",
    )


def _short(seen: Observed) -> Flag | None:
    span = seen.n[-1] / seen.n[0]
    if len(seen.n) >= FEW_STEPS and span >= SMALL_SPAN:
        return None
    return Flag(
        "too_short",
        f"{len(seen.n)} steps from n = {seen.n[0]:,.0f} to {seen.n[-1]:,.0f} show little of the curve's shape.",
    )


def _one_run(seen: Observed) -> Flag | None:
    if seen.noise.known:
        return None
    return Flag(
        "one_run",
        "With a single run the scatter between trainings is guessed from the curve.",
    )


def _fall(seen: Observed, row: int, fall: Fall) -> Flag:
    before, after = (seen.mean[row, at] for at in (fall.earlier, fall.later))
    return Flag(
        "non_monotone",
        f"The metric got worse from {before:.4g} at n = {seen.n[fall.earlier]:,.0f} to {after:.4g} at "
        f"n = {seen.n[fall.later]:,.0f}, by more than the runs' scatter explains.",
    )


def _flat(seen: Observed) -> Flag:
    return Flag(
        "flat",
        f"From n = {seen.n[0]:,.0f} to {seen.n[-1]:,.0f} the metric does not improve by more than its scatter; the "
        "curve's shape cannot be told, and projections stay near what was measured.",
    )


# What drove the answer


@dataclass(frozen=True)
class StepInfluence:
    """How the answer follows one step.

    Attributes
    ----------
    n : int
    sensitivity : float
        Change of the projected value for a change of this step's mean, both in the metric's units.
    """

    n: int
    sensitivity: float


@dataclass(frozen=True)
class CellInfluence:
    """What one cell did to the answer.

    Attributes
    ----------
    run : int
    n : int
    value : float
        What the cell measured.
    effect : float
        By how much the projected value is higher, to first order, than without this cell.
    """

    run: int
    n: int
    value: float
    effect: float


@dataclass(frozen=True)
class Drivers:
    """What drove the projection to `n`.

    Attributes
    ----------
    n : int
    steps : list of StepInfluence
        Every usable step.
    cells : list of CellInfluence
        The cells with the largest effects, the largest first; empty with one run a step.
    run_sd : float
        Standard deviation of the projected value that the scatter between the measured runs makes; 0 with one run.
    """

    n: int
    steps: Sequence[StepInfluence]
    cells: Sequence[CellInfluence]
    run_sd: float


def find_drivers(series: Series, n: float, most: int = 5) -> Drivers:
    """Return which steps and cells the projection to `n` depends on.

    Parameters
    ----------
    n : float
        Training-set size.
    most : int
        At most so many cells.

    Raises
    ------
    NotEnoughData

    Notes
    -----
    The sensitivities are one-sided differences: every step's values are moved by the standard error of their mean, and
    the curve is fitted anew. A cell's effect is its step's sensitivity times what the mean would lose without it.
    """
    [drivers] = find_all_drivers([series], [n], most)
    if isinstance(drivers, NotEnoughData):
        raise drivers
    return drivers


def find_all_drivers(series: Sequence[Series], n: Sequence[float], most: int = 5) -> list[Drivers | NotEnoughData]:
    """Return what `find_drivers` does of each of many series, worked out side by side; or why it cannot be told.

    Parameters
    ----------
    series : sequence of Series
    n : sequence of float
        For each a training-set size.
    most : int
    """
    found: dict[int, Drivers | NotEnoughData] = {}
    for at in dict.fromkeys(n):
        for places in _portions(series, [place for place, one in enumerate(n) if one == at]):
            trials = [_Trial.of(series[place]) for place in places]
            told = iter(medians([moved for trial in trials for moved in trial.moved()], at))
            found.update((place, trial.drivers(at, told, most)) for place, trial in zip(places, trials, strict=True))
    return [found[place] for place in range(len(series))]


def _portions(series: Sequence[Series], places: Sequence[int]) -> Iterator[list[int]]:
    """Yield the places of series by portions that hold, all that is moved counted, no more than `_AT_ONCE` values."""
    portion: list[int] = []
    heavy = 0
    for place in places:
        weight = series[place].values.size * (len(series[place].n) + 1)
        if portion and heavy + weight > _AT_ONCE:
            yield portion
            portion, heavy = [], 0
        portion.append(place)
        heavy += weight
    if portion:
        yield portion


@dataclass(frozen=True)
class _Trial:
    """A series that is fitted anew with the values of each of its steps moved.

    Attributes
    ----------
    series : Series
    steps : sequence of int
        The usable ones.
    shifts : sequence of float
        By how much the values of each of them are moved.
    error : ndarray, shape (K,)
        Of the mean at every step; zero where it is not known.
    """

    series: Series
    steps: Sequence[int]
    shifts: Sequence[float]
    error: NDArray[np.float64]

    @classmethod
    def of(cls, series: Series) -> Self:
        mean, runs, sd = series.mean(), series.runs(), series.sd()
        usable = np.flatnonzero(np.isfinite(mean))
        error = np.where(np.isfinite(sd), sd / np.sqrt(np.maximum(runs, 1)), 0.0)
        if not usable.size:
            return cls(series, [], [], error)
        scale = float(np.ptp(mean[usable])) or max(abs(float(mean[usable][-1])), 1.0) * 1e-3
        high = np.inf if series.bounds[1] is None else series.bounds[1]
        shift = np.maximum(error, 0.01 * scale)
        shift = np.where(mean + shift > high, -shift, shift)
        return cls(series, usable.tolist(), shift[usable].tolist(), error)

    def moved(self) -> Iterator[Series]:
        """Yield the series as it is, and then with the values of one step after the other moved."""
        yield self.series
        for k, shift in zip(self.steps, self.shifts, strict=True):
            values = self.series.values.copy()
            values[:, k] += shift
            yield replace(self.series, values=values)

    def drivers(self, n: float, told: Iterator[float | NotEnoughData], most: int) -> Drivers | NotEnoughData:
        """Return the drivers by what is told of the projections to `n` of all that was moved, in its order."""
        value, *moved = (next(told) for _ in range(len(self.steps) + 1))
        if isinstance(value, NotEnoughData):
            return value
        series = self.series
        steps, parts = [], []
        sensitivities = np.zeros(len(series.n))
        for k, shift, there in zip(self.steps, self.shifts, moved, strict=True):
            if isinstance(there, NotEnoughData):
                continue
            sensitivity = (there - value) / shift
            sensitivities[k] = sensitivity
            steps.append(StepInfluence(int(series.n[k]), sensitivity))
            parts.append(sensitivity * float(self.error[k]))
        # Without their squares, which of a diverged loss are more than a number can be.
        return Drivers(int(n), steps, self._cells(sensitivities, most), math.hypot(*parts))

    def _cells(self, sensitivities: NDArray[np.float64], most: int) -> list[CellInfluence]:
        """Return the cells with the largest effects, of equal ones the smaller sizes first."""
        series, runs = self.series, self.series.runs()
        with np.errstate(invalid="ignore", over="ignore"):  # of what is missing, or as good as
            effects = (sensitivities * (series.values - series.mean()) / np.maximum(runs - 1, 1)).T
        known = np.where(np.isfinite(effects) & (runs > 1)[:, None], effects, 0.0)
        found = []
        for place in np.argsort(-np.abs(known), axis=None, kind="stable")[:most].tolist():
            k, run = divmod(place, len(series.values))
            if known[k, run]:
                found.append(CellInfluence(run, int(series.n[k]), float(series.values[run, k]), float(known[k, run])))
        return found
