"""Messages written with the change that asks for them, so that neither can exist without the other."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.db.tables import Outbox, Unit
from app.queue.celery import ENOUGH

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
    """Return for how long the broker has taken no message; 0 where none waits for it.

    Where as many units wait as the broker is given at a time, it may well have its fill: what waits behind is not late.
    """
    # By the index, and no more rows than tell: this is asked with every job that waits, also in a flood of them.
    since = func.extract("epoch", func.clock_timestamp() - Outbox.created_at)
    waits = session.scalar(select(since).order_by(Outbox.id).limit(1))
    if waits is None:
        return 0.0
    asked = select(Unit.id).where(Unit.state == "queued", Unit.sent_at.is_not(None)).limit(ENOUGH).subquery()
    is_full = (session.scalar(select(func.count()).select_from(asked)) or 0) >= ENOUGH
    return 0.0 if is_full else float(waits)
