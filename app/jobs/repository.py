"""Queries on jobs and their events."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.owning import made
from app.db.tables import Cell, Dataset, Extension, Job, Measurement, Unit
from sufficiency.answers.values import Spread

NEWEST = 500
_DATASETS = "datasets"
# As their indices have them
_model_name = literal_column("((job.spec -> 'model') ->> 'name')", Text)
_dataset_name = literal_column("(job.spec ->> 'dataset')", Text)


@dataclass(frozen=True)
class JobFilter:
    """Which jobs to list; every condition must hold."""

    states: Sequence[str] = ()
    labels: Mapping[str, str] | None = None
    model: str | None = None
    dataset: str | None = None
    created_after: datetime | None = None


def insert_job(session: Session, values: dict[str, Any]) -> Job | None:
    """Write a job; None when its idempotency key is taken."""
    # Whatever constraint it is that the key meets: there is one a project, and until there is a second, one of all.
    job = session.scalar(insert(Job).values(**values).on_conflict_do_nothing().returning(Job))
    if job is not None:
        made(session, "job", job.id)
    return job


def get_job(session: Session, job_id: UUID) -> Job | None:
    """Return a job."""
    return session.get(Job, job_id)


def job_of_key(session: Session, key: str) -> Job | None:
    """Return the job that was submitted under an idempotency key."""
    return session.scalar(select(Job).where(Job.idempotency_key == key))


def extension(session: Session, job_id: UUID, key: str) -> Extension | None:
    """Return the extension of a job that was asked for under an idempotency key."""
    return session.get(Extension, (job_id, key))


def find_jobs(session: Session, wanted: JobFilter, *, before: UUID | None, limit: int) -> list[Job]:
    """Return jobs, the newest first."""
    statement = select(Job).order_by(Job.id.desc()).limit(limit)
    if wanted.states:
        statement = statement.where(Job.state.in_(wanted.states))
    if wanted.labels:
        statement = statement.where(Job.labels.contains(dict(wanted.labels)))
    if wanted.model is not None:
        statement = statement.where(_model_name == wanted.model)
    if wanted.dataset is not None:
        statement = statement.where(_dataset_name == wanted.dataset)
    if wanted.created_after is not None:
        # A job's id is made after its `created_at`, and begins with the milliseconds: where to stop looking.
        statement = statement.where(Job.created_at > wanted.created_after, Job.id >= first_id(wanted.created_after))
    if before is not None:
        statement = statement.where(Job.id < before)
    return list(session.scalars(statement))


def first_id(moment: datetime) -> UUID:
    """Return the least version 7 id that can have been made at a moment."""
    milliseconds = max(math.floor(moment.timestamp() * 1000), 0)
    return UUID(int=milliseconds << 80)


def datasets_of(session: Session, jobs: Sequence[Job]) -> dict[UUID, Dataset]:
    """Return the datasets that jobs are on; a session reads each once."""
    read: dict[UUID, Dataset] = session.info.setdefault(_DATASETS, {})
    ids = {job.dataset_id for job in jobs} - read.keys()
    if ids:
        keep_dataset(session, *session.scalars(select(Dataset).where(Dataset.id.in_(ids))))
    return read


def keep_dataset(session: Session, *datasets: Dataset) -> None:
    """Have what a session has read of datasets at hand for whoever asks for it next."""
    session.info.setdefault(_DATASETS, {}).update((dataset.id, dataset) for dataset in datasets)


def doubts_of(session: Session, jobs: Sequence[Job]) -> dict[UUID, list[dict[str, Any]]]:
    """Return by job what looks wrong with the data that it is on, as a worker found it."""
    read: dict[UUID, Dataset] = session.info.get(_DATASETS, {})
    now: dict[UUID | None, Any] = {id: (dataset.info or {}).get("warnings") for id, dataset in read.items()}
    if ids := {job.dataset_id for job in jobs} - now.keys():
        now.update(session.execute(select(Dataset.id, Dataset.info["warnings"]).where(Dataset.id.in_(ids))).all())
    return {
        job.id: (job.dataset_info.get("warnings") if job.dataset_info is not None else now.get(job.dataset_id)) or []
        for job in jobs
    }


def spreads(session: Session, job_ids: Sequence[UUID]) -> dict[UUID, list[Spread]]:
    """Return the number and the range of the values of every metric and class, by job."""
    found: dict[UUID, list[Spread]] = {}
    statement = (
        select(
            Measurement.job_id,
            Measurement.metric,
            Measurement.class_index,
            func.count(Measurement.value),
            func.min(Measurement.value),
            func.max(Measurement.value),
        )
        .where(Measurement.job_id.in_(job_ids))
        .group_by(Measurement.job_id, Measurement.metric, Measurement.class_index)
        .order_by(Measurement.metric, Measurement.class_index)
    )
    for job_id, metric, class_index, values, least, most in session.execute(statement):
        found.setdefault(job_id, []).append(Spread(metric, class_index, values, least, most))
    return found


def slot_seconds(session: Session, job_ids: Sequence[UUID]) -> dict[UUID, float]:
    """Return the seconds that the cells of each job took that were measured for it, on whichever slot."""
    statement = (
        select(Cell.job_id, func.sum(Cell.seconds))
        .where(Cell.job_id.in_(job_ids), Cell.finished_at.is_not(None), Cell.reused_from.is_(None))
        .group_by(Cell.job_id)
    )
    return {job_id: float(seconds or 0.0) for job_id, seconds in session.execute(statement)}


def slots_held(session: Session, job_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many slots work on each job."""
    statement = (
        select(Unit.job_id, func.count()).where(Unit.job_id.in_(job_ids), Unit.state == "leased").group_by(Unit.job_id)
    )
    return dict(session.execute(statement).all())


def seconds_per_item(session: Session, model: dict[str, Any], training: dict[str, Any], device: str) -> float | None:
    """Return what a training item has cost in jobs with this model and training on this device; None without any."""
    # Among the newest only: what nobody has run lately must not be looked for through all of history.
    newest = (
        select(Job.id, Job.spec["model"].label("model"), Job.spec["training"].label("training"), Job.device)
        .where(Job.cells_done > 0)
        .order_by(Job.id.desc())
        .limit(NEWEST)
        .subquery()
    )
    recent = (
        select(newest.c.id)
        .where(newest.c.model == model, newest.c.training == training, newest.c.device == device)
        .order_by(newest.c.id.desc())
        .limit(20)
        .subquery()
    )
    seconds, items = session.execute(
        select(func.sum(Cell.seconds), func.sum(Cell.n)).where(
            Cell.job_id.in_(select(recent.c.id)), Cell.seconds.is_not(None)
        )
    ).one()
    return float(seconds) / float(items) if seconds is not None and items else None
