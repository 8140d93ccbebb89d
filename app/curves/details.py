"""What the cells of a job did beside the values that they measured, read from the database."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from app.db.tables import Cell, Job
from sufficiency.answers.learner import learner_warnings
from sufficiency.method.fitted_to import TrainScores, train_scores
from sufficiency.schemas.results import CellView


def cells_of(
    session: Session, job_id: UUID, *, after: tuple[int, int] | None = None, limit: int | None = None
) -> list[CellView]:
    """Return the measured cells of a job by run and step."""
    statement = (
        select(
            *(Cell.run, Cell.step, Cell.n, Cell.n_unique, Cell.seconds, Cell.device, Cell.attempt),
            *(Cell.finished_at, Cell.reused_from, Cell.details),
        )
        .where(Cell.job_id == job_id, Cell.finished_at.is_not(None))
        .order_by(Cell.run, Cell.step)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(tuple_(Cell.run, Cell.step) > after)
    return [CellView(**{**row, "details": row["details"] or {}}) for row in session.execute(statement).mappings()]


def trained_of(session: Session, job_id: UUID) -> dict[int, TrainScores]:
    """Return what a job's measured cells tell of their training, by size."""
    told = session.execute(
        select(Cell.n, Cell.details).where(Cell.job_id == job_id, Cell.finished_at.is_not(None)).order_by(Cell.n)
    )
    return train_scores((n, details) for n, details in told)


def warnings_of_learner(session: Session, job: Job) -> list[dict[str, Any]]:
    """Return what a job's cells tell of their learner: settings that it changed with the size, and warnings."""
    told = session.execute(
        select(Cell.n, Cell.details).where(Cell.job_id == job.id, Cell.details.is_not(None)).order_by(Cell.n)
    )
    known = job.learner or {}
    params = job.spec["training"].get("params") or {}
    is_at_risk = bool(known.get("batch_norm")) and params.get("batch_norm") != "reestimated"
    return learner_warnings([(n, details) for n, details in told], batch_norm=is_at_risk)
