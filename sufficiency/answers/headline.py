"""What came of a study in a line: its primary metric at the largest size, and whether more data is worth it."""

from sufficiency.answers.primary import primary_metric
from sufficiency.answers.study import FittedCurve, FittedStudy, test_items
from sufficiency.answers.verdict import RANK, void_of
from sufficiency.method.diagnosis import Drivers
from sufficiency.method.measurements import Series
from sufficiency.method.verdict import Verdict, judge
from sufficiency.schemas.jobs import ResultView

# Classes of the primary metric; of more of them it takes seconds, and whoever asks for the verdict waits for it.
MOST_JUDGED = 100
# They say why, never which.
_NONE = Drivers(0, [], [], 0.0)


def headline(fitted: FittedStudy[Series]) -> ResultView:
    """Return the line: what the study's verdict says of its primary metric, of a metric by class of the deciding one.

    Parameters
    ----------
    fitted : FittedStudy
        By a method that gives intervals, with all that was measured.
    """
    metric = primary_metric(fitted)
    curves = [one for one in fitted.curves if one.reading.metric == metric]
    if len(curves) > MOST_JUDGED:
        return _line(fitted, curves[0], None)
    judged = [(_judged(fitted, one), one) for one in curves]
    told, one = min(judged, key=lambda each: (RANK[each[0].worth], -each[0].more[0].gain))
    return _line(fitted, one, told)


def _judged(fitted: FittedStudy[Series], one: FittedCurve[Series]) -> Verdict:
    return judge(
        one.reading,
        one.fit,
        one.flags,
        test=one.backtest,
        items=test_items(fitted.study, one.reading),
        min_gain=fitted.study.min_gains.get(one.reading.metric),
        void=void_of(fitted.study),
        n_observed=fitted.n_observed,
        drivers=_NONE,
    )


def _line(fitted: FittedStudy[Series], one: FittedCurve[Series], told: Verdict | None) -> ResultView:
    return ResultView(
        metric=one.reading.metric,
        class_=fitted.label(one),
        value=float(one.fit.value(one.fit.n_max)),
        n=int(one.fit.n_max),
        worth=None if told is None else told.worth,
    )
