"""From the steps of a job to the rows that workers claim."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.db.tables import Cell, Job, Unit
from app.jobs.lifecycle import emit
from app.queue.outbox import enqueue
from app.sufficiency.plan import plan_units, work
from app.sufficiency.spec import JobSpec


def create_cells(session: Session, job: Job, steps: Sequence[int]) -> None:
    """Write the cells and units of a job whose steps are now known, and ask for them to be run."""
    spec = JobSpec.model_validate(job.spec)
    units = plan_units(list(steps), spec.runs, spec.protocol)
    job.steps = list(steps)
    job.cells_total = sum(len(cells) for cells in units)
    job.work_total = sum(work(cells) for cells in units)
    ids: Sequence[UUID] = session.scalars(
        insert(Unit).returning(Unit.id, sort_by_parameter_order=True),
        [{"job_id": job.id, "ordinal": ordinal} for ordinal in range(len(units))],
    ).all()
    session.execute(
        insert(Cell),
        [
            {"job_id": job.id, "run": cell.run, "step": cell.step, "n": cell.n, "unit_id": unit_id}
            for unit_id, cells in zip(ids, units, strict=True)
            for cell in cells
        ],
    )
    for unit_id in ids:
        enqueue(session, "run_unit", unit_id, job.device, job.priority)
    emit(session, job, "planned", {"steps": list(steps), "cells_total": job.cells_total, "units": len(units)})
