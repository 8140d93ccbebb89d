"""Holds the metrics of a job's cells to one shape: what has four values in one cell has four in every other."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tables import Job, Measurement
from sufficiency.method.shapes import shape_error, shapes_of
from sufficiency.schemas.words import SCALAR
from sufficiency.schemas.work import CellResult


def wrong_shape(session: Session, job: Job, result: CellResult, n: int) -> dict[str, Any] | None:
    """Return the error of a cell whose metrics are of another shape than in the job's other cells, or None.

    The shapes of what a locked job has measured are kept with it; those of one that was begun before they were, are
    told from its measurements.
    """
    known = job.shapes
    if known is None:
        known = _measured(session, job) if job.cells_done > 1 else {}
    found = shapes_of(result.values)
    if error := shape_error(known, found, {"run": result.run, "step": result.step, "n": n}):
        return error
    if known | found != job.shapes:
        job.shapes = known | found
    return None


def _measured(session: Session, job: Job) -> dict[str, int]:
    rows = session.execute(
        select(Measurement.metric, func.max(Measurement.class_index))
        .where(Measurement.job_id == job.id)
        .group_by(Measurement.metric)
    )
    return {metric: SCALAR if most == SCALAR else most + 1 for metric, most in rows}
