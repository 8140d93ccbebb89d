"""Models of several cells trained at once: each cell measures what it measures when it is trained by itself."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sufficiency.data.arrays import ArrayDataset
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.models import MLP, SmallResNet, TutorialCNN
from sufficiency.plugins.multilabel import Multilabel, SGDMultilabel
from sufficiency.plugins.regression import Regression, SGDRegressor
from sufficiency.plugins.training import SGDClassifier
from sufficiency.schemas.work import CellFailure, CellResult, UnitCell
from sufficiency.training.engines import choosing
from sufficiency.training.faults import Fault
from sufficiency.training.loop import run_cells
from sufficiency.training.unit import UnitPlan

SIZE = 60
SHAPE = (1, 12, 12)
# Of three lengths, one with a last batch of one item, one smaller than a batch; of two runs.
CELLS = [UnitCell(run, step, n) for run in range(2) for step, n in enumerate((5, 17, 48))]
RELATIVE = 1e-9


RNG = np.random.default_rng(0)
X = RNG.standard_normal((SIZE, *SHAPE)).astype(np.float32)
CLASSES = np.arange(SIZE) % 3
TARGETS: dict[str, NDArray[Any]] = {
    "classification": CLASSES,
    "regression": X.mean(axis=(1, 2, 3)) * 40 + 7,
    "multilabel": (RNG.random((SIZE, 3)) < 0.4).astype(np.int64),
}
STRATEGIES = {"classification": SGDClassifier, "regression": SGDRegressor, "multilabel": SGDMultilabel}
EVALUATIONS = {
    "classification": lambda: Classification(["accuracy", "auroc", "log_loss"]),
    "regression": Regression,
    "multilabel": Multilabel,
}


class InFloat64(nn.Module):
    """A model that calculates in float64, whatever it is given."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.double()

    def forward(self, x: Tensor) -> Tensor:
        answered: Tensor = self.model(x.double())
        return answered


class Parts:
    """A study of one kind of model."""

    class_names: Sequence[str] = ()
    reset: Any = None

    def __init__(self, make: Any, task: str = "classification", training: Any = None, **settings: Any) -> None:
        names = None if task == "regression" else ("a", "b", "c")
        self.train = self.test = ArrayDataset(X, TARGETS[task], names)
        self.labels = CLASSES if task == "classification" else None
        self.model = make
        self.training = training or STRATEGIES[task](**{"lr": 0.05, "epochs": 4, **settings})
        self.evaluation = EVALUATIONS[task]()
        self.names = {kind: f"{kind}:it" for kind in ("model", "training", "evaluation", "reset")}


class Log:
    """What the loop told, in order."""

    def __init__(self) -> None:
        self.begun: list[UnitCell] = []
        self.results: list[CellResult] = []
        self.failures: list[CellFailure] = []

    def started(self, cell: UnitCell) -> None:
        self.begun.append(cell)

    def record(self, result: CellResult) -> None:
        self.results.append(result)

    def give_up(self, cell: UnitCell, fault: Fault) -> None:
        self.failures.append(CellFailure(cell.run, cell.step, fault.error))


def measured(parts: Any, engine: Any, cells: Sequence[UnitCell] = CELLS, device: str = "cpu") -> Log:
    log = Log()
    run_cells(UnitPlan(seed=3, protocol="independent", device=device, cells=list(cells), engine=engine), parts, log)
    return log


def by_place(log: Log) -> dict[tuple[int, int], CellResult]:
    return {(one.run, one.step): one for one in log.results}


def values(result: CellResult) -> dict[tuple[str, int], float]:
    return {(metric, k): np.nan if value is None else value for metric, k, value in result.values}


def cnn(task: str = "classification") -> nn.Module:
    return InFloat64(TutorialCNN(SHAPE, 1 if task == "regression" else 3))


def assert_equal(parts: Any, stacked: Log, device: str = "cpu") -> None:
    """Hold each cell to what the sequential engine measures."""
    alone, together = by_place(measured(parts, "sequential", device=device)), by_place(stacked)
    assert together.keys() == alone.keys() == {(cell.run, cell.step) for cell in CELLS}
    for place, one in alone.items():
        other = together[place]
        assert other.details["engine"] == {"name": "stacked"}
        assert values(other) == pytest.approx(values(one), rel=RELATIVE, nan_ok=True)
        assert other.details["train"] == pytest.approx(one.details["train"], rel=RELATIVE)
        for name in ("optimiser_steps", "optimiser"):
            assert other.details[name] == one.details[name]
        assert other.n_unique == one.n_unique


def test_the_loss_of_each_cell_is_seen_as_it_is_alone() -> None:
    """A last batch of one item, which is weighted, and cells that end before others."""
    settings = {"epochs": 14, "schedule": "constant"}
    parts = Parts(lambda: InFloat64(MLP(SHAPE, 3)), **settings)
    alone, together = by_place(measured(parts, "sequential")), by_place(measured(parts, "stacked"))
    told = {place: one.details.get("loss") for place, one in alone.items()}
    assert [place for place, loss in told.items() if loss is None] == [(0, 0), (1, 0)], "of 14 steps nothing is said"
    for place, loss in told.items():
        assert together[place].details["engine"] == {"name": "stacked"}
        assert together[place].details.get("loss") == (None if loss is None else pytest.approx(loss, rel=1e-5))


@pytest.mark.parametrize("task", ["classification", "regression", "multilabel"])
def test_each_cell_measures_what_it_measures_alone(task: str) -> None:
    parts = Parts(lambda: cnn(task), task)
    assert_equal(parts, measured(parts, "stacked"))


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adam", "lr": 0.01},
        {"optimizer": "adamw", "lr": 0.01, "weight_decay": 0.1},
        {"momentum": 0.0, "weight_decay": 0.01},
        {"schedule": "cosine"},
        {"last_batch": "whole", "batch_size": 7},
        {"batch_size": 30, "min_steps": 9},
        {"batch_size": 1000},
    ],
)
def test_whatever_the_training_is_set_to(settings: dict[str, Any]) -> None:
    parts = Parts(cnn, **settings)
    assert_equal(parts, measured(parts, "stacked"))


@pytest.mark.parametrize("make", [lambda: MLP(SHAPE, 3), lambda: SmallResNet(SHAPE, 3, width=4, stages=2)])
def test_other_models(make: Any) -> None:
    parts = Parts(lambda: InFloat64(make()))
    assert_equal(parts, measured(parts, "stacked"))


def test_cells_that_need_several_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sufficiency.training.engines.stacked.models_at_once", lambda *_: 4)
    parts = Parts(cnn)
    assert_equal(parts, measured(parts, "stacked"))


def test_what_is_left_of_a_unit_is_rounded_as_the_whole_was() -> None:
    parts = Parts(lambda: TutorialCNN(SHAPE, 3))
    whole = by_place(measured(parts, "stacked"))
    left = [UnitCell(c.run, c.step, c.n, done=c.run == 0) for c in CELLS]
    rest = by_place(measured(parts, "stacked", left))
    assert rest.keys() == {(1, step) for step in range(3)}
    assert all(one.values == whole[place].values for place, one in rest.items())


def test_short_cells_are_measured_before_the_stack_has_ended_and_all_are_announced() -> None:
    log = measured(Parts(cnn), "stacked")
    assert [(one.step, one.run) for one in log.results] == [(step, run) for step in range(3) for run in range(2)]
    assert {(cell.run, cell.step) for cell in log.begun} == {(cell.run, cell.step) for cell in CELLS}


class Fragile(Classification):
    """An evaluation that raises the first time that it sees a model trained on so many."""

    def __init__(self) -> None:
        super().__init__(["log_loss"])
        self.calls = 0

    def evaluate(self, model: Any, dataset: Any) -> dict[str, Any]:
        self.calls += 1
        if self.calls == 1:
            raise RuntimeError("not now")
        return super().evaluate(model, dataset)


def test_a_cell_whose_evaluation_raises_is_tried_once_more_by_itself() -> None:
    parts = Parts(cnn)
    parts.evaluation = Fragile()  # type: ignore[assignment]
    log = measured(parts, "stacked")
    assert not log.failures
    engines = {place: one.details["engine"]["name"] for place, one in by_place(log).items()}
    assert engines == {(c.run, c.step): "stacked" for c in CELLS} | {(0, 0): "sequential"}


def test_a_stack_that_cannot_be_trained_is_measured_cell_by_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SGDClassifier, "item_losses", lambda *_: torch.zeros(()).fail())  # type: ignore[attr-defined]
    log = measured(Parts(cnn), "stacked")
    assert len(log.results) == len(CELLS)
    for one in log.results:
        assert one.details["engine"]["name"] == "sequential"
        assert "its stack of 6 models failed: AttributeError" in one.details["engine"]["why"]


class Scaled(MLP):
    """Built otherwise each time."""

    def __init__(self) -> None:
        super().__init__(SHAPE, 3)
        self.scale = float(torch.rand(()) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale


LAYER, LATER = nn.Linear(3, 3), nn.Linear(3, 3)
BUILT = itertools.count()


def sharing() -> nn.Module:
    return nn.Sequential(MLP(SHAPE, 3), LAYER)


def sharing_later() -> nn.Module:
    return nn.Sequential(MLP(SHAPE, 3), LATER if next(BUILT) > 3 else nn.Linear(3, 3))


def test_a_part_that_a_factory_keeps_is_each_model_s_own_in_a_stack() -> None:
    parts = Parts(lambda: InFloat64(sharing()))
    assert_equal(parts, measured(parts, "stacked"))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(Scaled, "differ in more than their weights", id="Scaled"),
        pytest.param(sharing_later, "several cells share weights", id="sharing"),
    ],
)
def test_models_that_only_look_alike_are_measured_one_by_one(make: Any, why: str) -> None:
    log = measured(Parts(make), "stacked", CELLS[:2])
    assert [one.details["engine"]["name"] for one in log.results] == ["sequential"] * 2
    assert why in log.results[0].details["engine"]["why"]


def test_how_many_are_stacked_goes_by_what_a_model_and_a_batch_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, model = Parts(cnn), MLP(SHAPE, 3)
    weights = sum(one.numel() * 4 for one in model.parameters())
    monkeypatch.setattr(choosing, "STACK_BYTES", 3 * weights)
    assert choosing.models_at_once(parts, model, 1) == 3
    # Of each item the flattened 144 numbers, 64 hidden ones before and after the activation, and 3 answers.
    monkeypatch.setattr(choosing, "STACK_BYTES", 5 * 2 * 50 * 4 * (144 + 64 + 64 + 3))
    assert choosing.models_at_once(parts, model, 50) == 5
    assert choosing.models_at_once(parts, model, 10**6) == 4, "a batch is of the split's 60 items at most"


class Noisy(MLP):
    """Draws from NumPy."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + float(np.random.rand())  # noqa: NPY002


class Counting(MLP):
    """Keeps how often it was called."""

    def __init__(self) -> None:
        super().__init__(SHAPE, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x)


class Centred(MLP):
    """Answers relative to the batch's mean."""

    def forward(self, x: Tensor) -> Tensor:
        answered = super().forward(x)
        return answered - answered.mean(dim=0)


class Branching(MLP):
    """Goes by its weights."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (2 if self.layers[1].weight.sum() > 0 else 3)  # type: ignore[operator,union-attr]


class OwnLoop(SGDClassifier):
    """Somebody's, who may do anything."""


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (Parts(lambda: MLP(SHAPE, 3, dropout=0.5)), "draws random numbers"),
        (Parts(lambda: Noisy(SHAPE, 3)), "draws random numbers"),
        (Parts(Counting), "changes its buffers"),
        (Parts(lambda: Centred(SHAPE, 3)), "goes by the others of its batch"),
        (Parts(lambda: Branching(SHAPE, 3)), "does not let itself be stacked"),
        (Parts(lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(144), nn.Linear(144, 3))), "batch normalisation"),
        (Parts(lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(3))), "makes its weights when it is first called"),
        (Parts(cnn, training=OwnLoop(epochs=1)), "a loop of its own"),
    ],
)
def test_what_cannot_be_stacked_is_measured_one_by_one_and_says_why(parts: Any, why: str) -> None:
    stacked, alone = (by_place(measured(parts, engine)) for engine in ("stacked", "sequential"))
    assert {place: one.values for place, one in stacked.items()} == {place: one.values for place, one in alone.items()}
    assert len(stacked) == len(CELLS)
    for one in stacked.values():
        assert one.details["engine"]["name"] == "sequential"
        assert why in one.details["engine"]["why"]
    assert all("engine" not in one.details for one in alone.values())


def test_what_is_left_open_is_stacked_on_a_gpu_for_small_models_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(cnn)
    assert all("engine" not in one.details for one in measured(parts, "auto").results)

    def settled(device: str, engine: Any = "auto", of: Any = parts) -> str:
        unit = UnitPlan(seed=3, protocol="independent", device=device, engine=engine, placed=False)
        return choosing.settled(unit, of, choosing.FreshModels(unit, of))

    assert settled("cuda") == "stacked"
    assert settled("cpu") == "auto"
    assert settled("cuda", "sequential") == "sequential"
    assert settled("cuda", of=Parts(lambda: MLP(SHAPE, 3, dropout=0.5))) == "auto"
    monkeypatch.setattr(choosing, "MOST_PARAMETERS", 100)
    assert settled("cuda") == "auto"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("task", ["classification", "regression", "multilabel"])
def test_each_cell_measures_on_a_gpu_what_it_measures_alone(task: str) -> None:
    parts = Parts(lambda: cnn(task), task)
    assert_equal(parts, measured(parts, "stacked", device="cuda"), "cuda")
