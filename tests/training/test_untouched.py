"""Trainings that leave the model as it was are told from those that train it, however they write into it."""

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from sufficiency.schemas.work import UnitCell
from sufficiency.training.cell import train
from sufficiency.training.details import details_of

Work = Callable[[nn.Module], object]


def told(work: Work, model: Any) -> bool:
    """Return whether a cell says that its model is as it was."""
    strategy = SimpleNamespace(train=lambda model, dataset, indices: work(model))
    study: Any = SimpleNamespace(training=strategy, train=[], names={"training": "training:theirs"})
    seen = train(study, model, [0], UnitCell(run=0, step=0, n=1))
    found = details_of(model, seen).get("warnings", [])
    return [one["category"] for one in found] == ["ModelUnchanged"]


def stepped(model: nn.Module) -> None:
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(2, 4)).square().sum().backward()
    optimiser.step()


def through_data(model: nn.Module) -> None:
    for one in model.parameters():
        one.data -= 0.1


def remembered(model: Any) -> None:
    model.items = [1, 2, 3]


kept = torch.optim.SGD(nn.Linear(4, 2).parameters(), lr=0.1)


@pytest.mark.parametrize(
    ("work", "said"),
    [
        pytest.param(lambda model: None, True, id="nothing"),
        pytest.param(lambda model: stepped(copy.deepcopy(model)), True, id="a-copy"),
        pytest.param(lambda model: (model(torch.ones(2, 4)).sum().backward(), kept.step()), True, id="old-optimiser"),
        pytest.param(lambda model: model.eval(), True, id="mode-only"),
        pytest.param(stepped, False, id="optimiser"),
        pytest.param(through_data, False, id="through-data"),
        pytest.param(lambda model: model.load_state_dict(nn.Linear(4, 2).state_dict()), False, id="loaded"),
        pytest.param(remembered, False, id="attribute"),
    ],
)
def test_a_model_that_is_as_it_was_is_told(work: Work, said: bool) -> None:
    assert told(work, nn.Linear(4, 2)) is said


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(nn.Linear(4, 2).requires_grad_(False), id="frozen"),
        pytest.param(nn.LazyLinear(2), id="lazy"),
        pytest.param(nn.Identity(), id="no-parameters"),
        pytest.param(object(), id="no-module"),
    ],
)
def test_what_has_nothing_to_train_is_left_alone(model: Any) -> None:
    assert told(lambda model: None, model) is False
