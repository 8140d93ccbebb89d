"""Subset → train → evaluate → record, with strategies that remember what they were given."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sufficiency.plugins.reset import DeepCopy
from sufficiency.schemas.work import CellFailure, CellResult, UnitCell
from sufficiency.training.faults import Fault
from sufficiency.training.loop import run_cells
from sufficiency.training.unit import UnitPlan

SIZE = 40
DATASET = [(np.float32(i), i) for i in range(SIZE)]
LABELS = np.arange(SIZE) % 4


class Net(torch.nn.Module):
    """A model whose forward pass is of no interest."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)

    def total(self) -> float:
        return float(self.layer.weight.detach().sum())


class Training:
    """Remembers its subsets and shifts the model's weights, with noise from every global generator."""

    def __init__(self) -> None:
        self.subsets: list[list[int]] = []
        self.starts: list[float] = []

    def train(self, model: Net, dataset: Any, indices: Sequence[int]) -> None:
        assert dataset is DATASET
        self.subsets.append(list(indices))
        self.starts.append(model.total())
        noise = random.random() + float(np.random.rand()) + float(torch.rand(()))  # noqa: NPY002
        with torch.no_grad():
            model.layer.weight += len(indices) + noise


class Evaluation:
    """Reports the model's state; draws random numbers, as dropout at test time would."""

    def __init__(self, metrics: Mapping[str, Any] | None = None) -> None:
        self.metrics = metrics

    def evaluate(self, model: Net, dataset: Any) -> Mapping[str, Any]:
        return self.metrics or {"total": model.total() + float(torch.rand(()))}


@dataclass
class Parts:
    """A study that builds `Net`s, or hands out one ready-made."""

    training: Any = field(default_factory=Training)
    evaluation: Any = field(default_factory=Evaluation)
    reset: Any = None
    ready_made: Net | None = None
    train: Any = field(default_factory=lambda: DATASET)
    test: Any = field(default_factory=lambda: DATASET)
    labels: NDArray[np.int64] | None = field(default_factory=lambda: LABELS)
    class_names: Sequence[str] = ()
    names: dict[str, str] = field(
        default_factory=lambda: {k: f"{k}:it" for k in ("model", "training", "evaluation", "reset")}
    )

    def model(self) -> Net:
        return self.ready_made or Net()


class Log:
    """What the loop told, in order."""

    def __init__(self) -> None:
        self.told: list[UnitCell | CellResult | CellFailure] = []

    def started(self, cell: UnitCell) -> None:
        self.told.append(cell)

    def record(self, result: CellResult) -> None:
        self.told.append(result)

    def give_up(self, cell: UnitCell, fault: Fault) -> None:
        self.told.append(CellFailure(cell.run, cell.step, fault.error))

    @property
    def results(self) -> list[CellResult]:
        return [one for one in self.told if isinstance(one, CellResult)]

    @property
    def failures(self) -> list[CellFailure]:
        return [one for one in self.told if isinstance(one, CellFailure)]


def run(
    parts: Parts, cells: list[UnitCell], protocol: Any = "independent", seed: int = 5
) -> dict[tuple[int, int], CellResult]:
    log = Log()
    run_cells(UnitPlan(seed=seed, protocol=protocol, device="cpu", cells=cells), parts, log)
    return {(result.run, result.step): result for result in log.results}


CELLS = [UnitCell(r, s, n) for r in range(2) for s, n in enumerate((4, 8, 20))]


def values(results: dict[tuple[int, int], CellResult]) -> dict[tuple[int, int], float | None]:
    return {place: result.values[0][2] for place, result in results.items()}


def test_a_subset_is_nested_distinct_and_stratified() -> None:
    parts = Parts()
    results = run(parts, CELLS[:3])
    small, middle, large = parts.training.subsets
    assert (len(small), len(middle), len(large)) == (4, 8, 20)
    assert middle[:4] == small
    assert large[:8] == middle
    assert all(results[0, step].n_unique == n for step, n in enumerate((4, 8, 20)))
    assert all(4 <= count <= 6 for count in np.bincount(LABELS[large]))
    assert all(type(index) is int for index in large)


def test_runs_differ_in_subset_and_initial_weights() -> None:
    parts = Parts()
    run(parts, [UnitCell(0, 0, 8), UnitCell(1, 0, 8)])
    assert parts.training.subsets[0] != parts.training.subsets[1]
    assert parts.training.starts[0] != parts.training.starts[1]


def reset_parameters(model: Net) -> Net:
    model.layer.reset_parameters()
    return model


@pytest.mark.parametrize("reset", [None, reset_parameters], ids=["no reset", "reset"])
@pytest.mark.parametrize("ready_made", [False, True], ids=["class", "instance"])
def test_an_independent_cell_is_the_same_in_any_company(reset: Any, ready_made: bool) -> None:
    def parts() -> Parts:
        torch.manual_seed(9)
        return Parts(reset=reset, ready_made=Net() if ready_made else None)

    together = values(run(parts(), CELLS))
    torch.rand(7)
    shared = parts()  # one warm trainer runs them in another order
    apart = {place: value for cell in reversed(CELLS) for place, value in values(run(shared, [cell])).items()}
    assert together == apart
    assert len(set(together.values())) == len(CELLS)
    assert values(run(parts(), CELLS, seed=6)) != together


def test_a_ready_made_model_is_never_trained_itself() -> None:
    model = Net()
    before = model.total()
    run(Parts(ready_made=model), CELLS)
    run(Parts(ready_made=model, reset=reset_parameters), CELLS)
    assert model.total() == before


@pytest.mark.parametrize("reset", [None, reset_parameters], ids=["no reset", "reset"])
@pytest.mark.parametrize("protocol", ["independent", "dataeval"])
def test_parts_that_a_factory_keeps_learn_nothing(reset: Any, protocol: Any) -> None:
    layer = Net().layer
    before = layer.weight.detach().clone()

    class Around(Parts):
        def model(self) -> Net:
            net = Net()
            net.layer = layer
            return net

    parts = Around(reset=reset)
    run(parts, CELLS, protocol)
    assert torch.equal(layer.weight, before)
    if reset is None and protocol == "independent":
        assert set(parts.training.starts) == {parts.training.starts[0]}


def test_what_is_frozen_in_a_ready_made_model_keeps_its_weights() -> None:
    class Backbone(Net):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4)).requires_grad_(False)
            self.backbone[1].running_mean.fill_(3.0)  # type: ignore[union-attr, operator]

    seen: list[dict[str, Any]] = []
    given = Backbone()
    parts = Parts(ready_made=given)
    parts.evaluation.evaluate = lambda model, dataset: seen.append(model.backbone.state_dict()) or {"total": 1.0}
    run(parts, CELLS)
    for one in seen:
        assert all(torch.equal(value, one[name]) for name, value in given.backbone.state_dict().items())
    assert len(set(parts.training.starts)) == len(CELLS), "what is to be trained starts anew"


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("reset", [None, DeepCopy()], ids=["no reset", "deepcopy"])
def test_a_scripted_model_is_copied_with_parameters_that_can_be_trained(reset: Any) -> None:
    class Step:
        def train(self, model: Any, dataset: Any, indices: Sequence[int]) -> None:
            optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
            model(torch.ones(1, 3)).sum().backward()
            optimiser.step()

    scripted: Any = torch.jit.script(torch.nn.Linear(3, 1))
    before = scripted.weight.detach().clone()
    parts = Parts(training=Step(), ready_made=scripted, reset=reset)
    parts.evaluation.evaluate = lambda model, dataset: {"moved": (before - model.weight).sum()}
    assert set(values(run(parts, CELLS)).values()) == {3.0}
    assert torch.equal(scripted.weight, before)


def test_a_model_without_torch_is_copied() -> None:
    class Plain:
        seen = 0

        def total(self) -> float:
            return float(self.seen)

    class Count:
        def train(self, model: Plain, dataset: Any, indices: Sequence[int]) -> None:
            model.seen += len(indices)

    template: Any = Plain()
    parts = Parts(training=Count(), ready_made=template)
    parts.evaluation.evaluate = lambda model, dataset: {"seen": model.seen}
    assert values(run(parts, CELLS[:3])) == {(0, 0): 4, (0, 1): 8, (0, 2): 20}
    assert template.seen == 0


def test_the_reset_strategy_always_gets_the_same_untrained_model() -> None:
    seen: list[float] = []

    def keep(model: Net) -> Net:
        seen.append(model.total())
        return model

    parts = Parts(reset=keep)
    run(parts, CELLS)
    assert len(seen) == len(CELLS)
    assert len(set(seen)) == 1
    assert parts.training.starts == seen


def test_done_cells_are_left_alone() -> None:
    parts = Parts()
    results = run(parts, [UnitCell(0, 0, 4, done=True), UnitCell(0, 1, 8)])
    assert set(results) == {(0, 1)}
    assert len(parts.training.subsets) == 1


def test_dataeval_trains_one_model_a_run_on_and_on() -> None:
    parts = Parts()
    results = run(parts, CELLS[:3], "dataeval")
    small, middle, large = parts.training.subsets
    assert middle[:4] == small
    assert large[:8] == middle
    starts = parts.training.starts
    assert starts[1] > starts[0] + 4 * 6
    assert starts[2] > starts[1] + 8 * 6
    assert results[0, 2].n_unique == len(set(large)) < 20


class Descending:
    """Comes nearer to zero by forty steps of an optimiser each time."""

    def train(self, model: Net, dataset: Any, indices: Sequence[int]) -> None:
        optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(40):
            optimiser.zero_grad()
            model.layer.weight.square().sum().backward()
            optimiser.step()


def test_where_a_model_is_trained_on_and_on_its_loss_started_where_the_first_training_did() -> None:
    alone = [one.details["loss"] for one in run(Parts(training=Descending()), CELLS[:3]).values()]
    assert all(loss["start"] > 1.5 * loss["halfway"] > 1.5 * loss["end"] for loss in alone)
    first, *later = (one.details["loss"] for one in run(Parts(training=Descending()), CELLS[:3], "dataeval").values())
    assert [loss["start"] for loss in later] == [first["start"]] * 2
    assert first["end"] > later[0]["halfway"] > later[0]["end"] > later[1]["halfway"]
    resumed = run(
        Parts(training=Descending()), [UnitCell(c.run, c.step, c.n, done=c.step < 2) for c in CELLS[:3]], "dataeval"
    )
    assert resumed[0, 2].details["loss"] == later[1]


def test_a_resumed_run_measures_what_an_uninterrupted_one_would() -> None:
    whole = values(run(Parts(), CELLS, "dataeval"))
    torch.rand(3)
    resumed = values(run(Parts(), [UnitCell(c.run, c.step, c.n, done=c.step < 2) for c in CELLS], "dataeval"))
    assert resumed == {place: whole[place] for place in ((0, 2), (1, 2))}


def test_a_finished_run_is_not_trained_again() -> None:
    parts = Parts()
    run(parts, [UnitCell(c.run, c.step, c.n, done=c.run == 0 or c.step > 0) for c in CELLS], "dataeval")
    assert len(parts.training.subsets) == 1


def test_the_cell_in_hand_is_announced() -> None:
    log = Log()
    run_cells(UnitPlan(5, "independent", "cpu", cells=CELLS[:2]), Parts(), log)
    assert [(type(one), one.step) for one in log.told] == [
        *((UnitCell, 0), (CellResult, 0)),
        *((UnitCell, 1), (CellResult, 1)),
    ]
    assert log.results[0].device == "cpu"
    assert log.results[0].seconds > 0


class Broken:
    """Fails at whatever it is asked for."""

    def train(self, *_: Any) -> None:
        raise ValueError("no such layer")

    def evaluate(self, *_: Any) -> Any:
        return {"Accuracy": "high"}


def fault_of(parts: Parts) -> dict[str, Any]:
    with pytest.raises(Fault) as caught:
        run(parts, [UnitCell(1, 2, 8)])
    return caught.value.error


def told_by(parts: Parts, cells: list[UnitCell], protocol: Any = "independent") -> Log:
    log = Log()
    run_cells(UnitPlan(5, protocol, "cpu", cells), parts, log)
    return log


def failure_of(parts: Parts) -> dict[str, Any]:
    [failure] = told_by(parts, [UnitCell(1, 2, 8)]).failures
    assert (failure.run, failure.step) == (1, 2)
    return failure.error


def test_an_exception_names_plugin_phase_and_cell() -> None:
    error = failure_of(Parts(training=Broken()))
    assert error["code"] == "plugin_raised"
    assert error["where"] == {"run": 1, "step": 2, "n": 8, "plugin": "training:it", "phase": "training"}
    assert error["exception"] == "ValueError: no such layer"
    assert "run 1, step 2 (n = 8)" in error["detail"]
    assert any("in train" in line for line in error["traceback"])


def test_bad_metrics_say_what_and_where() -> None:
    error = fault_of(Parts(evaluation=Broken()))
    assert error["code"] == "invalid_metrics"
    assert error["where"]["phase"] == "evaluation"
    assert "'Accuracy' is a str" in error["detail"]
    assert "run 1, step 2" in error["detail"]


def test_a_reset_that_returns_nothing_is_a_fault_of_the_reset() -> None:
    error = failure_of(Parts(reset=lambda model: None))
    assert (error["code"], error["where"]["plugin"]) == ("plugin_raised", "reset:it")


def test_a_dataset_that_shrank_is_a_fault_of_the_dataset() -> None:
    with pytest.raises(Fault) as caught:
        run(Parts(), [UnitCell(0, 0, SIZE + 1)])
    assert caught.value.error["code"] == "dataset_changed"


def test_a_broken_model_is_a_fault_of_the_whole_job() -> None:
    class NoModel(Parts):
        def model(self) -> Net:
            raise ValueError("no such layer")

    assert fault_of(NoModel())["where"] == {"plugin": "model:it", "phase": "model"}


class Picky(Training):
    """Raises on some sizes of subset, each time or the first so many times."""

    def __init__(self, *sizes: int, times: int = 1_000, error: type[Exception] = ValueError) -> None:
        super().__init__()
        self.sizes, self.times, self.error = sizes, times, error
        self.asked: list[int] = []

    def train(self, model: Net, dataset: Any, indices: Sequence[int]) -> None:
        self.asked.append(len(indices))
        if len(indices) in self.sizes and self.times > 0:
            self.times -= 1
            with torch.no_grad():
                model.layer.weight += 1000  # as half a training would
            raise self.error("needs two classes")
        super().train(model, dataset, indices)


class PickyEvaluation(Evaluation):
    """Raises on what was trained on so many items last."""

    def __init__(self, training: Picky, size: int) -> None:
        super().__init__()
        self.training, self.size = training, size

    def evaluate(self, model: Net, dataset: Any) -> Mapping[str, Any]:
        torch.rand(5)
        if self.training.asked[-1] == self.size:
            raise ValueError("no scores")
        return super().evaluate(model, dataset)


@pytest.mark.parametrize("protocol", ["independent", "dataeval"])
def test_a_cell_that_fails_once_is_measured_as_if_it_had_not(protocol: Any) -> None:
    clean = values(run(Parts(), CELLS, protocol))
    assert values(run(Parts(training=Picky(8, times=1)), CELLS, protocol)) == clean


@pytest.mark.parametrize("protocol", ["independent", "dataeval"])
def test_a_cell_that_always_fails_is_given_up_and_the_others_are_measured(protocol: Any) -> None:
    training = Picky(8)
    log = told_by(Parts(training=training), CELLS, protocol)
    assert [(one.run, one.step) for one in log.failures] == [(0, 1), (1, 1)]
    assert {(one.run, one.step) for one in log.results} == {(0, 0), (0, 2), (1, 0), (1, 2)}
    assert training.asked.count(8) == 4
    assert all(one.error["exception"] == "ValueError: needs two classes" for one in log.failures)


def test_a_run_goes_on_as_if_the_step_that_fails_were_not_there() -> None:
    log = told_by(Parts(training=Picky(8)), CELLS[:3], "dataeval")
    without = [cell for cell in CELLS[:3] if cell.step != 1]
    assert values({(one.run, one.step): one for one in log.results}) == values(run(Parts(), without, "dataeval"))


@pytest.mark.parametrize("phase", ["training", "evaluation"])
def test_a_run_with_a_given_up_step_is_resumed_as_it_would_have_gone_on(phase: str) -> None:
    def parts() -> Parts:
        if phase == "training":
            return Parts(training=Picky(8))
        training = Picky()
        return Parts(training=training, evaluation=PickyEvaluation(training, 8))

    whole = told_by(parts(), CELLS[:3], "dataeval")
    [failure] = whole.failures
    assert (failure.step, failure.error["where"]["phase"]) == (1, phase)
    resumed = told_by(parts(), [CELLS[0], UnitCell(0, 1, 8, failed_in=phase), CELLS[2]], "dataeval")
    assert not resumed.failures
    assert [one.values for one in resumed.results] == [one.values for one in whole.results]
    last = told_by(parts(), [UnitCell(0, 0, 4, done=True), UnitCell(0, 1, 8, failed_in=phase), CELLS[2]], "dataeval")
    assert [one.values for one in last.results] == [one.values for one in whole.results[-1:]]


def test_code_that_cannot_run_is_not_tried_again() -> None:
    training = Picky(4, 8, 20, error=NameError)
    assert len(told_by(Parts(training=training), CELLS).failures) == len(CELLS)
    assert len(training.asked) == len(CELLS)


def test_a_cell_that_was_given_up_is_left_alone() -> None:
    log = told_by(Parts(), [UnitCell(0, 0, 4, failed_in="training"), UnitCell(0, 1, 8)])
    assert [(one.run, one.step) for one in log.results] == [(0, 1)]


def test_bad_metrics_end_the_unit_and_what_was_measured_before_stands() -> None:
    class Later(Evaluation):
        def evaluate(self, model: Net, dataset: Any) -> Mapping[str, Any]:
            return {"Accuracy": "high"} if model.total() > 100 else super().evaluate(model, dataset)

    log = Log()
    with pytest.raises(Fault):
        run_cells(UnitPlan(5, "independent", "cpu", CELLS[:3]), Parts(evaluation=Later()), log)
    assert [type(one) for one in log.told] == [UnitCell, CellResult, UnitCell, CellResult, UnitCell]
