"""What is odd about a curve, what drove its answer, and how much of it is the test split's own noise."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.curve import NotEnoughData
from sufficiency.method.measurements import Series
from sufficiency.method.measurements import sampling_sd as sampling_sd
from sufficiency.method.observed import Observed, observe
from sufficiency.method.trend import find_fall, is_flat

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
    seen = observe(series)
    found = [_holes(series), _outside(series), _short(seen), _one_run(seen), _fall(seen)]
    if found[-1] is None:
        found.append(_flat(seen))
    return [flag for flag in found if flag is not None]


def _holes(series: Series) -> Flag | None:
    missing = int(series.values.size - np.isfinite(series.values).sum())
    if not missing:
        return None
    return Flag("missing_values", f"{missing} of {series.values.size} values are missing; those cells are left out.")


def _outside(series: Series) -> Flag | None:
    low, high = series.bounds
    values = series.values[np.isfinite(series.values)]
    outside = values[(values < (-np.inf if low is None else low)) | (values > (np.inf if high is None else high))]
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


def _fall(seen: Observed) -> Flag | None:
    fall = find_fall(seen)
    if fall is None:
        return None
    return Flag(
        "non_monotone",
        f"The metric got worse from {seen.mean[fall.earlier]:.4g} at n = {seen.n[fall.earlier]:,.0f} to "
        f"{seen.mean[fall.later]:.4g} at n = {seen.n[fall.later]:,.0f}, by more than the runs' scatter explains.",
    )


def _flat(seen: Observed) -> Flag | None:
    if not is_flat(seen):
        return None
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
    value = float(fit_calibrated(series).value(n))
    mean, runs, sd = series.mean(), series.runs(), series.sd()
    usable = np.flatnonzero(np.isfinite(mean))
    scale = float(np.ptp(mean[usable])) or max(abs(float(mean[usable][-1])), 1.0) * 1e-3
    error = np.where(np.isfinite(sd), sd / np.sqrt(np.maximum(runs, 1)), 0.0)
    steps, cells, variance = [], [], 0.0
    high = np.inf if series.bounds[1] is None else series.bounds[1]
    for k in usable.tolist():
        shift = max(float(error[k]), 0.01 * scale)
        if mean[k] + shift > high:
            shift = -shift
        moved = series.values.copy()
        moved[:, k] += shift
        try:
            there = float(fit_calibrated(replace(series, values=moved)).value(n))
        except NotEnoughData:
            continue
        sensitivity = (there - value) / shift
        steps.append(StepInfluence(int(series.n[k]), sensitivity))
        variance += (sensitivity * float(error[k])) ** 2
        if runs[k] > 1:
            for run in np.flatnonzero(np.isfinite(series.values[:, k])).tolist():
                measured = float(series.values[run, k])
                effect = sensitivity * (measured - float(mean[k])) / (int(runs[k]) - 1)
                cells.append(CellInfluence(run, int(series.n[k]), measured, effect))
    cells.sort(key=lambda cell: -abs(cell.effect))
    return Drivers(int(n), steps, [cell for cell in cells[:most] if cell.effect], math.sqrt(variance))
