"""Is more data worth it, by every metric of a study?"""

from collections.abc import Mapping, Sequence

from sufficiency.answers.curves import backtest_view
from sufficiency.answers.errors import BadQuestion, TooMuchAsked, UnknownMetric
from sufficiency.answers.study import FittedCurve, FittedStudy, Study, test_items
from sufficiency.answers.targets import Target
from sufficiency.answers.warnings import doubts_of, warnings_of
from sufficiency.method.curve import DEFAULT_LEVEL
from sufficiency.method.measurements import Series
from sufficiency.method.verdict import Verdict, judge
from sufficiency.schemas.limits import VERDICTS
from sufficiency.schemas.results import (
    CeilingView,
    DriversView,
    DrivingCell,
    GainView,
    LimitView,
    StepView,
    Verdicts,
    VerdictView,
)
from sufficiency.schemas.words import ClassLabel


def verdict(fitted: FittedStudy[Series], min_gains: Sequence[Target] = (), level: float = DEFAULT_LEVEL) -> Verdicts:
    """Return whether more data is worth it: what it would bring, where the ceiling is, what limits, what to do next.

    Parameters
    ----------
    fitted : FittedStudy
        By a method that gives intervals, with all that was measured.
    min_gains : sequence of (metric or None for all, gain)
        What doubling the data must bring, in the metric's units; a metric's own goes before the one for all.
    level : float
        Of the intervals.

    Raises
    ------
    UnknownMetric
        For a gain on a metric that the study does not have.
    BadQuestion
        For a gain that is not above zero.
    """
    if len(fitted.curves) > VERDICTS:
        count = f"There are {len(fitted.curves)} curves, and at most {VERDICTS} are judged at a time"
        detail = f"{count}: name a `metric`, or a `class`."
        raise TooMuchAsked(detail, "metric")
    wanted = dict(min_gains)
    known = {one.reading.metric for one in fitted.curves}
    for name, gain in wanted.items():
        if name is not None and name not in known:
            raise UnknownMetric(name, known, "min_gain")
        if gain <= 0:
            detail = f"A gain must be above zero, in the metric's units; {gain:g} is not."
            raise BadQuestion(detail, "invalid_gain", "min_gain")
    metrics: dict[str, list[VerdictView]] = {}
    for one in fitted.curves:
        judged = judge(
            one.reading,
            one.fit,
            one.flags,
            items=test_items(fitted.study, one.reading),
            min_gain=wanted.get(one.reading.metric, wanted.get(None)),
            level=level,
            void=_void(fitted.study),
        )
        metrics.setdefault(one.reading.metric, []).append(_view(judged, fitted.label(one), one))
    return Verdicts(
        job_id=fitted.study.id,
        method=fitted.method,
        method_version=fitted.method_version,
        level=level,
        n_observed=fitted.n_observed,
        provisional=fitted.study.provisional,
        metrics=metrics,
        warnings=[*doubts_of(fitted.study), *warnings_of(fitted, _farthest(metrics))],
    )


# With these no figure says anything, however well it is measured.
_VOID = ("one_class", "one_target")


def _void(study: Study) -> str | None:
    return next((doubt["detail"] for doubt in study.doubts if doubt["code"] in _VOID), None)


def _farthest(metrics: Mapping[str, Sequence[VerdictView]]) -> int:
    return max(gain.n for views in metrics.values() for view in views for gain in view.more)


def _view(judged: Verdict, label: ClassLabel, one: FittedCurve[Series]) -> VerdictView:
    drivers = judged.drivers
    return VerdictView(
        sentence=judged.sentence,
        worth=judged.worth,
        min_gain=judged.min_gain,
        now=judged.now.value,
        more=[GainView(**vars(gain)) for gain in judged.more],
        ceiling=CeilingView(**vars(judged.ceiling)),
        limits=[LimitView(**vars(limit)) for limit in judged.limits],
        test_sd=judged.test_sd,
        drivers=DriversView(
            n=drivers.n,
            steps=[StepView(**vars(step)) for step in drivers.steps],
            cells=[DrivingCell(**vars(cell)) for cell in drivers.cells],
            run_sd=drivers.run_sd,
        ),
        backtest=backtest_view(one.backtest),
        class_=label,
    )
