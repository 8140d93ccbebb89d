"""Standard errors of the built-in evaluations are what a bootstrap over the test items gives, and reach the answers."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_auroc, multiclass_f1_score

from sufficiency import Measured
from sufficiency.method.item_marks import unpack
from sufficiency.method.measurements import series_from_rows
from sufficiency.plugins import standard_errors
from sufficiency.training.metrics import InvalidMetrics, item_marks, normalise
from sufficiency.training.metrics import standard_errors as told_by

ITEMS = 400
RNG = np.random.default_rng(0)
TARGET = RNG.integers(0, 3, ITEMS)
SCORES = np.eye(3)[TARGET] + RNG.normal(0, 0.8, (ITEMS, 3))
LABELS = SCORES.argmax(axis=1)
NUMBERS = RNG.normal(0, 2, ITEMS)
ERRORS = RNG.normal(0, 1, ITEMS) * (1 + (NUMBERS > 0))


def bootstrap(metric: Callable[[Any], float]) -> float:
    draws = np.random.default_rng(1)
    return float(np.std([metric(draws.integers(0, ITEMS, ITEMS)) for _ in range(300)], ddof=1))


def auroc(items: Any) -> float:
    scores = torch.from_numpy(SCORES[items]).softmax(1)
    return float(multiclass_auroc(scores, torch.from_numpy(TARGET[items]), num_classes=3))


def f1(items: Any) -> float:
    labels, target = torch.from_numpy(LABELS[items]), torch.from_numpy(TARGET[items])
    return float(multiclass_f1_score(labels, target, num_classes=3, average="macro"))


def r2(items: Any) -> float:
    return float(1 - (ERRORS[items] ** 2).sum() / ((NUMBERS[items] - NUMBERS[items].mean()) ** 2).sum())


PROBABILITIES = torch.from_numpy(SCORES).softmax(1).numpy()


@pytest.mark.parametrize(
    ("error", "metric"),
    [
        (standard_errors.of_auroc(PROBABILITIES, TARGET), auroc),
        (standard_errors.of_f1(LABELS, TARGET, 3), f1),
        (standard_errors.of_mean(abs(ERRORS)), lambda items: float(abs(ERRORS[items]).mean())),
        (standard_errors.of_rmse(ERRORS), lambda items: float(np.sqrt((ERRORS[items] ** 2).mean()))),
        (standard_errors.of_r2(ERRORS, NUMBERS), r2),
    ],
    ids=["auroc", "f1", "mae", "rmse", "r2"],
)
def test_it_is_what_a_bootstrap_gives(error: float, metric: Callable[[Any], float]) -> None:
    assert error == pytest.approx(bootstrap(metric), rel=0.15)


def test_a_measured_number_is_a_number() -> None:
    one = Measured(0.91, se=0.012)
    assert (one, one.se, 2 * one) == (0.91, 0.012, 1.82)
    assert repr(one) == "Measured(0.91, se=0.012)"
    again = pickle.loads(pickle.dumps(one))
    assert (again, again.se) == (0.91, 0.012)
    assert normalise({"AUROC": one}) == [("AUROC", -1, 0.91)]


def test_what_an_evaluation_says_of_its_noise_is_kept_by_metric() -> None:
    assert told_by({"A": Measured(0.5, 0.1), "B": 0.5, "C": Measured(0.5, float("nan"))}) == {"A": 0.1}
    with pytest.raises(InvalidMetrics, match="standard error -1"):
        told_by({"A": Measured(0.5, -1)})


def test_a_series_has_the_mean_over_its_cells() -> None:
    rows = [(run, step, 10 * 2**step, "AUROC", -1, 0.5 + 0.1 * step) for run in (0, 1) for step in range(4)]
    errors = [(0, {"AUROC": 0.04}), (0, {"AUROC": 0.02}), (2, {"AUROC": 0.01}), (3, {"Other": 1.0})]
    [series] = series_from_rows(rows, {}, errors)
    assert series.test_sd == pytest.approx([0.03, 0.02, 0.01, 0.01])
    assert series_from_rows(rows, {})[0].test_sd is None


def test_which_items_were_right_is_told_by_metric() -> None:
    right = np.array([True, False, True])
    found = item_marks({"A": Measured(2 / 3, correct=right), "B": Measured(0.5, 0.1), "C": 0.5})
    assert {metric: unpack(one).tolist() for metric, one in found.items()} == {"A": right.tolist()}
    assert item_marks({"A": Measured(1.0, correct=torch.tensor([1, 0, 1]))}) == found
    again = pickle.loads(pickle.dumps(Measured(2 / 3, correct=right)))
    assert np.array_equal(again.correct, right)
    assert repr(again) == f"Measured({2 / 3!r}, se=nan, correct=3 items)"


@pytest.mark.parametrize("correct", [[[True]], [], [0.5, 1], [float("nan")], ["yes"], 3, object()])
def test_what_is_no_truth_value_an_item_is_refused(correct: object) -> None:
    with pytest.raises(InvalidMetrics, match="`correct` of 'A'"):
        item_marks({"A": Measured(0.5, correct=correct)})


def test_too_many_items_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sufficiency.training.metrics.MARKED_ITEMS", 2)
    marked = {name: Measured(0.5, correct=[True] * (2 + (name == "A"))) for name in "ABCDE"}
    assert list(item_marks(marked)) == ["B", "C", "D"]
