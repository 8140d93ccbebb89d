"""What a score on training items says of what a model lacks."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.diagnosis import diagnose
from sufficiency.method.fitted_to import TrainScores, train_fit, train_scores, unfinished
from sufficiency.method.verdict import Verdict, judge
from tests.method.contradictions import contradictions
from tests.method.curves import N, noisy, series

LEVEL = series(noisy(np.minimum(0.3 + 0.1 * np.log2(N / 25), 0.6), 0.002))
STEEP = series(noisy(1 - 3.0 * N**-0.4))


def told(curve: object, train: float | None, *, warned: bool = False) -> Verdict:
    scores = TrainScores(2500, {} if train is None else {"Accuracy": train}, warned)
    return judge(curve, fit_calibrated(curve), diagnose(curve), trained=scores)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("train", "fitting", "limited_by", "words"),
    [
        pytest.param(0.62, "under", "model", "what is missing is mostly missing there already", id="under"),
        pytest.param(0.99, "over", "labels", "does not carry over", id="over"),
    ],
)
def test_a_level_curve_is_limited_by_what_the_training_items_tell(
    train: float, fitting: str, limited_by: str, words: str
) -> None:
    verdict = told(LEVEL, train)
    assert verdict.train is not None
    assert (verdict.worth, verdict.train.fitting, verdict.limited_by) == ("no", fitting, limited_by)
    assert verdict.train.gap == pytest.approx(train - verdict.now.value)
    assert words in verdict.limits[0].detail
    assert [limit.code for limit in verdict.limits] == [limited_by]
    assert not list(contradictions(verdict.statements))


def test_what_nobody_looked_at_is_not_told() -> None:
    assert (told(LEVEL, None).train, told(LEVEL, None).limited_by) == (None, None)
    assert [limit.code for limit in told(LEVEL, None).limits] == ["model"]
    assert told(STEEP, 0.99).limited_by == "data"
    assert "labels" not in [limit.code for limit in told(STEEP, 0.99).limits]


def test_a_training_that_did_not_converge_is_the_limit() -> None:
    verdict = told(LEVEL, 0.62, warned=True)
    assert verdict.limited_by == "training"
    assert verdict.limits[0].remedy.startswith("Let it train longer")
    at_its_best = told(series(np.ones((5, 10))), 1.0, warned=True)
    assert (at_its_best.limited_by, list(at_its_best.limits)) == (None, [])


FALLING = {"start": 2.0, "halfway": 1.4, "end": 1.05, "falls": True}


def fallen(curve: Any, train: float | None, loss: dict[str, Any], *, runs: int = 5, still: int = 5) -> Verdict:
    """Return the verdict where the loss of so many of the runs still fell."""
    level = {**loss, "falls": False}
    cells = [{"loss": loss if run < still else level} for run in range(runs)]
    if train is not None:
        cells = [{**one, "train": {"Accuracy": train}} for one in cells]
    scores = train_scores((2500, one) for one in cells)[2500]
    return judge(curve, fit_calibrated(curve), diagnose(curve), trained=scores)


def test_a_loss_that_still_falls_where_much_is_missing_on_the_training_items_is_the_limit() -> None:
    verdict = fallen(LEVEL, 0.62, FALLING)
    assert (verdict.worth, verdict.limited_by, verdict.limits[0].code) == ("no", "training", "training")
    assert "it fell from 1.40 halfway to 1.05 at the end (by 25 %)" in verdict.limits[0].detail
    assert "On its own training items the model reaches 0.620" in verdict.limits[0].detail
    assert verdict.limits[0].remedy.startswith("Let it train longer")
    assert "model" not in [limit.code for limit in verdict.limits]
    assert not list(contradictions(verdict.statements))


@pytest.mark.parametrize(
    ("train", "loss", "still"),
    [
        pytest.param(0.99, FALLING, 5, id="nothing is missing on the training items"),
        pytest.param(0.62, {**FALLING, "end": 1.38}, 5, id="it hardly falls"),
        pytest.param(0.62, FALLING, 2, id="in few of the cells"),
        pytest.param(0.62, {**FALLING, "falls": None}, 5, id="it cannot be told"),
        pytest.param(0.8, {**FALLING, "halfway": 1.3}, 5, id="what it learns does not carry over"),
    ],
)
def test_it_is_not_where_it_would_bring_nothing(train: float, loss: dict[str, Any], still: int) -> None:
    verdict = fallen(LEVEL, train, loss, still=still)
    assert verdict.limited_by != "training"
    assert "training" not in [limit.code for limit in verdict.limits]


def test_where_nobody_looked_at_the_training_items_it_is_said_more_weakly() -> None:
    [limit, *_] = fallen(LEVEL, None, FALLING).limits
    assert limit.code == "training"
    assert "seems to have been still falling" in limit.detail
    assert limit.remedy.startswith("See what twice as many epochs bring")
    near_zero = {"start": 2.3, "halfway": 0.2, "end": 0.05, "falls": True}
    assert "training" not in [limit.code for limit in fallen(LEVEL, None, near_zero).limits]


def test_of_an_error_that_is_not_squared_the_loss_tells_less() -> None:
    """A tenth of the squares is a twentieth of their root, and a twentieth is what counts."""
    loss = [(10, {"loss": {"start": 9.0, "halfway": 2.0, "end": 1.8, "falls": True}, "train": {"RMSE": 1.0}})]
    for family, worthwhile, is_open in (("loss", 0.06, True), ("regression_error", 0.06, False)):
        rmse = replace(series(noisy(1 + N**-0.4), direction="minimize", bounds=(0.0, None)), metric="RMSE")
        rmse = replace(rmse, family=family)  # type: ignore[arg-type]
        assert (unfinished(rmse, 1.0, worthwhile, train_scores(loss)[10]) is not None) == is_open


def test_yes_stays_yes_where_the_loss_still_falls() -> None:
    assert (told(STEEP, 0.5).worth, fallen(STEEP, 0.5, FALLING).worth) == ("yes", "yes")
    assert fallen(STEEP, 0.5, FALLING).limited_by == "data"


def test_cells_are_put_together_by_size() -> None:
    warned = {"train": {"Accuracy": 0.8}, "warnings": [{"category": "ConvergenceWarning", "message": "", "count": 1}]}
    found = train_scores([(10, warned), (10, {"train": {"Accuracy": 0.9, "AUROC": None}}), (20, None)])
    assert found[10] == TrainScores(10, {"Accuracy": pytest.approx(0.85)}, warned=True)
    assert found[20] == TrainScores(20, {})


def test_a_loss_fits_by_falling_and_a_reward_cannot_be_told() -> None:
    loss = series(2.0 * noisy(N**-0.4, 0.002), direction="minimize", bounds=(0.0, None))
    assert train_fit(loss, 0.4, 0.05) is not None
    assert train_fit(loss, 0.4, 0.05).fitting == "over"  # type: ignore[union-attr]
    assert train_fit(loss, 0.4, 0.35).fitting == "under"  # type: ignore[union-attr]
    assert train_fit(series(noisy(N * 1.0), bounds=(None, None)), 5.0, 9.0) is None
