"""What a unit does, cell by cell: subset → train → evaluate → record."""

from sufficiency.training.engines.choosing import chosen_engine
from sufficiency.training.engines.single import Cells, measure_each
from sufficiency.training.engines.stacked import measure_together
from sufficiency.training.fitting import check_model
from sufficiency.training.models import FreshModels
from sufficiency.training.sequences import run_sequences
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
    engine = chosen_engine(unit, study, models)
    cells = Cells(unit, study, models)
    if engine.name == "stacked":
        measure_together(cells, recorder, engine.told)
    else:
        measure_each(cells, unit.cells, recorder, engine.told)
