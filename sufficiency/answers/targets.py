"""Targets as they are written, and which metrics each is for."""

import math
import re
from collections.abc import Mapping, Sequence

from sufficiency.answers.errors import MOST_LISTED, BadQuestion, OutOfBounds, TooLittleMeasured, UnknownMetric
from sufficiency.answers.study import FittedStudy
from sufficiency.method.measurements import Reading, bounds_text
from sufficiency.method.projection import TargetOutOfBounds, check_target

# A value for one metric, or for all.
Target = tuple[str | None, float]

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def parse_targets(texts: Sequence[str], pointer: str = "target") -> list[Target]:
    """Return the targets as (metric or None for all, value).

    A target is ``0.93`` or ``Accuracy:0.93``; a metric's name may itself contain colons.

    Parameters
    ----------
    texts : sequence of str
    pointer : str
        The parameter that they are given by.

    Raises
    ------
    BadQuestion
    """
    parsed: list[Target] = []
    for text in texts:
        name, colon, number = text.rpartition(":")
        value = float(number) if _NUMBER.fullmatch(number.strip()) else math.nan
        if not math.isfinite(value) or (colon and not name):
            detail = f"{text!r} is no {pointer}; write a number, or a metric and a number as in Accuracy:0.93."
            raise BadQuestion(detail, f"invalid_{pointer}", pointer)
        parsed.append((name if colon else None, value))
    return parsed


def targets_by_metric(fitted: FittedStudy[Reading], targets: Sequence[Target]) -> dict[str, list[float]]:
    """Return the values that each fitted metric is asked for; one without a metric is for all whose bounds admit it.

    Raises
    ------
    UnknownMetric
    TooLittleMeasured
        For a target on a metric that has too little for a fit.
    OutOfBounds
        For a target outside its metric's bounds, or outside those of all metrics.
    """
    # The last of a metric's curves stands for it: all of them have its bounds.
    readings = {one.reading.metric: one.reading for one in fitted.curves}
    wanted: dict[str, dict[float, None]] = {metric: {} for metric in readings}
    for name, value in dict.fromkeys(targets):
        admitting = _all_admitting(readings, value) if name is None else [_admitting(fitted, readings, name, value)]
        for metric in admitting:
            wanted[metric][value] = None
    return {metric: list(values) for metric, values in wanted.items()}


def require_admitted(reading: Reading, target: float) -> None:
    """Refuse a target that the metric cannot take.

    Raises
    ------
    OutOfBounds
    """
    try:
        _check(reading, target)
    except TargetOutOfBounds as error:
        raise OutOfBounds(f"Target {target:g} for {reading.metric}: {error}") from None


def _check(reading: Reading, target: float) -> None:
    check_target(target, reading.bounds)
    if is_share(reading, target):
        raise TargetOutOfBounds(f"it is measured in per cent, from 0 to 100: write {100 * target:g}")


def is_share(reading: Reading, target: float) -> bool:
    """Return whether a target is one of 1, and the metric of 100, so that any value would seem to have reached it."""
    return reading.bounds == (0.0, 100.0) and reading.direction == "maximize" and 0 < target <= 1


def _admitting(fitted: FittedStudy[Reading], readings: Mapping[str, Reading], name: str, target: float) -> str:
    if name in readings:
        require_admitted(readings[name], target)
        return name
    reasons = {one.metric: why for one, why in fitted.skipped}
    if name in reasons:
        raise TooLittleMeasured(f"There is too little for a fit. {name}: {reasons[name]}")
    raise UnknownMetric(name, readings.keys() | reasons.keys(), "target")


def _all_admitting(readings: Mapping[str, Reading], target: float) -> list[str]:
    admitting = []
    for metric, one in readings.items():
        try:
            _check(one, target)
        except TargetOutOfBounds:
            continue
        admitting.append(metric)
    if not admitting:
        told = [
            f"{metric} lies in {bounds_text(one.bounds)}"
            + (f", in per cent: write {100 * target:g}" if is_share(one, target) else "")
            for metric, one in list(readings.items())[:MOST_LISTED]
        ]
        raise OutOfBounds(f"Target {target:g} is outside the bounds of every metric: {'; '.join(told)}")
    return admitting
