"""How a job moves from state to state: one function, and every move leaves an event in the same transaction."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from app.db.tables import Event, Job, Unit
from app.errors import NotFound
from app.webhooks.outgoing import announce
from sufficiency.schemas.words import ENDED, OPEN_UNIT_STATES, JobEventType

MOVES: dict[str, frozenset[str]] = {
    "queued": frozenset({"running", "completed", "failed", "cancelled"}),
    "running": frozenset({"completed", "failed", "cancelling"}),
    "cancelling": frozenset({"cancelled"}),
    "completed": frozenset({"queued"}),  # extended, or started anew
    "failed": frozenset({"queued"}),
    "cancelled": frozenset({"queued"}),
}


class IllegalMove(Exception):
    """A job cannot go from its state to the one asked for.

    Attributes
    ----------
    state, wanted : str
        Where the job is and where it was to go.
    """

    def __init__(self, state: str, wanted: str) -> None:
        super().__init__(f"a job that is {state} cannot become {wanted}")
        self.state = state
        self.wanted = wanted


def lock_job(session: Session, job_id: UUID) -> Job | None:
    """Return the job with its row locked until the transaction ends, or None.

    Everything that writes to a job, its units or its cells takes this lock first; so moves, counts and event
    numbers have one order, and no two transactions can wait for each other.
    """
    return session.get(Job, job_id, with_for_update=True, populate_existing=True)


def locked(session: Session, job_id: UUID) -> Job:
    """Return a job with its row locked; see `lock_job`.

    Raises
    ------
    NotFound
    """
    job = lock_job(session, job_id)
    if job is None:
        raise no_such_job(job_id)
    return job


def no_such_job(job_id: UUID) -> NotFound:
    """Return the problem of a job that is not there."""
    return NotFound(f"There is no job {job_id}; GET /jobs lists them.", code="job_not_found")


def emit(session: Session, job: Job, type: JobEventType, data: dict[str, Any]) -> None:
    """Append an event to a job whose row is locked; the endpoints that asked for a state are told of it."""
    job.event_seq = (job.event_seq or 0) + 1
    session.add(Event(job_id=job.id, seq=job.event_seq, type=type, data=data))
    if type == "state":
        announce(session, job, data["state"], data.get("error"))


def progress(job: Job) -> dict[str, int]:
    """Return how far a job is, as the events of its cells say it."""
    return {name: getattr(job, name) for name in ("cells_done", "cells_total", "work_done", "work_total")}


def move(
    session: Session, job: Job, state: str, *, error: dict[str, Any] | None = None, data: dict[str, Any] | None = None
) -> None:
    """Move a locked job to `state` and write the event.

    Raises
    ------
    IllegalMove
        When the state machine has no such move.
    """
    if state not in MOVES[job.state]:
        raise IllegalMove(job.state, state)
    job.state = state
    if state == "running":
        job.started_at = func.now()
    if state == "queued":
        job.error, job.finished_at, job.started_at, job.deaths = None, None, None, 0
        job.value_warnings, job.readings, job.result = None, None, None
        job.identity = None  # others may have measured what it lacks, and its plugins may have been written anew
    if state in ENDED:
        job.finished_at = func.now()
        job.error = error
        # Nothing of an ended job may still be handed out.
        # A completed job's unit may be open for a moment more: all its cells are in, its worker has yet to say so.
        closing = {"completed": "done", "failed": "failed", "cancelled": "cancelled"}[state]
        session.execute(
            update(Unit)
            .where(Unit.job_id == job.id, Unit.state.in_(OPEN_UNIT_STATES))
            .values(state=closing, lease_expires_at=None, worker_id=None)
        )
    emit(session, job, "state", {"state": state, **({"error": error} if error else {}), **(data or {})})
    session.flush()


def fresh(session: Session, job: Job) -> Job:
    """Return the job with the times that the database gave it."""
    session.flush()
    session.refresh(job)
    return job
