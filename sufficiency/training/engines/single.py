"""The cells of a unit, each by itself: its subset, its model, and what is recorded of it once it is trained."""

import time
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

from sufficiency.method.sampling import cell_seed, nested_order
from sufficiency.schemas.work import CellResult, UnitCell
from sufficiency.training.cell import evaluate, result_of, subset_of, train, train_scores
from sufficiency.training.details import details_of
from sufficiency.training.faults import Fault
from sufficiency.training.learners import known_of
from sufficiency.training.models import FreshModels
from sufficiency.training.repeatable import seed_everything
from sufficiency.training.tries import tried
from sufficiency.training.unit import Recorder, Study, UnitPlan


class Cells:
    """What the cells of a unit are measured with.

    Parameters
    ----------
    unit : UnitPlan
    study : Study
    models : FreshModels
    """

    def __init__(self, unit: UnitPlan, study: Study, models: FreshModels) -> None:
        self.unit, self.study, self.models = unit, study, models
        size, labels = len(study.train), study.labels
        self._order_of = lru_cache(maxsize=1)(
            lambda run: nested_order(size, labels, unit.seed, run, unit.sampling, unit.grown)
        )
        self._told = False

    def subset(self, cell: UnitCell) -> list[int]:
        """Return a cell's items, which the run's larger ones hold too."""
        return subset_of(self._order_of(cell.run), cell)

    def built(self, cell: UnitCell) -> Any:
        """Seed the generators for a cell, and return its model, which has never been trained."""
        seed_everything(cell_seed(self.unit.seed, cell.run, cell.step))
        return self.models.model(cell)

    def result(
        self, cell: UnitCell, model: Any, indices: list[int], details: dict[str, Any], began: float
    ) -> CellResult:
        """Return what a trained model measures; `began` is when the cell was begun, by the performance counter."""
        found = evaluate(self.study, model, cell)
        if scores := train_scores(self.study, model, indices, self.unit.measure_train):
            details["train"] = scores
        seconds = time.perf_counter() - began
        learner, self._told = (None if self._told else known_of(model)), True
        return result_of(cell, indices, found, seconds, self.unit.device, details, learner)


def measure_each(of: Cells, cells: Sequence[UnitCell], recorder: Recorder, told: dict[str, Any]) -> None:
    """Measure the cells that are open, one after the other; one at which a plugin keeps raising is given up.

    Parameters
    ----------
    told : dict
        What is kept of the engine with each cell; empty where there was no other to be had.
    """

    def measured(cell: UnitCell) -> CellResult:
        recorder.started(cell)
        began = time.perf_counter()
        indices = of.subset(cell)
        model = of.built(cell)
        details = details_of(model, train(of.study, model, indices, cell)) | told
        return of.result(cell, model, indices, details, began)

    for cell in cells:
        if not cell.is_open:
            continue
        ended = tried(partial(measured, cell))
        if isinstance(ended, Fault):
            recorder.give_up(cell, ended)
        else:
            recorder.record(ended)
