"""The fitted curves themselves, with their back-tests."""

from sufficiency.answers.study import FittedCurve, FittedStudy
from sufficiency.answers.warnings import warnings_of
from sufficiency.method.backtest import Backtest
from sufficiency.method.curve import ASSURANCE, HORIZON, LEAST_PROBABILITY, RELIABLE
from sufficiency.method.measurements import Reading
from sufficiency.schemas.results import BacktestView, Curves, CurveView, PredictionView, ReadingView


def curves(fitted: FittedStudy[Reading]) -> Curves:
    """Return the curves of a study, and what they are read by."""
    return Curves(
        job_id=fitted.study.id,
        n_observed=fitted.n_observed,
        provisional=fitted.study.provisional,
        cells_reused=fitted.study.cells_reused,
        reading=ReadingView(
            horizon=HORIZON, reliable=RELIABLE, least_probability=LEAST_PROBABILITY, assurance=ASSURANCE
        ),
        items=[_view(fitted, one) for one in fitted.curves],
        warnings=warnings_of(fitted),
    )


def _view(fitted: FittedStudy[Reading], one: FittedCurve[Reading]) -> CurveView:
    return CurveView(
        metric=one.reading.metric,
        class_=fitted.label(one),
        direction=one.reading.direction,
        bounds=one.reading.bounds,
        method=fitted.method,
        method_version=fitted.method_version,
        stored=one.stored,
        params=one.fit.params(),
        fit=one.fit.to_dict(),
        backtest=backtest_view(one.backtest),
    )


def backtest_view(test: Backtest) -> BacktestView:
    """Return a back-test as it is answered."""
    return BacktestView(
        error=test.error,
        inside_interval=test.inside_interval,
        predictions=[PredictionView(**vars(one)) for one in test.predictions],
    )
