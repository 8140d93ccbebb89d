"""What was said of sizes before they were measured, kept beside what then came; a job's deletion leaves the numbers."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.curves.keeping import fitted_study
from app.curves.series import load_series
from app.db.tables import Forecast, Job
from sufficiency.answers.errors import TooLittleMeasured
from sufficiency.answers.forecasts import LEVELS
from sufficiency.method.measurements import Reading, key
from sufficiency.method.projection import project


def foresee(session: Session, job: Job, sizes: Iterable[int]) -> None:
    """Keep what a job's curves say of sizes that it is about to measure: those beyond what it has measured.

    What was said of a size before, and has not been measured since, stands.
    """
    try:
        fitted = fitted_study(session, job)
    except TooLittleMeasured:
        return  # nothing was said
    rows: list[dict[str, Any]] = []
    for one in fitted.curves:
        beyond = sorted(size for size in set(sizes) if size > one.fit.n_max)
        if not beyond:
            continue
        by_level = [project(one.reading, one.fit, beyond, level) for level in LEVELS]
        for at, size in enumerate(beyond):
            bounds = [points[at] for points in by_level]
            if any(point.lower is None or point.upper is None for point in bounds):
                continue
            rows.append(
                {
                    "project_id": job.project_id,
                    "job_id": job.id,
                    "dataset": job.spec["dataset"],
                    "model": job.spec["model"]["name"],
                    "study_id": job.id,
                    "class_name": label if isinstance(label := fitted.label(one), str) else None,
                    **_of(one.reading),
                    "n": size,
                    "n_observed": int(one.fit.n_max),
                    "value": bounds[0].value,
                    "lower": [point.lower for point in bounds],
                    "upper": [point.upper for point in bounds],
                    "method_version": fitted.method_version,
                }
            )
    if rows:
        statement = insert(Forecast)
        session.execute(
            statement.on_conflict_do_nothing(
                index_elements=["job_id", "metric", "class_index", "n"], index_where=Forecast.measured.is_(None)
            ),
            rows,
        )


def _of(reading: Reading) -> dict[str, Any]:
    metric, class_index = key(reading)
    return {"metric": metric, "class_index": class_index, "direction": reading.direction}


def score(session: Session, job: Job) -> int:
    """Put beside what was said what has come, where it has been measured; return how many were scored."""
    open_ones = session.scalars(select(Forecast).where(Forecast.job_id == job.id, Forecast.measured.is_(None))).all()
    if not open_ones:
        return 0
    means: dict[tuple[str, int, int], tuple[float, int]] = {}
    for series in load_series(session, job):
        metric, class_index = key(series)
        for n, mean, runs in zip(series.n.tolist(), series.mean().tolist(), series.runs().tolist(), strict=True):
            if runs:
                means[metric, class_index, int(n)] = (mean, int(runs))
    scored = 0
    for one in open_ones:
        if (came := means.get((one.metric, one.class_index, one.n))) is not None:
            one.measured, one.runs = came
            one.scored_at = func.now()
            scored += 1
    session.flush()
    return scored


def forget_unscored(session: Session, job_id: UUID) -> None:
    """Drop what a job that is deleted or measured anew has said, and what never came; what came stays, as numbers."""
    session.execute(
        update(Forecast).where(Forecast.job_id == job_id, Forecast.measured.is_not(None)).values(job_id=None)
    )
    session.execute(delete(Forecast).where(Forecast.job_id == job_id))


def find_forecasts(
    session: Session,
    *,
    job_id: UUID | None = None,
    metrics: Sequence[str] | None = None,
    scored: bool | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> list[Forecast]:
    """Return what was said, the latest first."""
    statement = select(Forecast).order_by(Forecast.id.desc()).limit(limit)
    if job_id is not None:
        statement = statement.where(Forecast.job_id == job_id)
    if metrics:
        statement = statement.where(Forecast.metric.in_(metrics))
    if scored is not None:
        statement = statement.where(Forecast.measured.is_not(None) if scored else Forecast.measured.is_(None))
    if before is not None:
        statement = statement.where(Forecast.id < before)
    return list(session.scalars(statement))
