"""The contract suite finds what is wrong with a plugin, says what to do, and leaves good ones alone."""

import random
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sufficiency.plugins import BUILT_IN
from sufficiency.plugins.estimators import sklearn_model
from sufficiency.testing import Setting, check_module, plugin_checks, sample_setting
from sufficiency.testing.__main__ import main
from sufficiency.testing.contract import Untried
from sufficiency.testing.findings import Broken


def descend(model: Any, dataset: Any, indices: Any) -> None:
    """Take two steps on the items."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    order = torch.randperm(len(indices)).tolist()
    for half in (order[::2], order[1::2]):
        x = torch.stack([torch.from_numpy(dataset[indices[k]][0]) for k in half])
        y = torch.tensor([int(dataset[indices[k]][1].argmax()) for k in half])
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


class Good:
    """Two steps of gradient descent."""

    def train(self, model: Any, dataset: Any, indices: Any) -> None:
        descend(model, dataset, indices)


class Peeks(Good):
    """Scales by a mean of the whole split."""

    def train(self, model: Any, dataset: Any, indices: Any) -> None:
        descend(model, dataset, indices)
        everything = np.mean([dataset[k][0].mean() for k in range(0, len(dataset), 3)])
        with torch.no_grad():
            next(model.parameters()).mul_(float(everything))


class TrainsAll(Good):
    """Forgets about the indices."""

    def train(self, model: Any, dataset: Any, indices: Any) -> None:
        descend(model, dataset, list(range(len(dataset))))


class Reseeds(Good):
    """Seeds for itself."""

    def train(self, model: Any, dataset: Any, indices: Any) -> None:
        torch.manual_seed(0)
        descend(model, dataset, indices)


class OwnDice(Good):
    """Draws from the operating system."""

    def train(self, model: Any, dataset: Any, indices: Any) -> None:
        order = list(indices)
        random.SystemRandom().shuffle(order)
        descend(model, dataset, order[: len(order) // 2])


class Nothing(Good):
    """Trains nothing."""

    def train(self, model: Any, dataset: Any, indices: Any) -> None:
        return None


class Copies(Good):
    """Trains a copy."""

    def train(self, model: Any, dataset: Any, indices: Any) -> Any:
        import copy

        other = copy.deepcopy(model)
        descend(other, dataset, indices)
        return other


class Explodes(Good):
    """Learns too fast."""

    def train(self, model: Any, dataset: Any, indices: Any) -> None:
        with torch.no_grad():
            next(model.parameters()).fill_(float("nan"))


class NoRepeats(Good):
    """Wants a set."""

    def train(self, model: Any, dataset: Any, indices: Any) -> None:
        assert len(set(indices)) == len(indices)
        descend(model, dataset, indices)


class WholeBatches(Good):
    """Drops the last batch."""

    def train(self, model: Any, dataset: Any, indices: Any) -> None:
        batches = [indices[k : k + 8] for k in range(0, len(indices) - 7, 8)]
        if not batches:
            raise ZeroDivisionError("no batch")
        for batch in batches:
            descend(model, dataset, batch)


class Spoils(Good):
    """Normalises in place."""

    def train(self, model: Any, dataset: Any, indices: Any) -> None:
        descend(model, dataset, indices)
        dataset.x[indices[0]] *= 0.99


@pytest.mark.parametrize(
    ("plugin", "rule", "says"),
    [
        (Peeks, "respects the indices", r"Subset\(dataset, indices\)"),
        (TrainsAll, "respects the indices", "does not name change what is learnt"),
        (Reseeds, "is the same under the same seed", r"torch\.manual_seed.*Leave seeding"),
        (OwnDice, "is the same under the same seed", "global generators"),
        (Nothing, "changes the given model", r"model\.parameters\(\)"),
        (Copies, "changes the given model", "change the given one in place"),
        (Explodes, "changes the given model", "NaN or infinity"),
        (NoRepeats, "takes an item twice", "draws with replacement"),
        (WholeBatches, "takes a subset of three", "last batch"),
        (Spoils, "leaves the dataset alone", "Work on a copy"),
    ],
)
def test_a_strategy_that_trains_wrongly_is_found_out(plugin: type, rule: str, says: str) -> None:
    findings = check_module(f"{__name__}:{plugin.__name__}")
    [found] = [finding for finding in findings if finding.rule == rule]
    assert found.failed
    assert re.search(says, found.detail), found.detail
    assert "FAILED" in str(found)


def test_a_good_strategy_passes() -> None:
    assert {finding.outcome for finding in check_module(f"{__name__}:Good")} == {"ok"}


class Frozen(nn.Module):
    """The same weights always."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(64, num_classes)
        nn.init.constant_(self.layer.weight, 0.1)
        nn.init.zeros_(self.layer.bias)

    def forward(self, x: Any) -> Any:
        return self.layer(x.flatten(1))


class SeedsItself(Frozen):
    """Seeds in its constructor."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        torch.manual_seed(0)
        super().__init__(input_shape, num_classes)


class NoReset(nn.Module):
    """A parameter that nothing resets."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.rand(64, 3))

    def forward(self, x: Any) -> Any:
        return x.flatten(1) @ self.w


INSTANCE = NoReset()


class Wide(nn.Module):
    """Other outputs than there are classes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 7)

    def forward(self, x: Any) -> Any:
        return self.layer(x.flatten(1))


class Unhappy:
    """Measures what cannot be recorded."""

    metric_properties = {"Loss": {"direction": "minimize", "bounds": [0, 1]}}  # noqa: RUF012

    def __init__(self, how: str = "nan") -> None:
        self.how = how

    def evaluate(self, model: Any, dataset: Any) -> Any:
        match self.how:
            case "nan":
                return {"Loss": float("nan")}
            case "list":
                return [0.5]
            case "beyond":
                return {"Loss": 7.0}
            case "undeclared":
                return {"Other": 0.5}
            case "dice":
                return {"Loss": random.SystemRandom().random()}
            case _:
                with torch.no_grad():
                    next(model.parameters()).add_(1)
                return {"Loss": 0.5}


@pytest.mark.parametrize(
    ("how", "outcome", "says"),
    [
        ("nan", "failed", "Loss is NaN"),
        ("list", "failed", "a list, not a mapping"),
        ("beyond", "failed", "outside its declared bounds"),
        ("undeclared", "advice", "metric_properties = "),
        ("dice", "failed", "switch it to eval"),
        ("learns", "failed", "changes the model's weights"),
    ],
)
def test_an_evaluation_that_measures_wrongly_is_found_out(how: str, outcome: str, says: str) -> None:
    findings = check_module(f"{__name__}:Unhappy", setting=sample_setting(params={"how": how}))
    assert [finding for finding in findings if finding.outcome == outcome and says in finding.detail], findings


class ByBatch:
    """Counts right answers in batches of 32, and makes one number of them, well or badly."""

    metric_properties = {"Accuracy": {"direction": "maximize", "bounds": [0, 1]}}  # noqa: RUF012

    def __init__(self, how: str = "all") -> None:
        self.how = how

    def evaluate(self, model: Any, dataset: Any) -> Any:
        model.eval()
        items = [dataset[k] for k in range(len(dataset))]
        with torch.no_grad():
            answers = model(torch.stack([torch.as_tensor(x) for x, _, _ in items]))
        target = torch.tensor([int(np.argmax(y)) for _, y, _ in items])
        right = (answers.argmax(1) == target).double()
        return {
            "Accuracy": right.mean() if self.how == "all" else torch.stack([b.mean() for b in right.split(32)]).mean()
        }


@pytest.mark.parametrize(
    ("how", "found"),
    [("all", False), ("mean of batches", True)],
    ids=["all", "mean-of-batches"],
)
def test_values_that_depend_on_the_order_of_the_items_are_pointed_out(how: str, found: bool) -> None:
    findings = check_module(f"{__name__}:ByBatch", setting=sample_setting(params={"how": how}))
    advised = [one.detail for one in findings if one.outcome == "advice" and "in another order" in one.detail]
    assert bool(advised) == found, findings
    assert not [one for one in findings if one.outcome == "failed"]


def test_models_that_do_not_start_anew_are_found_out() -> None:
    def detail(name: str, setting: Setting | None = None) -> str:
        findings = check_module(f"{__name__}:{name}", setting=setting)
        return " ".join(finding.detail for finding in findings if finding.detail)

    assert "have the same weights" in detail("Frozen")
    assert "torch.manual_seed" in detail("SeedsItself")
    assert "no reset_parameters()" in detail("INSTANCE")
    assert "(4, 7)" in detail("Wide", sample_setting())
    assert "(4, 7)" not in detail("Wide"), "it is tried with as many classes as it answers, unless told otherwise"


class Shuffled:
    """Other items each time, and no end."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        return np.array([random.SystemRandom().random()], np.float32), index % 2, {}


class Backwards:
    """Steps that fall."""

    def get_steps(self, dataset_length: int) -> list[int]:
        return [dataset_length, 1]


def keep(model: Any) -> Any:
    """Reset nothing."""
    return model


def test_datasets_schedules_and_resets_are_held_to_their_rules() -> None:
    failed = {
        name: [finding.rule for finding in check_module(f"{__name__}:{name}") if finding.failed]
        for name in ("Shuffled", "Backwards", "keep")
    }
    assert failed == {
        "Shuffled": ["is the same when read again", "ends"],
        "Backwards": ["names steps that can be measured"],
        "keep": ["forgets what was learnt"],
    }


@pytest.mark.parametrize("spec", [spec for spec in BUILT_IN if not spec.startswith("dataset")])
def test_the_built_in_plugins_keep_the_contract(spec: str) -> None:
    kind, _, rest = spec.partition(":")
    name, _, target = rest.partition("=")
    if name == "lightning":
        return  # see test_adapters
    params = {"estimator": "GaussianNB"} if name == "sklearn" else {}
    model = (lambda: sklearn_model(3, "GaussianNB")) if name == "fit-estimator" else None
    classes = 0 if name in ("regression", "sgd-regressor") else 3
    shape = (1, 12, 12)  # the tutorial's network needs 9×9
    findings = check_module(target, kind, sample_setting(shape, classes, model=model, params=params))
    expected = {"reset:deepcopy"} if name == "deepcopy" else set()
    failed = {f"{kind}:{name}" for finding in findings if finding.failed}
    assert failed == expected, [str(finding) for finding in findings if finding.failed]


def test_what_cannot_be_checked_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, says in (
        (["no_such_module"], "cannot be imported"),
        (["os:nothing"], "has no 'nothing'"),
        (["tomllib"], "nothing in 'tomllib' looks like a plugin"),
        ([f"{__name__}:descend"], "--kind"),
        ([f"{__name__}:Good", "--model", "os:nothing"], "model:it=os:nothing"),
    ):
        assert main(arguments) == 2
        assert says in capsys.readouterr().err
    assert main([f"{__name__}:Nothing", "--json"]) == 1
    assert '"outcome": "failed"' in capsys.readouterr().out
    assert main([f"{__name__}:Good", "--shape", "2,3", "--classes", "2"]) == 0
    assert "none failed" in capsys.readouterr().out


class NeverBuilt(Good):
    """Cannot be built."""

    def __init__(self, must: int) -> None:
        self.must = must


def test_each_rule_is_a_test_of_its_own() -> None:
    checks = {check.id: check for check in plugin_checks(f"{__name__}:NoRepeats")}
    assert list(checks)[:3] == [
        "training:NoRepeats-has-the-shape-of-its-kind-and-a-schema-of-its-parameters",
        "training:NoRepeats-is-documented",
        "training:NoRepeats-can-be-built",
    ]
    checks["training:NoRepeats-takes-a-subset-of-three"]()
    with pytest.raises(Broken, match="draws with replacement"):
        checks["training:NoRepeats-takes-an-item-twice"]()
    undeclared = sample_setting(params={"how": "undeclared"})
    advised = {check.id: check for check in plugin_checks(f"{__name__}:Unhappy", setting=undeclared)}
    with pytest.warns(UserWarning, match=r"declares its metrics: .*metric_properties = "):
        advised["evaluation:Unhappy-declares-its-metrics"]()


def test_what_cannot_be_built_fails_once_and_is_not_tried_further() -> None:
    shape, _, built, *others = plugin_checks(f"{__name__}:NeverBuilt")
    shape()
    with pytest.raises(Broken, match="--params"):
        built()
    assert others
    for check in others:
        with pytest.raises(Untried, match="can be built"):
            check()
    assert len(check_module(f"{__name__}:NeverBuilt")) == 3


def test_a_check_leaves_torch_as_it_was() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(False)
    try:
        for check in plugin_checks(f"{__name__}:keep", "reset")[:3]:
            check()
        assert torch.get_num_threads() == 2
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1], warn_only=True)
