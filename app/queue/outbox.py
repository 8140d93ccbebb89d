"""Messages written with the change that asks for them, so that neither can exist without the other."""

from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from app.db.tables import Outbox

Task = Literal["run_unit", "verify_dataset", "plan_job"]


def enqueue(session: Session, task: Task, subject: UUID, queue: str, priority: int = 0) -> None:
    """Ask a worker to run `task` on `subject`; the relay sends it after this transaction has committed."""
    session.add(Outbox(task=task, subject=subject, queue=queue, priority=priority))
