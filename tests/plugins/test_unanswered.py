"""A model that answers NaN has no figure, and one that answers no tensor in training says so."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sufficiency.data.arrays import ArrayDataset
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.multilabel import Multilabel
from sufficiency.plugins.outputs import WrongOutput
from sufficiency.plugins.regression import Regression
from sufficiency.plugins.training import SGDClassifier
from sufficiency.plugins.unanswered import NoAnswer

X = np.arange(12.0).reshape(6, 2)
CLASSES = ArrayDataset(X, np.arange(6) % 2, ["a", "b"])


class Answers(nn.Module):
    """Answers the same to every item but the last."""

    def __init__(self, outputs: int, last: float) -> None:
        super().__init__()
        self.outputs, self.last = outputs, last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answers = torch.ones(len(x), self.outputs)
        answers[-1, 0] = self.last
        return answers


@pytest.mark.parametrize(
    ("evaluation", "outputs", "dataset"),
    [
        pytest.param(Classification(["accuracy"]), 2, CLASSES, id="classification"),
        pytest.param(Multilabel(["f1_micro"]), 2, ArrayDataset(X, np.ones((6, 2)), ["a", "b"]), id="multilabel"),
        pytest.param(Regression(["mae"]), 1, ArrayDataset(X, X[:, 0], None), id="regression"),
    ],
)
def test_nan_counts_as_no_class_and_no_number(evaluation: Any, outputs: int, dataset: ArrayDataset) -> None:
    with pytest.raises(NoAnswer, match=r"answers NaN for 1 of 6 items.*smaller learning rate"):
        evaluation.evaluate(Answers(outputs, np.nan), dataset)
    evaluation.evaluate(Answers(outputs, 0.5), dataset)


def test_infinite_logits_decide_and_have_no_order() -> None:
    found = Classification(["accuracy", "auroc"]).evaluate(Answers(2, np.inf), CLASSES)
    assert found["Accuracy"] == 0.5
    assert np.isnan(found["AUROC"])


def test_auxiliary_outputs_are_told_by_whoever_trains() -> None:
    class Auxiliary(nn.Linear):
        def forward(self, x: torch.Tensor) -> Any:
            answers = super().forward(x)
            return (answers, answers) if self.training else answers

    with pytest.raises(WrongOutput, match="in training the model answers a tuple, as one with auxiliary outputs does"):
        SGDClassifier().train(Auxiliary(2, 2), CLASSES, range(4))
