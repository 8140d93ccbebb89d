"""A unit in a worker's hands: whether the lease of an attempt still stands, and how it ends."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Cell, Job, Unit
from app.jobs.lifecycle import lock_job
from sufficiency.schemas.work import UnitCell


def held(session: Session, unit_id: UUID, attempt: int) -> tuple[Job, Unit] | None:
    """Return a unit with its job, which is locked, if the lease of this attempt still stands."""
    job_id = session.scalar(select(Unit.job_id).where(Unit.id == unit_id))
    if job_id is None or (job := lock_job(session, job_id)) is None:
        return None
    unit = session.get(Unit, unit_id, populate_existing=True)
    if unit is None or unit.state != "leased" or unit.attempt != attempt:
        return None
    return job, unit


def end_lease(unit: Unit, state: str, error: dict[str, Any] | None) -> None:
    unit.state, unit.error, unit.lease_expires_at, unit.worker_id = state, error, None, None


def cell_of(cell: Cell) -> UnitCell:
    """Return a cell as whoever is to measure it is told of it."""
    done = cell.finished_at is not None
    given_up = (cell.error or {}).get("where", {}).get("phase", "cell") if cell.error is not None else None
    return UnitCell(cell.run, cell.step, cell.n, done, None if done else given_up)
