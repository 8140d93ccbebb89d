"""Messages written with the change that asks for them, so that neither can exist without the other."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.tables import Outbox
from app.db.waking import asks

Task = Literal["run_unit", "verify_dataset", "plan_job"]


def enqueue(session: Session, task: Task, subject: UUID, queue: str, priority: int = 0) -> None:
    """Ask a worker to run `task` on `subject`; the relay sends it after this transaction has committed."""
    session.add(Outbox(task=task, subject=subject, queue=queue, priority=priority))
    asks(session, "relay")


_UNITS = text(
    "INSERT INTO outbox (task, subject, queue, priority) "
    "SELECT 'run_unit', subject, :queue, :priority FROM unnest(CAST(:unit_ids AS uuid[])) AS subject"
)


def enqueue_units(session: Session, unit_ids: Sequence[UUID], queue: str, priority: int) -> None:
    """Say that these units wait, as `enqueue` does."""
    session.execute(_UNITS, {"unit_ids": list(unit_ids), "queue": queue, "priority": priority})
    asks(session, "relay")
