"""What a score on training items says of what a model lacks."""

import numpy as np
import pytest

from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.diagnosis import diagnose
from sufficiency.method.fitted_to import TrainScores, train_fit, train_scores
from sufficiency.method.verdict import Verdict, judge
from tests.method.contradictions import contradictions
from tests.method.curves import N, noisy, series

LEVEL = series(noisy(np.minimum(0.3 + 0.1 * np.log2(N / 25), 0.6), 0.002))
STEEP = series(noisy(1 - 3.0 * N**-0.4))


def told(curve: object, train: float | None, *, converged: bool = True) -> Verdict:
    scores = TrainScores(2500, {} if train is None else {"Accuracy": train}, converged)
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
    verdict = told(LEVEL, 0.62, converged=False)
    assert verdict.limited_by == "training"
    assert verdict.limits[0].remedy.startswith("Let it train longer")
    at_its_best = told(series(np.ones((5, 10))), 1.0, converged=False)
    assert (at_its_best.limited_by, list(at_its_best.limits)) == (None, [])


def test_cells_are_put_together_by_size() -> None:
    warned = {"train": {"Accuracy": 0.8}, "warnings": [{"category": "ConvergenceWarning", "message": "", "count": 1}]}
    found = train_scores([(10, warned), (10, {"train": {"Accuracy": 0.9, "AUROC": None}}), (20, None)])
    assert found[10] == TrainScores(10, {"Accuracy": pytest.approx(0.85)}, converged=False)
    assert found[20] == TrainScores(20, {})


def test_a_loss_fits_by_falling_and_a_reward_cannot_be_told() -> None:
    loss = series(2.0 * noisy(N**-0.4, 0.002), direction="minimize", bounds=(0.0, None))
    assert train_fit(loss, 0.4, 0.05) is not None
    assert train_fit(loss, 0.4, 0.05).fitting == "over"  # type: ignore[union-attr]
    assert train_fit(loss, 0.4, 0.35).fitting == "under"  # type: ignore[union-attr]
    assert train_fit(series(noisy(N * 1.0), bounds=(None, None)), 5.0, 9.0) is None
