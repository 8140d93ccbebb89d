"""What looks like a plugin in somebody's module, of what kind it is, and what it is tried with."""

import enum
import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, Protocol, TypeVar

import pytest
import torch
from torch import nn

from sufficiency.testing import check_module
from sufficiency.testing.__main__ import main
from sufficiency.testing.fitting import fitting_setting
from sufficiency.testing.found import found_plugins, kinds_of
from sufficiency.testing.setting import sample_setting
from sufficiency.testing.trial import Trial
from tests.support.script import Script

TUTORIAL = "tests.testing.tutorial_module"
with warnings.catch_warnings():
    # To compile a model, torch imports what it deprecates itself.
    warnings.simplefilter("ignore")
    import_module(TUTORIAL)
M = TypeVar("M", bound=nn.Module)


def reset_model(model: nn.Module) -> nn.Module:
    return model


def reset_as_text(model: "nn.Module") -> "nn.Module":
    return model


def reset_generic(net: M, gain: float = 1.0) -> M:
    return net


def reset_untyped(model):  # type: ignore[no-untyped-def]
    return model


def accuracy_of(model):  # type: ignore[no-untyped-def]
    return 0.5


def count_parameters(model: nn.Module) -> int:
    return 0


def freeze(model: nn.Module) -> None:
    return None


def make_net() -> nn.Module:
    return nn.Linear(1, 1)


def named_net(model: str) -> nn.Module:
    return nn.Linear(1, 1)


def sized_net(num_classes):  # type: ignore[no-untyped-def]
    return nn.Linear(1, num_classes)


def copy_into(model: nn.Module, other: nn.Module) -> nn.Module:
    return model


def to_tensor(image: Any) -> torch.Tensor:
    return torch.zeros(1)


class Resets:
    def __call__(self, model: nn.Module) -> nn.Module:
        return model


class Transform:
    def __call__(self, image: Any) -> Any:
        return image


class Both:
    def train(self, model: Any, dataset: Any, indices: Any) -> None:
        return None

    @staticmethod
    def evaluate(model: Any, dataset: Any) -> dict[str, float]:
        return {}


class Colour(enum.Enum):
    RED = 1


class Point(NamedTuple):
    x: int


class Base(ABC):
    @abstractmethod
    def train(self, model: Any, dataset: Any, indices: Any) -> None: ...


class Like(Protocol):
    def evaluate(self, model: Any, dataset: Any) -> dict[str, float]: ...


class Items:
    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: int) -> Any:
        raise IndexError


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        *((one, ["reset"]) for one in (reset_model, reset_as_text, reset_generic, reset_untyped, Resets)),
        *((one, []) for one in (accuracy_of, count_parameters, freeze, copy_into, to_tensor, Transform)),
        *((one, ["model"]) for one in (make_net, named_net, sized_net, nn.Linear(1, 1), nn.Sequential)),
        *((one, []) for one in (Colour, Point, Base, Like, Colour.RED, Point(1), len)),
        (Both, ["training", "evaluation"]),
        (Both(), ["training", "evaluation"]),
        (Items, ["dataset"]),
    ],
    # Not by address: two processes that share the tests must call them the same.
    ids=lambda one: getattr(one, "__name__", type(one).__name__),
)
def test_what_stands_in_a_module_is_known_by_its_methods_and_signature(value: Any, kinds: list[str]) -> None:
    assert kinds_of(value, named=False) == kinds


def test_a_function_that_is_named_needs_no_telling_name() -> None:
    assert kinds_of(accuracy_of, named=True) == ["reset"]
    with pytest.raises(LookupError, match="say which with --kind"):
        found_plugins(f"{__name__}:freeze")


def test_the_tutorial_s_module_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert [(name, kind) for name, _, kind in found_plugins(TUTORIAL)] == [
        *(("Net", "model"), ("MNISTTrainingStrategy", "training"), ("MNISTEvaluationStrategy", "evaluation")),
        ("reset_model", "reset"),
    ]
    assert main([TUTORIAL]) == 0, capsys.readouterr().out
    assert "Tried with items of shape 1×28×28 and 10 classes." in capsys.readouterr().out


def test_a_strategy_is_tried_with_the_network_beside_it() -> None:
    assert not [str(finding) for finding in check_module(f"{TUTORIAL}:MNISTEvaluationStrategy") if finding.failed]


def test_shape_and_classes_are_a_registered_dataset_s(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(status: str = "ready", **info: Any) -> tuple[int, dict[str, str], str]:
        return 200, {}, json.dumps({"name": "mine", "status": status, "info": info or None})

    script.answers = [answer(input_shape=[1, 28, 28], class_names=[str(k) for k in range(10)])]
    asked = ["--dataset", "mine", "--url", script.url]
    assert main([f"{TUTORIAL}:Net", *asked]) == 0
    assert "shape 1×28×28 and 10 classes" in capsys.readouterr().out
    assert script.asked[0][0] == "GET /datasets/mine"
    for told, says in (
        (answer("verifying"), "the dataset 'mine' is verifying"),
        (answer("invalid"), "the dataset 'mine' is invalid"),
        (answer(task="detection", input_shape=[1, 8, 8], class_names=["a"]), "is of task detection"),
    ):
        script.answers = [told]
        assert main([f"{TUTORIAL}:Net", *asked]) == 2
        assert says in capsys.readouterr().err
    script.answers = [(404, {}, '{"title": "Not found", "detail": "No dataset is called so."}')]
    assert main([f"{TUTORIAL}:Net", *asked]) == 2
    assert "No dataset is called so" in capsys.readouterr().err


def test_a_service_that_is_not_there_is_said(
    nobody: str, patience: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"{TUTORIAL}:Net", "--dataset", "mine", "--url", nobody]) == 3
    assert "start the service" in capsys.readouterr().err


@pytest.mark.parametrize("shape", ["3,x", "", "0,1", "-1"])
def test_a_shape_that_is_none(shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{TUTORIAL}:Net", f"--shape={shape}"]) == 2
    assert "is no shape: write whole numbers" in capsys.readouterr().err


class ConvBlock(nn.Module):
    """A part of a network."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(inside, outside, 3)


def test_what_needs_parameters_is_left_to_be_named() -> None:
    found = {finding.plugin: finding for finding in check_module(__name__) if "ConvBlock" in finding.plugin}
    assert list(found) == ["model:ConvBlock"]
    assert found["model:ConvBlock"].outcome == "advice"
    assert "it needs inside, outside" in found["model:ConvBlock"].detail
    named = [finding for finding in check_module(f"{__name__}:ConvBlock") if finding.failed]
    assert [finding.rule for finding in named] == ["can be built"]


def flat() -> nn.Module:
    return nn.Sequential(nn.Linear(30, 8), nn.ReLU(), nn.Linear(8, 4))


def colour() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 7))


def large() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 2, 8, stride=8), nn.Flatten(), nn.Linear(2 * 28 * 28, 5))


def signal() -> nn.Module:
    return nn.Sequential(nn.Conv1d(2, 4, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3))


def number() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 1))


def to_measure(input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(input_shape[0], 2, 9), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))


def tokens() -> nn.Module:
    return nn.Sequential(nn.Embedding(10, 4))


@pytest.mark.parametrize(
    ("make", "shape", "classes"),
    [
        (flat, (30,), 4),
        (colour, (3, 8, 8), 7),
        (large, (3, 224, 224), 5),
        (signal, (2, 16), 3),
        (number, (6,), 1),
        (to_measure, (1, 12, 12), 3),
        (tokens, None, None),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_a_network_takes_is_found(
    make: Callable[..., nn.Module], shape: tuple[int, ...] | None, classes: int | None
) -> None:
    found = fitting_setting(Trial("model", make.__name__, f"{__name__}:{make.__name__}", sample_setting()))
    assert (found and (found.context.input_shape, found.context.num_classes)) == (shape and (shape, classes))
