"""Messages written with the change that asks for them, so that neither can exist without the other."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.db.tables import Job, Outbox, Unit
from app.queue.celery import ENOUGH, QUEUES

Task = Literal["run_unit", "verify_dataset", "plan_job"]


def enqueue(session: Session, task: Task, subject: UUID, queue: str, priority: int = 0) -> None:
    """Ask a worker to run `task` on `subject`; the relay sends it after this transaction has committed."""
    session.add(Outbox(task=task, subject=subject, queue=queue, priority=priority))


_UNITS = text(
    "INSERT INTO outbox (task, subject, queue, priority) "
    "SELECT 'run_unit', subject, :queue, :priority FROM unnest(CAST(:unit_ids AS uuid[])) AS subject"
)


def enqueue_units(session: Session, unit_ids: Sequence[UUID], queue: str, priority: int) -> None:
    """Ask workers to run units, in this order, as `enqueue` does."""
    session.execute(_UNITS, {"unit_ids": list(unit_ids), "queue": queue, "priority": priority})


def overdue_seconds(session: Session) -> float:
    """Return for how long the broker has taken no message, as far as one waits for it; 0 where none does.

    A queue of which the broker holds enough already is left out: what waits behind that is not late.
    """
    longest = 0.0
    for queue in QUEUES:
        waits = session.scalar(
            select(func.extract("epoch", func.clock_timestamp() - func.min(Outbox.created_at))).where(
                Outbox.queue == queue
            )
        )
        if waits is None:
            continue
        asked = select(func.count()).select_from(Unit).join(Job, Job.id == Unit.job_id)
        asked = asked.where(Unit.state == "queued", Unit.sent_at.is_not(None), Job.device == queue)
        unsent = select(func.count()).select_from(Outbox).join(Unit, Unit.id == Outbox.subject)
        unsent = unsent.where(Outbox.queue == queue, Unit.state == "queued")
        if (session.scalar(asked) or 0) - (session.scalar(unsent) or 0) < ENOUGH:
            longest = max(longest, float(waits))
    return longest
