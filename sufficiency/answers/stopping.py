"""Is the question of a study answered by what it has measured so far?"""

from collections.abc import Sequence
from dataclasses import dataclass

from sufficiency.answers.errors import TooLittleMeasured
from sufficiency.answers.study import FittedStudy, Study, fit_study
from sufficiency.answers.targets import is_share
from sufficiency.answers.verdict import verdict
from sufficiency.method.measurements import Series
from sufficiency.method.projection import ProjectedPoint, project
from sufficiency.schemas.stopping import StopWhen
from sufficiency.schemas.text import count, number, percent
from sufficiency.schemas.words import DEFAULT_METHOD

# Of a question that names no size: how far ahead it looks, in largest steps.
FAR = 4
# A question is looked at after each stage, and an answer that is sure by chance at one of them would end the study. So
# a look must leave open no more than this share of what the question may (as in a group-sequential trial).
OF_ONE_LOOK = 0.5


@dataclass(frozen=True)
class Standing:
    """How a question stands.

    Attributes
    ----------
    decided : bool
    detail : str
        In a sentence.
    """

    decided: bool
    detail: str


def asked_about(series: Sequence[Series], metric: str | None) -> Series | None:
    """Return the series that a question is about: its metric's, or Accuracy's, or the first with one value a cell."""
    scalars = {one.metric: one for one in series if one.class_index is None}
    if metric is not None:
        return scalars.get(metric)
    return scalars.get("Accuracy") or next(iter(scalars.values()), None)


def size_asked(stop: StopWhen | None, steps: Sequence[int]) -> int:
    """Return the training-set size that a question is about."""
    return stop.n if stop is not None and stop.n is not None else FAR * max(steps)


def standing(study: Study, series: Series | None, stop: StopWhen) -> Standing:
    """Return whether all that a question names holds by what is measured, and how it stands.

    Parameters
    ----------
    series : Series or None
        Of the metric that it is about; None where nothing of it is measured.
    """
    if series is None:
        return Standing(False, f"{stop.metric or 'A metric with one value'} is not among what was measured")
    try:
        fitted = fit_study(study, [series], DEFAULT_METHOD)
    except TooLittleMeasured as error:
        return Standing(False, str(error))
    n = size_asked(stop, study.steps)
    found = [_width(fitted, stop, n), _target(fitted, stop, n), _told(fitted, stop)]
    asked = [one for one in found if one is not None]
    return Standing(all(one.decided for one in asked), "; ".join(one.detail for one in asked))


def _width(fitted: FittedStudy[Series], stop: StopWhen, n: int) -> Standing | None:
    if stop.width is None:
        return None
    [curve] = fitted.curves
    asked, look = (
        project(curve.reading, curve.fit, [float(n)], level, "mean")[0] for level in (stop.level, _sure(stop.level))
    )
    if None in (asked.lower, asked.upper, look.lower, look.upper):
        return Standing(False, f"there is no interval at {count(n)} yet")
    width = _width_of(asked)
    wide = f"the {percent(stop.level)} interval of {curve.reading.metric} at {count(n)} is {number(width)} wide"
    return Standing(_width_of(look) < stop.width, f"{wide}, {number(stop.width)} was asked for")


def _target(fitted: FittedStudy[Series], stop: StopWhen, n: int) -> Standing | None:
    if stop.target is None:
        return None
    [curve] = fitted.curves
    if is_share(curve.reading, stop.target):
        ask = number(100 * stop.target)
        return Standing(False, f"{curve.reading.metric} is measured in per cent: a target of {ask} was meant")
    chance = float(curve.fit.probability_of_meeting(float(n), stop.target))
    decided = max(chance, 1.0 - chance) >= _sure(stop.probability)
    metric = curve.reading.metric
    return Standing(decided, f"{metric} reaches {number(stop.target)} at {count(n)} with probability {number(chance)}")


def _sure(level: float) -> float:
    """Return how sure one look must be for a study that is looked at stage after stage to be as sure as `level`."""
    return 1.0 - OF_ONE_LOOK * (1.0 - level)


def _width_of(point: ProjectedPoint) -> float:
    assert point.lower is not None and point.upper is not None, "looked at before"  # noqa: PT018
    return point.upper - point.lower


def _told(fitted: FittedStudy[Series], stop: StopWhen) -> Standing | None:
    if not stop.verdict:
        return None
    [judged] = next(iter(verdict(fitted).metrics.values()))
    return Standing(judged.worth != "unclear", judged.sentence)
