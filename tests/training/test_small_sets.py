"""Errors of libraries that come of a subset's size or classes say what to do about them."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader

from sufficiency.training.faults import Fault, blamed_on

X = np.random.default_rng(0).random((6, 4))
Y = np.array([0, 0, 0, 1, 1, 2])
ONE = np.zeros(6, dtype=int)


def too_many_steps() -> None:
    optimiser = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    schedule = OneCycleLR(optimiser, max_lr=0.1, total_steps=2)
    for _ in range(4):
        optimiser.step()
        schedule.step()


@pytest.mark.parametrize(
    ("work", "says"),
    [
        pytest.param(lambda: nn.BatchNorm1d(4).train()(torch.ones(1, 4)), "(here 6) is one more", id="batch-norm"),
        pytest.param(
            lambda: GridSearchCV(LogisticRegression(), {"C": [1]}, cv=5).fit(X, Y), "fewer folds", id="folds-of-a-class"
        ),
        pytest.param(lambda: list(StratifiedKFold(7).split(X, Y)), "fewer folds", id="folds"),
        pytest.param(lambda: train_test_split(X, Y, stratify=Y, test_size=2), "too few items", id="stratified"),
        pytest.param(lambda: KNeighborsClassifier(9).fit(X, Y).predict(X), "Choose it by n", id="neighbours"),
        pytest.param(lambda: PCA(10).fit(X), "Choose it by n", id="components"),
        pytest.param(lambda: GaussianMixture(8).fit(X), "Choose it by n", id="mixture"),
        pytest.param(lambda: LogisticRegression().fit(X, ONE), "one class alone", id="one-class"),
        pytest.param(lambda: SGDClassifier().fit(X, ONE), "one class alone", id="one-class-otherwise"),
        pytest.param(lambda: MLPClassifier(early_stopping=True).fit(X, Y), "sets aside", id="early-stopping"),
        pytest.param(lambda: train_test_split(X[:1], Y[:1]), "sets aside", id="empty-part"),
        pytest.param(lambda: DataLoader([], batch_size=2, shuffle=True), "No batch is left", id="no-batch"),  # type: ignore[arg-type]
        pytest.param(too_many_steps, "Make it in train()", id="schedule"),
        pytest.param(
            lambda: nn.functional.cross_entropy(torch.ones(2, 3), torch.tensor([1, 5])),
            "numbered by the whole dataset",
            id="label-out-of-bounds",
        ),
        pytest.param(lambda: nn.Linear(2, 2).double()(torch.ones(1, 2)), "Leave them float32", id="dtype-linear"),
        pytest.param(lambda: nn.Conv1d(2, 2, 1).half()(torch.ones(1, 2, 1)), "Leave them float32", id="dtype-conv"),
        pytest.param(lambda: nn.LSTM(2, 2).bfloat16()(torch.ones(1, 2)), "Leave them float32", id="dtype-lstm"),
        pytest.param(lambda: nn.LayerNorm(2).half()(torch.ones(1, 2)), "Leave them float32", id="dtype-norm"),
        pytest.param(lambda: log_loss(Y, np.ones((6, 2)) / 2), "one column for each", id="log-loss"),
        pytest.param(
            lambda: roc_auc_score(Y, np.ones((6, 2)) / 2, multi_class="ovr"), "one column for each", id="auroc"
        ),
    ],
)
def test_an_error_of_a_small_subset_says_what_to_do(work: Callable[[], Any], says: str) -> None:
    with pytest.raises(Fault) as raised:
        blamed(work)
    detail = raised.value.error["detail"]
    assert says in detail
    assert "n = 6" in detail
    assert "Mend the plugin" not in detail


def blamed(work: Callable[[], Any]) -> None:
    with warnings.catch_warnings(), blamed_on("training:theirs", "training", {"run": 0, "step": 0, "n": 6}):
        warnings.simplefilter("ignore")
        work()


def test_another_error_is_the_plugin_s() -> None:
    with pytest.raises(Fault, match=r"ValueError: no\. Mend the plugin"), blamed_on("training:theirs", "training"):
        raise ValueError("no.")
