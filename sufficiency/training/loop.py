"""What a unit does, cell by cell: subset → train → evaluate → record."""

import copy
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sufficiency.method.sampling import cell_seed, nested_order, with_replacement_order
from sufficiency.schemas import words
from sufficiency.training.faults import Fault, blamed_on, fault
from sufficiency.training.metrics import InvalidMetrics, normalise

Message = dict[str, Any]


@dataclass(frozen=True)
class UnitCell:
    """A cell to measure; `done` ones are recorded already."""

    run: int
    step: int
    n: int
    done: bool = False

    @property
    def place(self) -> dict[str, int]:
        """Where an error or a result belongs."""
        return {"run": self.run, "step": self.step, "n": self.n}


@dataclass(frozen=True)
class UnitPlan:
    """The cells of a unit and how they are to be run."""

    seed: int
    protocol: words.Protocol
    device: str
    cells: list[UnitCell] = field(default_factory=list)


class Builder(Protocol):
    """What the loop is given to work with: both splits, the strategies, and models by the piece.

    Attributes
    ----------
    train, test : Dataset
        As their loaders made them: a strategy gets exactly that.
    labels : NDArray, shape (N,), or None
        Class of each training item, for stratified subsets.
    training, evaluation, reset
        The strategies; `reset` may be None.
    names : dict
        Of "model", "training", "evaluation" and "reset": how an error calls them.
    """

    train: Any
    test: Any
    labels: NDArray[np.int64] | None
    training: Any
    evaluation: Any
    reset: Callable[[Any], Any] | None
    names: dict[str, str]

    def model(self) -> Any:
        """Build a model; the same object every time where the plugin is a ready-made one."""
        ...


def run_cells(unit: UnitPlan, builder: Builder, emit: Callable[[Message], None]) -> None:
    """Measure the cells of a unit that are not done yet.

    Parameters
    ----------
    unit : UnitPlan
        The cells; under the `dataeval` protocol whole runs, since a run's model goes on training from step to step.
    builder : Builder
        Where datasets, strategies and models come from.
    emit : callable
        Gets a "started" message before and a "cell" message after each cell.

    Raises
    ------
    Fault
        When a plugin raised, or an evaluation returned no measurements. What was emitted before stands.
    """
    models = _Models(unit, builder)
    if unit.protocol == "independent":
        _independent_cells(unit, builder, models, emit)
    else:
        _cumulative_runs(unit, builder, models, emit)


def _independent_cells(unit: UnitPlan, builder: Builder, models: "_Models", emit: Callable[[Message], None]) -> None:
    size = len(builder.train)
    order_of = lru_cache(maxsize=1)(lambda run: nested_order(size, builder.labels, unit.seed, run))
    for cell in unit.cells:
        if cell.done:
            continue
        emit({"type": "started", **cell.place})
        began = time.perf_counter()
        indices = _subset(order_of(cell.run), cell)
        seed_everything(cell_seed(unit.seed, cell.run, cell.step))
        model = models.fresh(cell)
        _train(builder, model, indices, cell)
        emit(_record(cell, indices, _evaluate(builder, model, cell), time.perf_counter() - began, unit.device))
        del model  # its memory is wanted for the next one


def _cumulative_runs(unit: UnitPlan, builder: Builder, models: "_Models", emit: Callable[[Message], None]) -> None:
    """One model a run, trained on from step to step: DataEval's protocol."""
    cells = sorted(unit.cells, key=lambda cell: (cell.run, cell.step))
    for run, sequence in groupby(cells, key=lambda cell: cell.run):
        steps = _up_to_last_open(sequence)
        if not steps:
            continue
        order = with_replacement_order(len(builder.train), unit.seed, run)
        seed_everything(cell_seed(unit.seed, run, 0))
        emit({"type": "started", **steps[0].place})
        model = models.fresh(steps[0])
        for cell in steps:
            emit({"type": "started", **cell.place})
            began = time.perf_counter()
            indices = _subset(order, cell)
            _train(builder, model, indices, cell)
            # A recorded step is gone through again whole, since the evaluation too may draw random numbers or
            # switch the model's mode: so a resumed run measures what an uninterrupted one would have.
            values = _evaluate(builder, model, cell)
            if not cell.done:
                emit(_record(cell, indices, values, time.perf_counter() - began, unit.device))
        del model


def _up_to_last_open(cells: Iterable[UnitCell]) -> list[UnitCell]:
    sequence = list(cells)
    while sequence and sequence[-1].done:
        sequence.pop()
    return sequence


def _subset(order: NDArray[np.int64], cell: UnitCell) -> list[int]:
    if cell.n > len(order):
        detail = f"The cell asks for {cell.n} training items, but the dataset now has {len(order)}. Register it anew."
        raise Fault(fault("dataset_changed", detail, {**cell.place, "phase": "subset"}))
    indices: list[int] = order[: cell.n].tolist()
    return indices


def _train(builder: Builder, model: Any, indices: list[int], cell: UnitCell) -> None:
    with blamed_on(builder.names["training"], "training", cell.place):
        builder.training.train(model, builder.train, indices)


def _evaluate(builder: Builder, model: Any, cell: UnitCell) -> list[tuple[str, int, float | None]]:
    plugin = builder.names["evaluation"]
    with blamed_on(plugin, "evaluation", cell.place):
        try:
            return normalise(builder.evaluation.evaluate(model, builder.test))
        except InvalidMetrics as error:
            detail = (
                f"In run {cell.run}, step {cell.step} (n = {cell.n}) {plugin} gave no usable measurements: {error}. "
                "Make evaluate() return a mapping from metric name to one number, or to one number a class."
            )
            where = {**cell.place, "plugin": plugin, "phase": "evaluation"}
            raise Fault(fault("invalid_metrics", detail, where)) from error


def _record(
    cell: UnitCell, indices: list[int], values: list[tuple[str, int, float | None]], seconds: float, device: str
) -> Message:
    return {
        "type": "cell",
        "run": cell.run,
        "step": cell.step,
        "n_unique": len(set(indices)),
        "seconds": seconds,
        "device": device,
        "values": values,
    }


class _Models:
    """Fresh models: no cell's model has ever been trained before.

    Without a reset strategy a class or factory builds each cell's model anew, under that cell's seed. A ready-made
    model is copied instead and its modules reset their parameters where they can. A reset strategy is given an
    untrained copy of one template, the same for all cells of the job.
    """

    def __init__(self, unit: UnitPlan, builder: Builder) -> None:
        self._unit = unit
        self._builder = builder
        with blamed_on(builder.names["model"], "model"):
            self._ready_made = builder.model() is builder.model()

    def fresh(self, cell: UnitCell) -> Any:
        """Return the model of a cell, on the unit's device; the caller has seeded the generators."""
        builder = self._builder
        with blamed_on(builder.names["model"], "model", cell.place):
            if builder.reset is None:
                return self._placed(self._reset_copy() if self._ready_made else builder.model())
            template = self._template()
        with blamed_on(builder.names["reset"], "reset", cell.place):
            seed_everything(cell_seed(self._unit.seed, cell.run, cell.step))
            model = builder.reset(template)
            if model is None:
                raise TypeError("it returned None; a reset strategy must return the model")
            return self._placed(model)

    def _reset_copy(self) -> Any:
        model = copy.deepcopy(self._builder.model())
        if callable(modules := getattr(model, "modules", None)):
            with torch.no_grad():
                for module in modules():
                    if callable(reset := getattr(module, "reset_parameters", None)):
                        reset()
        return model

    def _template(self) -> Any:
        if self._ready_made:
            return copy.deepcopy(self._builder.model())
        # Built again rather than copied: not every model can be copied.
        seed_everything(cell_seed(self._unit.seed, 0, 0))
        return self._builder.model()

    def _placed(self, model: Any) -> Any:
        to = getattr(model, "to", None)
        return to(self._unit.device) if callable(to) else model


def seed_everything(seed: np.random.SeedSequence) -> None:
    """Seed Python's, NumPy's and torch's global generators (CUDA's too), each from words of its own."""
    words = seed.generate_state(8, np.uint32)
    random.seed(int.from_bytes(words[0:2].tobytes(), "little"))
    np.random.seed(words[2:6])  # noqa: NPY002  (plugins draw from the global generator)
    torch.manual_seed(int.from_bytes(words[6:8].tobytes(), "little"))
