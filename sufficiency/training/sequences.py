"""The cells of DataEval's protocol: a run is one model, trained on from step to step."""

import time
from collections import Counter
from itertools import groupby
from typing import Any

from sufficiency.method.sampling import cell_seed, with_replacement_order
from sufficiency.schemas.work import UnitCell
from sufficiency.training.cell import evaluate, result_of, subset_of, train
from sufficiency.training.details import Watched, details_of
from sufficiency.training.faults import Fault
from sufficiency.training.fitting import check_model
from sufficiency.training.learners import known_of
from sufficiency.training.models import FreshModels
from sufficiency.training.repeatable import seed_everything
from sufficiency.training.tries import is_last_try
from sufficiency.training.unit import Recorder, Study, UnitPlan


def run_sequences(unit: UnitPlan, study: Study, recorder: Recorder) -> None:
    """Give each run one model, trained on from step to step; see `loop.run_cells`."""
    models = FreshModels(unit, study)
    check_model(unit, study, models)
    cells = sorted(unit.cells, key=lambda cell: (cell.run, cell.step))
    for _, sequence in groupby(cells, key=lambda cell: cell.run):
        _Run(unit, study, recorder, models, list(sequence)).measure()


class _Run:
    """One run. Where a step fails, its model may be half trained: the run is gone through again from its start.

    A recorded step is then gone through again whole, since the evaluation too may draw random numbers or switch the
    model's mode: so a resumed run measures what an uninterrupted one would have. A step whose training fails in each
    try is left out, now and whenever the run is resumed. One whose evaluation fails is not: its model is trained.
    """

    def __init__(
        self, unit: UnitPlan, study: Study, recorder: Recorder, models: FreshModels, cells: list[UnitCell]
    ) -> None:
        self._unit, self._study, self._recorder, self._models = unit, study, recorder, models
        self._cells = cells
        self._order = with_replacement_order(len(study.train), unit.seed, cells[0].run)
        self._open = {cell.step for cell in cells if cell.is_open}
        self._failed_in = {cell.step: cell.failed_in for cell in cells if cell.failed_in is not None}
        self._tries: Counter[int] = Counter()
        self._loss_at_start: float | None = None

    def measure(self) -> None:
        """Measure the steps that are open."""
        while self._open and not self._gone_through():
            pass

    def _gone_through(self) -> bool:
        """Go through the run up to its last open step; return whether it got there."""
        steps = [cell for cell in self._cells if cell.step <= max(self._open) and not self._is_left_out(cell)]
        seed_everything(cell_seed(self._unit.seed, steps[0].run, 0))
        self._recorder.started(steps[0])
        cell, self._loss_at_start = steps[0], None
        try:
            model = self._models.model(cell)
            for cell in steps:
                self._recorder.started(cell)
                began = time.perf_counter()
                indices = subset_of(self._order, cell)
                seen = train(self._study, model, indices, cell)
                details = self._details(model, seen, cell)
                try:
                    found = evaluate(self._study, model, cell)
                except Fault:
                    if self._failed_in.get(cell.step) == "evaluation":
                        continue
                    raise
                if cell.step in self._open:
                    seconds = time.perf_counter() - began
                    learner = known_of(model)
                    self._recorder.record(result_of(cell, indices, found, seconds, self._unit.device, details, learner))
                    self._open.discard(cell.step)
        except Fault as fault:
            self._note(fault, cell)
            return False
        return True

    def _details(self, model: Any, seen: Watched, cell: UnitCell) -> dict[str, Any]:
        """Return what is kept of an open cell; its loss started where that of the run's model did."""
        if cell.step not in self._open and self._loss_at_start is not None:
            return {}
        details = details_of(model, seen)
        if loss := details.get("loss"):
            if self._loss_at_start is None:
                self._loss_at_start = loss["start"]
            loss["start"] = self._loss_at_start
        return details if cell.step in self._open else {}

    def _is_left_out(self, cell: UnitCell) -> bool:
        return self._failed_in.get(cell.step, "evaluation") != "evaluation"

    def _note(self, fault: Fault, cell: UnitCell) -> None:
        """Take note of a fault in a step: the run is to be gone through again, with it or without."""
        self._tries[cell.step] += 1
        if not is_last_try(fault, self._tries[cell.step]):
            return
        # A recorded step that fails now, each time, keeps the run from getting to those that are still open.
        given_up = [cell] if cell.step in self._open else [one for one in self._cells if one.step in self._open]
        for one in given_up:
            self._failed_in[one.step] = fault.error["where"]["phase"]
            self._open.discard(one.step)
            self._recorder.give_up(one, fault)
