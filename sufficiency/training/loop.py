"""What a unit does, cell by cell: subset → train → evaluate → record."""

import time
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.method.sampling import cell_seed, nested_order, with_replacement_order
from sufficiency.schemas.work import CellResult, UnitCell
from sufficiency.training.details import Watched, details_of, watched
from sufficiency.training.faults import Fault, blamed_on, fault
from sufficiency.training.fitting import check_model
from sufficiency.training.learners import known_of
from sufficiency.training.metrics import InvalidMetrics, normalise
from sufficiency.training.models import FreshModels
from sufficiency.training.repeatable import seed_everything
from sufficiency.training.unit import Recorder, Study, UnitPlan


def run_cells(unit: UnitPlan, study: Study, recorder: Recorder) -> None:
    """Measure the cells of a unit that are not done yet.

    Parameters
    ----------
    unit : UnitPlan
        The cells; under the `dataeval` protocol whole runs, since a run's model goes on training from step to step.
    study : Study
        Where datasets, strategies and models come from.
    recorder : Recorder
        Is told of each cell before and after.

    Raises
    ------
    Fault
        When a plugin raised, or an evaluation returned no measurements. What was recorded before stands.
    """
    if unit.protocol == "independent":
        _independent_cells(unit, study, recorder)
    else:
        _cumulative_runs(unit, study, recorder)


def _independent_cells(unit: UnitPlan, study: Study, recorder: Recorder) -> None:
    """Give each cell a model of its own, on a subset that the run's larger ones hold."""
    models = FreshModels(unit, study)
    check_model(unit, study, models)
    size, labels = len(study.train), study.labels
    order_of = lru_cache(maxsize=1)(lambda run: nested_order(size, labels, unit.seed, run, unit.sampling))
    told = False
    for cell in unit.cells:
        if cell.done:
            continue
        recorder.started(cell)
        began = time.perf_counter()
        indices = _subset(order_of(cell.run), cell)
        seed_everything(cell_seed(unit.seed, cell.run, cell.step))
        model = models.model(cell)
        seen = _train(study, model, indices, cell)
        details = details_of(model, seen)
        values = _evaluate(study, model, cell)
        seconds = time.perf_counter() - began
        learner, told = (None if told else known_of(model)), True
        recorder.record(_result(cell, indices, values, seconds, unit.device, details, learner))
        del model  # its memory is wanted for the next one


def _cumulative_runs(unit: UnitPlan, study: Study, recorder: Recorder) -> None:
    """Give each run one model, trained on from step to step: DataEval's protocol."""
    models = FreshModels(unit, study)
    check_model(unit, study, models)
    cells = sorted(unit.cells, key=lambda cell: (cell.run, cell.step))
    for run, sequence in groupby(cells, key=lambda cell: cell.run):
        steps = _up_to_last_open(sequence)
        if not steps:
            continue
        order = with_replacement_order(len(study.train), unit.seed, run)
        seed_everything(cell_seed(unit.seed, run, 0))
        recorder.started(steps[0])
        model = models.model(steps[0])
        for cell in steps:
            recorder.started(cell)
            began = time.perf_counter()
            indices = _subset(order, cell)
            seen = _train(study, model, indices, cell)
            details = {} if cell.done else details_of(model, seen)
            # A recorded step is gone through again whole, since the evaluation too may draw random numbers or
            # switch the model's mode: so a resumed run measures what an uninterrupted one would have.
            values = _evaluate(study, model, cell)
            if not cell.done:
                seconds = time.perf_counter() - began
                recorder.record(_result(cell, indices, values, seconds, unit.device, details, known_of(model)))
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


def _train(study: Study, model: Any, indices: list[int], cell: UnitCell) -> Watched:
    with watched(model) as seen, blamed_on(study.names["training"], "training", cell.place):
        study.training.train(model, study.train, indices)
    return seen


def _evaluate(study: Study, model: Any, cell: UnitCell) -> list[tuple[str, int, float | None]]:
    plugin = study.names["evaluation"]
    with blamed_on(plugin, "evaluation", cell.place):
        try:
            return normalise(study.evaluation.evaluate(model, study.test))
        except InvalidMetrics as error:
            detail = (
                f"In run {cell.run}, step {cell.step} (n = {cell.n}) {plugin} gave no usable measurements: {error}. "
                "Make evaluate() return a mapping from metric name to one number, or to one number a class."
            )
            where = {**cell.place, "plugin": plugin, "phase": "evaluation"}
            raise Fault(fault("invalid_metrics", detail, where)) from error


def _result(
    cell: UnitCell,
    indices: list[int],
    values: list[tuple[str, int, float | None]],
    seconds: float,
    device: str,
    details: dict[str, Any],
    learner: dict[str, Any] | None,
) -> CellResult:
    return CellResult(
        run=cell.run,
        step=cell.step,
        n_unique=len(set(indices)),
        seconds=seconds,
        device=device,
        values=values,
        details=details,
        learner=learner or None,
    )
