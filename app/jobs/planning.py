"""From the steps of a job to the rows that workers claim."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.tables import Job
from app.jobs.lifecycle import emit
from app.queue.outbox import enqueue_units
from app.sufficiency.plan import plan_units, work
from app.sufficiency.spec import JobSpec

# The ids rise with the ordinal, both being given row by row.
_UNITS = text(
    "INSERT INTO unit (job_id, ordinal) SELECT :job_id, ordinal FROM generate_series(0, :units - 1) AS ordinal "
    "ORDER BY ordinal RETURNING ordinal, id"
)
_CELLS = text(
    "INSERT INTO cell (job_id, run, step, n, unit_id) SELECT :job_id, * FROM unnest("
    "CAST(:runs AS bigint[]), CAST(:steps AS bigint[]), CAST(:sizes AS bigint[]), CAST(:unit_ids AS uuid[]))"
)


def create_cells(session: Session, job: Job, steps: Sequence[int]) -> None:
    """Write the cells and units of a job whose steps are now known, and ask for them to be run."""
    spec = JobSpec.model_validate(job.spec)
    units = plan_units(list(steps), spec.runs, spec.protocol)
    job.steps = list(steps)
    job.cells_total = sum(len(cells) for cells in units)
    job.work_total = sum(work(cells) for cells in units)
    # A statement a table, however many units and cells there are: the rows are made where they are kept.
    made = session.execute(_UNITS, {"job_id": job.id, "units": len(units)})
    ids = [unit_id for _, unit_id in sorted((ordinal, unit_id) for ordinal, unit_id in made)]
    flat = [(cell, unit_id) for unit_id, cells in zip(ids, units, strict=True) for cell in cells]
    session.execute(
        _CELLS,
        {
            "job_id": job.id,
            "runs": [cell.run for cell, _ in flat],
            "steps": [cell.step for cell, _ in flat],
            "sizes": [cell.n for cell, _ in flat],
            "unit_ids": [unit_id for _, unit_id in flat],
        },
    )
    enqueue_units(session, ids, job.device, job.priority)
    emit(session, job, "planned", {"steps": list(steps), "cells_total": job.cells_total, "units": len(units)})
