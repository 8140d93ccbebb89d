"""Targets as they are written, and which metrics each is for."""

import math
import re
from collections.abc import Sequence

from sufficiency.answers.errors import BadQuestion, OutOfBounds, TooLittleMeasured, UnknownMetric
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
    wanted: dict[str, list[float]] = {one.reading.metric: [] for one in fitted.curves}
    for name, value in targets:
        admitting = _all_admitting(fitted, value) if name is None else [_admitting(fitted, name, value)]
        for metric in admitting:
            if value not in wanted[metric]:
                wanted[metric].append(value)
    return wanted


def require_admitted(reading: Reading, target: float) -> None:
    """Refuse a target that the metric cannot take.

    Raises
    ------
    OutOfBounds
    """
    try:
        check_target(target, reading.bounds)
    except TargetOutOfBounds as error:
        raise OutOfBounds(f"Target {target:g} for {reading.metric}: {error}") from None


def _admitting(fitted: FittedStudy[Reading], name: str, target: float) -> str:
    of_name = [one.reading for one in fitted.curves if one.reading.metric == name]
    if of_name:
        require_admitted(of_name[-1], target)
        return name
    reasons = {one.metric: why for one, why in fitted.skipped}
    if name in reasons:
        raise TooLittleMeasured(f"There is too little for a fit. {name}: {reasons[name]}")
    raise UnknownMetric(name, {one.reading.metric for one in fitted.curves} | set(reasons), "target")


def _all_admitting(fitted: FittedStudy[Reading], target: float) -> list[str]:
    bounds = {one.reading.metric: one.reading.bounds for one in fitted.curves}
    admitting = []
    for metric, of_metric in bounds.items():
        try:
            check_target(target, of_metric)
        except TargetOutOfBounds:
            continue
        admitting.append(metric)
    if not admitting:
        ranges = "; ".join(f"{metric} lies in {bounds_text(of_metric)}" for metric, of_metric in bounds.items())
        raise OutOfBounds(f"Target {target:g} is outside the bounds of every metric: {ranges}")
    return admitting
