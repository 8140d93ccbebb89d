"""The ways in which a job ends: completed, failed, out of time, cancelled."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.db.tables import Job, Unit
from app.errors import Conflict
from app.jobs.designing import goes_on
from app.jobs.lifecycle import IllegalMove, fresh, lock_job, locked, move
from sufficiency.schemas.words import ENDED


def complete(session: Session, job: Job) -> None:
    """Complete a locked job all of whose cells are measured, and keep its curves; an adaptive one may go on instead."""
    if goes_on(session, job):
        return
    # Here, and not above: it brings NumPy and SciPy, which a worker that waits for work need not hold.
    from app.curves.forecasts import score
    from app.curves.keeping import store_curves

    store_curves(session, job)
    score(session, job)
    move(session, job, "completed")


def fail(session: Session, job: Job, error: dict[str, Any]) -> None:
    """End a locked job with a fault; one that is being cancelled is cancelled, and one that has ended stays so."""
    if job.state == "cancelling":
        settle_cancel(session, job)
    elif job.state not in ENDED:
        move(session, job, "failed", error=error)


def expire_job(session: Session, job_id: UUID, limit: float) -> None:
    """End a job that has been running for longer than `limit` seconds; what it measured stays."""
    job = lock_job(session, job_id)
    if job is None or job.state != "running":
        return
    if session.scalar(select(Job.started_at >= func.now() - timedelta(seconds=limit)).where(Job.id == job_id)):
        return  # retried in the meantime
    detail = (
        f"The job ran for more than {limit:g} s: {job.cells_done} of {job.cells_total} cells are measured. Make it "
        "cheaper, add slots, or raise SUFFICIENCY_JOB_TIMEOUT_SECONDS; then retry it, which measures only the rest."
    )
    fail(session, job, {"code": "job_timeout", "detail": detail, "where": {"phase": "job"}})


def cancel(session: Session, job_id: UUID) -> Job:
    """Ask a job to stop: at once when no worker holds a unit of it, else when the last one has let go.

    What is measured stays.
    """
    job = locked(session, job_id)
    if job.state == "cancelling":
        return job
    try:
        move(session, job, "cancelled" if job.state == "queued" else "cancelling")
    except IllegalMove:
        raise Conflict(f"The job is {job.state}: there is nothing to cancel.", code="job_ended") from None
    if job.state == "cancelling":
        session.execute(
            update(Unit).where(Unit.job_id == job.id, Unit.state == "queued").values(state="cancelled", not_before=None)
        )
        settle_cancel(session, job)
    return fresh(session, job)


def settle_cancel(session: Session, job: Job) -> None:
    """Cancel a locked job that is being cancelled, once no worker holds a unit of it."""
    leased = session.scalar(select(func.count()).select_from(Unit).where(Unit.job_id == job.id, Unit.state == "leased"))
    if not leased:
        move(session, job, "cancelled")
