"""Are targets met surely enough to go on? For pipelines, which want a yes or a no."""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from sufficiency.answers.attainable import attainable
from sufficiency.answers.heading import heading
from sufficiency.answers.study import FittedCurve, FittedStudy, test_items
from sufficiency.answers.targets import Target, targets_by_metric
from sufficiency.answers.verdict import void_of
from sufficiency.answers.warnings import doubts_of, warnings_of
from sufficiency.method.curve import DEFAULT_LEVEL
from sufficiency.method.diagnosis import sampling_sd
from sufficiency.method.measurements import Series
from sufficiency.method.phrasing import value_text
from sufficiency.method.projection import project
from sufficiency.schemas.gates import CheckView, GateView
from sufficiency.schemas.text import percent

_DRAWS = 200


def gate(
    fitted: FittedStudy[Series],
    targets: Sequence[Target],
    probability: float,
    n: int | None = None,
    level: float = DEFAULT_LEVEL,
) -> GateView:
    """Return whether every target is met with a probability.

    Parameters
    ----------
    fitted : FittedStudy
        By a method that gives intervals, with all that was measured.
    targets : sequence of (metric or None, value)
        One without a metric is for every metric whose bounds admit it.
    probability : float
    n : int, optional
        At that training-set size; default the largest one measured.
    level : float
        Of the intervals.

    Raises
    ------
    QuestionError
        As `targets_by_metric`.
    """
    wanted = targets_by_metric(fitted, targets)
    size = n or fitted.n_observed
    void = void_of(fitted.study)
    checks = [
        _check(fitted, one, target, probability, size, level, void)
        for one in fitted.curves
        for target in wanted[one.reading.metric]
    ]
    return GateView(
        **heading(fitted, level),
        n=size,
        probability=probability,
        passed=all(check.passed for check in checks),
        checks=checks,
        warnings=[*doubts_of(fitted.study), *warnings_of(fitted, size)],
    )


def _check(
    fitted: FittedStudy[Series],
    one: FittedCurve[Series],
    target: float,
    probability: float,
    n: int,
    level: float,
    void: str | None,
) -> CheckView:
    series = one.reading
    [point] = project(series, one.fit, [n], level)
    assert point.lower is not None
    assert point.upper is not None
    chance = _chance(fitted, one, target, n, point.value)
    measured = int(one.fit.n_max)
    now = float(one.fit.value(measured))
    known = chance if n == measured else _chance(fitted, one, target, measured, now)
    reach = attainable(fitted.study, series, target, known if void is None else 0.0, now)
    passed = chance >= probability and void is None
    label = fitted.label(one)
    name = series.metric if label is None else f"{series.metric} of {label}"
    verb = "is" if point.measured_range else "should be"
    said = f"{name} {verb} {value_text(point.value)} at n = {n:,} and meets {value_text(target)} with {percent(chance)}"
    if reach.status == "ruled_out" and void is None:
        said += f". {reach.detail[:-1]}"
    said += f"; {percent(probability)} is asked for." if void is None else f", which says nothing: {void}."
    return CheckView(
        metric=series.metric,
        target=target,
        value=point.value,
        lower=point.lower,
        upper=point.upper,
        probability=chance,
        passed=passed,
        sentence=said,
        attainable=reach,
        class_=label,
    )


def _chance(fitted: FittedStudy[Series], one: FittedCurve[Series], target: float, n: int, value: float) -> float:
    """Return the probability of meeting a target, whatever items the test split had drawn."""
    items = test_items(fitted.study, one.reading)
    noise = 0.0 if items is None else sampling_sd(value, items)
    if noise <= 0:
        return float(one.fit.probability_of_meeting(n, target))
    sign = 1.0 if one.reading.direction == "maximize" else -1.0
    drawn = one.fit.draws(np.array([float(n)]), _DRAWS)[:, 0]
    return float(ndtr(sign * (drawn - target) / noise).mean())
