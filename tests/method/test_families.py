"""What kind of metric a name says, and what the metrics of one study tell of each other."""

import numpy as np
import pytest

from sufficiency.method.backtest import backtest
from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.course import CONTEXT, COURSE, SLOTS, course
from sufficiency.method.families import family_of
from sufficiency.method.measurements import Series, series_from_rows, with_companions
from sufficiency.method.observed import MOST_STEPS, observe, pool
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import METRIC_FAMILIES
from tests.method.curves import RISING, N, noisy, series

ACCURACY = series(noisy(RISING))
LOSS = Series("LogLoss", None, N, 2.0 * noisy(1 - RISING, seed=1), "minimize", (0.0, None), "loss")
RECALL = Series("Recall", 3, N, noisy(RISING, seed=2), "maximize", (0.0, 1.0), "f")


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Accuracy", "accuracy"),
        ("balanced_accuracy", "accuracy"),
        ("Top5Accuracy", "accuracy"),
        ("AUROC", "ranking"),
        ("ROC AUC", "ranking"),
        ("mAP@[.5:.95]", "ranking"),
        ("Average Precision", "ranking"),
        ("TPR at 0.5 Fixed FPR", "ranking"),
        ("F1", "f"),
        ("Recall (macro)", "f"),
        ("val/log_loss", "loss"),
        ("CrossEntropy", "loss"),
        ("RMSE", "regression_error"),
        ("mean_squared_error", "regression_error"),
        ("R2", "r2"),
        ("explained variance", "r2"),
        ("ECE", "rate"),
        ("error rate", "rate"),
    ],
    ids=lambda value: str(value).replace(" ", "_"),
)
def test_a_usual_name_says_its_family(name: str, family: str) -> None:
    assert family_of(name, MetricSpec()) == family


def test_what_is_declared_goes_before_the_name_and_values_tell_where_it_says_nothing() -> None:
    assert family_of("Accuracy", MetricSpec(family="rate")) == "rate"
    assert family_of("quux", MetricSpec()) == "accuracy"
    assert family_of("quux", MetricSpec(direction="minimize")) == "rate"
    assert family_of("quux", MetricSpec(direction="minimize", bounds=(0.0, None))) == "loss"
    assert family_of("quux", MetricSpec(bounds=(None, 1.0))) == "r2"


def test_series_of_one_study_know_their_companions() -> None:
    accuracy, loss, recall = with_companions([ACCURACY, LOSS, RECALL])
    assert [one.metric for one in accuracy.companions] == ["LogLoss"]
    assert [one.metric for one in loss.companions] == ["Accuracy"]
    assert [one.metric for one in recall.companions] == ["LogLoss", "Accuracy"], "a class is nobody's companion"
    rows = [
        (run, step, int(n), name, -1, 0.5) for run in (0, 1) for step, n in enumerate(N) for name in ("AUROC", "MAE")
    ]
    assert [[o.metric for o in s.companions] for s in series_from_rows(rows, {})] == [["MAE"], ["AUROC"]]


def test_the_context_is_the_family_and_the_companions_courses() -> None:
    accuracy, _ = with_companions([ACCURACY, LOSS])
    context = observe(accuracy).context
    assert context.shape == (CONTEXT,)
    families, courses = context[: len(METRIC_FAMILIES)], context[len(METRIC_FAMILIES) :].reshape(len(SLOTS), COURSE)
    assert families.tolist() == [float(family == "accuracy") for family in METRIC_FAMILIES]
    assert courses[0].tolist() == LOSS.course.tolist()
    assert courses[0][0] == 1.0
    assert not courses[1:].any()


def test_a_course_does_not_depend_on_direction_or_unit() -> None:
    low = course(N, 1.0 - RISING, "minimize", (0.0, 1.0))
    assert course(N, RISING, "maximize", (0.0, 1.0)) == pytest.approx(low)
    assert course(N, 100 * RISING, "maximize", (0.0, 100.0)) == pytest.approx(low)
    assert (low[1:4] < 0).all(), "lower is better"
    assert not course(N[:2], RISING[:2], "maximize", (0.0, 1.0)).any(), "too little to tell"
    assert np.isfinite(course(N, np.full(10, 1e300), "minimize", (0.0, None))).all()


def test_parts_of_a_series_take_their_companions_along() -> None:
    accuracy, _ = with_companions([ACCURACY, LOSS])
    part = accuracy.within(0, 500)
    assert part.companions[0].n.tolist() == part.n.tolist() == N[:6].tolist()
    assert len(backtest(accuracy, "calibrated").predictions) > 0


def test_more_steps_than_tell_of_the_shape_are_made_fewer() -> None:
    n = np.unique(np.round(np.geomspace(25, 2500, 41)))
    curve = Series("Accuracy", None, n, np.stack([1 - 2 * n**-0.5] * 3) + 0.001 * np.eye(3)[:, :1], "maximize", (0, 1))
    seen = observe(curve)
    few, offset = pool(seen)
    assert len(few.n) <= MOST_STEPS < len(seen.n)
    assert few.x[-1] == 0.0
    assert few.n[-1] * 2**offset == pytest.approx(2500)
    ten = observe(ACCURACY)
    assert pool(ten)[0] is ten
    assert float(fit_calibrated(curve).value(2500)) == pytest.approx(float(curve.mean()[-1]))
    assert float(fit_calibrated(curve).value(10_000)) == pytest.approx(1 - 2 * 10_000**-0.5, abs=0.01)
