"""What a unit does, cell by cell: subset → train → evaluate → record."""

import time
from functools import lru_cache, partial

from sufficiency.method.sampling import cell_seed, nested_order
from sufficiency.schemas.work import CellResult, UnitCell
from sufficiency.training.cell import evaluate, result_of, subset_of, train, train_scores
from sufficiency.training.details import details_of
from sufficiency.training.faults import Fault
from sufficiency.training.fitting import check_model
from sufficiency.training.learners import known_of
from sufficiency.training.models import FreshModels
from sufficiency.training.repeatable import seed_everything
from sufficiency.training.sequences import run_sequences
from sufficiency.training.tries import tried
from sufficiency.training.unit import Recorder, Study, UnitPlan


def run_cells(unit: UnitPlan, study: Study, recorder: Recorder) -> None:
    """Measure the cells of a unit that are open. One at which a plugin keeps raising is given up, and the others go on.

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
        When a model cannot even be built, an evaluation returned what is no measurement, or the data are others now.
        What was recorded before stands.
    """
    if unit.protocol == "independent":
        _independent_cells(unit, study, recorder)
    else:
        run_sequences(unit, study, recorder)


def _independent_cells(unit: UnitPlan, study: Study, recorder: Recorder) -> None:
    """Give each cell a model of its own, on a subset that the run's larger ones hold."""
    models = FreshModels(unit, study)
    check_model(unit, study, models)
    size, labels = len(study.train), study.labels
    order_of = lru_cache(maxsize=1)(lambda run: nested_order(size, labels, unit.seed, run, unit.sampling, unit.grown))

    told = False

    def measured(cell: UnitCell) -> CellResult:
        nonlocal told
        recorder.started(cell)
        began = time.perf_counter()
        indices = subset_of(order_of(cell.run), cell)
        seed_everything(cell_seed(unit.seed, cell.run, cell.step))
        model = models.model(cell)
        details = details_of(model, train(study, model, indices, cell))
        found = evaluate(study, model, cell)
        if scores := train_scores(study, model, indices, unit.measure_train):
            details["train"] = scores
        seconds = time.perf_counter() - began
        learner, told = (None if told else known_of(model)), True
        return result_of(cell, indices, found, seconds, unit.device, details, learner)

    for cell in unit.cells:
        if not cell.is_open:
            continue
        ended = tried(partial(measured, cell))
        if isinstance(ended, Fault):
            recorder.give_up(cell, ended)
        else:
            recorder.record(ended)
