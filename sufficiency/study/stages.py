"""An adaptive study in this process: stage after stage, as the service measures it."""

from collections.abc import Callable

from sufficiency.answers.designing import first_stage, next_stage_of
from sufficiency.method.measurements import series_from_rows
from sufficiency.schemas.spec import JobSpec
from sufficiency.schemas.work import UnitCell
from sufficiency.study.record import Record


def measure_by_stages(spec: JobSpec, record: Record, measure: Callable[[list[UnitCell]], None]) -> None:
    """Measure what a study chooses to, and note how far it has gone and why it stopped.

    From the first stage on, also where some of it is measured already: each is chosen by the cells of those before it
    alone, so that a study that is resumed chooses as one that was not interrupted.

    Parameters
    ----------
    measure : callable
        Measures cells, those that are done left out.
    """
    stage, taken = first_stage(spec, record.steps), set[tuple[int, int]]()
    while stage.cells:
        record.design = stage.design.model_dump(mode="json")
        taken |= {(cell.run, cell.step) for cell in stage.cells}
        record.planned = len(taken | record.cells.keys())
        cells = [UnitCell(c.run, c.step, c.n, done=(c.run, c.step) in record.cells) for c in stage.cells]
        if not all(cell.done for cell in cells):
            measure(cells)
        series = series_from_rows((row for row in record.rows() if row[:2] in taken), record.specs())
        stage = next_stage_of(record.study(), series, spec, taken, stage.design.stages)
    record.design = stage.design.model_dump(mode="json")
