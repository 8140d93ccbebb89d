"""What becomes of a cell that cannot be measured, and of its job: it goes on with the rest, or ends."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db.tables import Cell, Job, Unit
from app.jobs.ending import fail
from app.jobs.lifecycle import emit, progress
from app.units.holding import end_lease, held
from sufficiency.method.hope import is_hopeless
from sufficiency.schemas.work import CellFailure

# What ends a trainer, or is ended with it, while one cell is in hand.
_OF_THE_CELL = frozenset({"attempts_exhausted", "cell_timeout", "memory_exceeded"})


def give_up_cell(session: Session, unit_id: UUID, attempt: int, failure: CellFailure) -> bool:
    """Write that a cell is not measurable, once; return False when the unit is not, or no longer, the caller's.

    Where there is no hope for the rest (`method.hope`), the job ends with the cell's error, as it does when no cell is
    left that could be measured.
    """
    found = held(session, unit_id, attempt)
    if found is None:
        return False
    job, unit = found
    if not _given_up(session, job, unit, failure):
        return True
    unit.failures = 0  # its trainer lives
    job.deaths = 0
    if job.state == "running" and _is_hopeless(session, job, failure.error):
        end_lease(unit, "failed", failure.error)
        session.flush()
        fail(session, job, failure.error)
        return False
    return True


def leave_out(session: Session, job: Job, unit: Unit, error: dict[str, Any], max_deaths: int) -> bool:
    """Give up the cell of a held unit that ended its trainer each time, took too long or too much memory.

    Return False where the error is of no cell, where none of the job is measured yet, and where so many tries in a row
    have ended so, without a cell being measured, that it is the job.
    """
    place = error.get("where") or {}
    if error.get("code") not in _OF_THE_CELL or job.state != "running" or not job.cells_done:
        return False
    if place.get("run") is None or place.get("step") is None or job.deaths >= max_deaths:
        return False
    if error["code"] != "attempts_exhausted":  # whose deaths have been counted
        job.deaths += 1
    return _given_up(session, job, unit, CellFailure(place["run"], place["step"], error))


def _given_up(session: Session, job: Job, unit: Unit, failure: CellFailure) -> bool:
    """Write that a cell of a unit is not measurable; return False where it has ended before."""
    n = session.scalar(
        update(Cell)
        .where(
            Cell.job_id == job.id,
            Cell.run == failure.run,
            Cell.step == failure.step,
            Cell.unit_id == unit.id,
            Cell.finished_at.is_(None),
            Cell.error.is_(None),
        )
        .values(error=failure.error)
        .returning(Cell.n)
    )
    if n is None:
        return False
    job.cells_not_measurable += 1
    job.work_done += n
    told = {"run": failure.run, "step": failure.step, "n": n, "error": _brief(failure.error)}
    emit(session, job, "not_measurable", {**told, "cells_not_measurable": job.cells_not_measurable, **progress(job)})
    return True


def _is_hopeless(session: Session, job: Job, error: dict[str, Any]) -> bool:
    if job.cells_done:
        return False
    rows = session.execute(select(Cell.run, Cell.step).where(Cell.job_id == job.id, Cell.error.is_not(None)))
    steps = job.steps or []
    largest = max(range(len(steps)), key=steps.__getitem__, default=0)
    return is_hopeless([(run, step) for run, step in rows], 0, job.cells_total, len(steps), largest, error)


def _brief(error: dict[str, Any]) -> dict[str, Any]:
    """Return an error without its traceback, which the job's own answer has."""
    return {name: value for name, value in error.items() if name != "traceback"}
