"""From the steps of a job to the rows that workers claim."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from app.curves.kinks import note_kinks
from app.db.tables import Cell, Job, Unit
from app.db.waking import asks
from app.jobs.lifecycle import emit
from app.jobs.turns import arrive
from app.queue.celery import QUESTIONS
from app.queue.outbox import enqueue, enqueue_units
from sufficiency.method.plan import CellPlan, group_cells, plan_units, work
from sufficiency.schemas.spec import JobSpec

if TYPE_CHECKING:
    from sufficiency.answers.designing import Stage

# All that is written about the units of a job, in one statement, however many units and cells there are: the rows are
# made where they are kept. The ids rise with the ordinal, both being given row by row, and messages go in that order.
_WRITE = text(
    """
    WITH made AS (
        INSERT INTO unit (job_id, ordinal, work)
        SELECT :job_id, place - 1 + coalesce((SELECT max(ordinal) + 1 FROM unit WHERE job_id = :job_id), 0), work
        FROM unnest(CAST(:works AS bigint[])) WITH ORDINALITY AS given (work, place)
        ORDER BY place
        RETURNING id, ordinal
    ), placed AS (
        SELECT id, row_number() OVER (ORDER BY ordinal) AS place FROM made
    ), measured AS (
        INSERT INTO cell (job_id, run, step, n, unit_id)
        SELECT :job_id, run, step, n, placed.id
        FROM unnest(
            CAST(:runs AS bigint[]), CAST(:steps AS bigint[]), CAST(:sizes AS bigint[]), CAST(:places AS bigint[])
        ) AS given (run, step, n, place) JOIN placed USING (place)
    ), told AS (
        INSERT INTO outbox (task, subject, queue, priority)
        SELECT 'run_unit', id, :queue, :priority FROM placed ORDER BY place
    )
    SELECT id FROM placed ORDER BY place
    """
)


def create_cells(session: Session, job: Job, steps: Sequence[int]) -> None:
    """Write the cells and units of a job whose steps are now known, and ask for them to be run.

    Of an adaptive job those of its first stage.
    """
    spec = JobSpec.model_validate(job.spec)
    if spec.is_adaptive:
        from sufficiency.answers.designing import first_stage  # it brings NumPy and SciPy

        add_stage(session, job, spec, list(steps), first_stage(spec, steps))
    else:
        _write(session, job, list(steps), plan_units(steps, spec.runs, spec.protocol, stacked=is_stacked(spec)))


def add_stage(session: Session, job: Job, spec: JobSpec, steps: list[int], stage: "Stage") -> None:
    """Write the cells of one more stage of an adaptive job, and ask for them to be run; or why it stops."""
    if stage.cells:
        _write(session, job, steps, group_cells(stage.cells, spec.runs * sum(steps), stacked=is_stacked(spec)))
    job.design = stage.design.model_dump(mode="json")
    emit(session, job, "design", {**job.design, "cells": len(stage.cells)})


def add_cells(session: Session, job: Job, spec: JobSpec, steps: Sequence[int]) -> None:
    """Write the cells that a planned job lacks of `spec` and `steps`, and ask for them to be run.

    Parameters
    ----------
    spec : JobSpec
        The job's, with as many runs as before or more. It becomes the job's.
    steps : sequence of int
        The job's, with the new ones at the end: a step's number is part of its cells' seeds.
    """
    units = new_units(session, job, spec, steps)
    job.spec = spec.model_dump(mode="json")
    job.design = None  # from here on it is every run at every step
    ids = _write(session, job, list(steps), units)
    if spec.protocol == "dataeval":
        # A run is one sequence: who measures its new steps must go through those of before again.
        for unit_id, cells in zip(ids, units, strict=True):
            session.execute(update(Cell).where(Cell.job_id == job.id, Cell.run == cells[0].run).values(unit_id=unit_id))
        in_use = select(Cell.unit_id).where(Cell.job_id == job.id, Cell.unit_id.is_not(None))
        session.execute(delete(Unit).where(Unit.job_id == job.id, Unit.id.not_in(in_use)))


def new_units(session: Session, job: Job, spec: JobSpec, steps: Sequence[int]) -> list[list[CellPlan]]:
    """Return the cells that a planned job lacks of every run of `spec` at every one of `steps`, by units."""
    if job.design is None:
        planned = JobSpec.model_validate(job.spec).runs, len(job.steps or [])
        return plan_units(steps, spec.runs, spec.protocol, planned=planned, stacked=is_stacked(spec))
    # What an adaptive job has chosen is no rectangle.
    there = {(run, step) for run, step in session.execute(select(Cell.run, Cell.step).where(Cell.job_id == job.id))}
    every = (CellPlan(run, step, n) for run in range(spec.runs) for step, n in enumerate(steps))
    lacking = [cell for cell in every if (cell.run, cell.step) not in there]
    return group_cells(lacking, spec.runs * sum(steps), stacked=is_stacked(spec))


def is_stacked(spec: JobSpec) -> bool:
    """Return whether a job's units hold cells whose models are trained at once."""
    return spec.engine == "stacked"


def queue_units(session: Session, job: Job, unit_ids: Sequence[UUID]) -> None:
    """Give units of a job, which wait, their place in the queue, and ask workers to run them."""
    _queue(session, job, unit_ids)
    if unit_ids:
        enqueue_units(session, unit_ids, job.device, job.priority)


def _write(session: Session, job: Job, steps: list[int], units: Sequence[Sequence[CellPlan]]) -> Sequence[UUID]:
    job.steps = steps
    job.cells_total += sum(len(cells) for cells in units)
    job.work_total += sum(work(cells) for cells in units)
    flat = [(cell, place) for place, cells in enumerate(units, 1) for cell in cells]
    ids = session.scalars(
        _WRITE,
        {
            "job_id": job.id,
            "works": [work(cells) for cells in units],
            "runs": [cell.run for cell, _ in flat],
            "steps": [cell.step for cell, _ in flat],
            "sizes": [cell.n for cell, _ in flat],
            "places": [place for _, place in flat],
            "queue": job.device,
            "priority": job.priority,
        },
    ).all()
    _queue(session, job, ids)
    note_kinks(session, job)
    emit(session, job, "planned", {"steps": steps, "cells_total": job.cells_total, "units": len(units)})
    return ids


def _queue(session: Session, job: Job, unit_ids: Sequence[UUID]) -> None:
    job.queued_at = func.now()
    if unit_ids:
        arrive(session, job)
        asks(session, "relay")


def ask_for_plan(session: Session, job: Job) -> None:
    """Have a worker ask the job's schedule plugin for the steps."""
    job.plan_sent_at = func.now()
    enqueue(session, "plan_job", job.id, QUESTIONS, job.priority)
