"""What a model scores on the items that it was trained on, beside the test split."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sufficiency.data.arrays import ArrayDataset
from sufficiency.plugins.evaluation import Classification
from sufficiency.training.cell import MOST_TRAIN_ITEMS, train_scores

SIZE = 2 * MOST_TRAIN_ITEMS
X = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None]
TRAIN = ArrayDataset(X, (X[:, 0] > 0.5).astype(np.int64), ["low", "high"], "items")


class Threshold(torch.nn.Module):
    """Right about every item."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([0.5 - x, x - 0.5], dim=1)


class Own:
    """An evaluation of a user's, which counts what it is given."""

    def evaluate(self, model: Any, dataset: Any) -> Mapping[str, Any]:
        return {"Items": len(dataset), "PerClass": [0.5, 0.5]}


class Raising(Own):
    """One that cannot measure training items."""

    def evaluate(self, model: Any, dataset: Any) -> Mapping[str, Any]:
        raise RuntimeError("not these")


def study(evaluation: Any) -> Any:
    return SimpleNamespace(train=TRAIN, test=TRAIN, evaluation=evaluation, class_names=["low", "high"])


def test_a_built_in_evaluation_measures_the_training_items_too_unless_told_not_to() -> None:
    scores = train_scores(
        study(Classification(["accuracy", "recall_per_class"])), Threshold(), [*range(0, SIZE, 7)], None
    )
    assert scores == {"Accuracy": 1.0}, "one value, not one a class"
    assert train_scores(study(Classification(["accuracy"])), Threshold(), [0, SIZE - 1], False) == {}
    only_low = train_scores(study(Classification(["accuracy", "auroc"])), Threshold(), [0, 1], None)
    assert only_low.get("Accuracy", 1.0) == 1.0


@pytest.mark.parametrize(("wanted", "found"), [(None, {}), (False, {}), (True, {"Items": 30.0})])
def test_one_of_a_users_does_where_it_is_asked_to(wanted: bool | None, found: dict[str, float]) -> None:
    assert train_scores(study(Own()), None, [*range(30)], wanted) == found


def test_it_is_cheap_and_never_costs_the_cell() -> None:
    assert train_scores(study(Own()), None, [*range(SIZE)], True) == {"Items": float(MOST_TRAIN_ITEMS)}
    assert train_scores(study(Raising()), None, [*range(30)], True) == {}
