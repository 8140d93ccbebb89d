"""What plugins write while they work for a job, kept with it: the newest of it, up to a size."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.db.tables import Job, JobLog

_LOCKS = 0x10C  # of advisory locks


@dataclass(frozen=True)
class Written:
    """Some lines, of one try at one place.

    Attributes
    ----------
    run, step : int or None
        The cell; None before the first one.
    """

    attempt: int
    run: int | None
    step: int | None
    text: str


def keep_output(session: Session, job_id: UUID, written: Sequence[Written], most_bytes: int) -> None:
    """Add to what is kept of a job's output; the oldest makes way. Of a job that is gone, nothing is kept."""
    # Not the job's row: who prints is not to wait for who fits curves, nor the other way round.
    session.execute(select(func.pg_advisory_xact_lock(_LOCKS, func.hashtext(str(job_id)))))
    if session.scalar(select(Job.id).where(Job.id == job_id).with_for_update(read=True, key_share=True)) is None:
        return
    last = select(JobLog.seq, JobLog.total).where(JobLog.job_id == job_id).order_by(JobLog.seq.desc()).limit(1)
    seq, total = session.execute(last).one_or_none() or (0, 0)
    for one in written:
        seq, total = seq + 1, total + len(one.text.encode())
        session.add(
            JobLog(job_id=job_id, seq=seq, attempt=one.attempt, run=one.run, step=one.step, text=one.text, total=total)
        )
    session.flush()
    session.execute(delete(JobLog).where(JobLog.job_id == job_id, JobLog.total <= total - most_bytes))
