"""How much of the slots a project is owed beside the others; `app.jobs.turns` keeps count of what each has had."""

from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.tables import Share

USUAL = 1.0

# A project that has asked for nothing yet begins where the one is that was served last, as with its first job.
_SET = text(
    """
    INSERT INTO share AS mine (project_id, device, weight, turn)
    SELECT :project, device, :weight, (SELECT coalesce(max(start), 0) FROM share WHERE share.device = asked.device)
    FROM unnest(ARRAY['cpu', 'cuda']) AS asked (device)
    ON CONFLICT (project_id, device) DO UPDATE SET weight = excluded.weight
    """
)


def weight_of(session: Session, project: UUID) -> float:
    """Return a project's weight: it is owed so many times what one of weight 1 is."""
    return session.scalar(select(Share.weight).where(Share.project_id == project).limit(1)) or USUAL


def weigh(session: Session, project: UUID, weight: float) -> None:
    """Give a project another weight, on all devices; what it has had by now stays counted as it was."""
    session.execute(_SET, {"project": project, "weight": weight})
