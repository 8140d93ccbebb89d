"""Plugins are tried with items of what they say that they are for."""

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from sufficiency.data.arrays import ArrayDataset
from sufficiency.plugins.multilabel import SGDMultilabel
from sufficiency.plugins.regression import SGDRegressor
from sufficiency.testing import check_module, sample_setting
from sufficiency.testing.__main__ import main


class Numbers:
    """A dataset of numbers to predict."""

    metadata = {"task": "regression"}  # noqa: RUF012

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> Any:
        if index >= 60:
            raise IndexError
        return np.full((1, 8, 8), index / 60, np.float32), np.array([index / 7]), {"id": index}


class Odd(SGDMultilabel):
    """Several labels, with a word that nobody knows."""

    tasks = ("multi-class-ish",)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> str:
    made = ModuleType("mytasks")
    for one in (Numbers, Odd, SGDMultilabel, SGDRegressor):
        setattr(made, one.__name__, one)
    monkeypatch.setitem(sys.modules, "mytasks", made)
    return "mytasks"


@pytest.mark.parametrize("name", ["SGDMultilabel", "SGDRegressor"])
def test_a_strategy_is_tried_with_items_of_its_task(module: str, name: str) -> None:
    findings = check_module(f"{module}:{name}")
    assert len(findings) > 6
    assert [str(finding) for finding in findings if finding.failed] == []
    assert not any(finding.failed for finding in check_module(f"{module}:{name}", setting=sample_setting((3, 4, 4), 5)))


def test_a_strategy_and_a_dataset_that_do_not_go_together_are_told(module: str, capsys: Any) -> None:
    assert main([f"{module}:SGDMultilabel", "--dataset", f"{module}:Numbers"]) == 1
    out = capsys.readouterr().out
    assert "It is for multilabel, as its `tasks` say, and the dataset that it is tried with is for regression" in out
    assert main([f"{module}:SGDRegressor", "--dataset", f"{module}:Numbers"]) == 0


def test_what_it_is_for_is_said_in_known_words(module: str) -> None:
    advice = [finding.detail for finding in check_module(f"{module}:Odd") if finding.outcome == "advice"]
    assert any("('multi-class-ish',), is not understood" in detail for detail in advice)


def test_a_sample_of_several_labels_is_one() -> None:
    setting = sample_setting((2, 3), 4, several=True)
    train = setting.train
    assert isinstance(train, ArrayDataset)
    assert (train.task, train.num_classes, setting.context.num_classes) == ("multilabel", 4, 4)
    assert {int(count) for count in train.y.sum(axis=1)} > {0, 2}
    assert torch.is_tensor(setting.batch())
