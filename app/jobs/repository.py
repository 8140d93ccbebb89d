"""Queries on jobs and their events."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Double, Select, Text, func, literal, literal_column, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on, insert
from sqlalchemy.orm import Session

from app.db.owning import made
from app.db.tables import Cell, Dataset, Extension, Job, Measurement, Unit
from sufficiency.answers.values import Spread
from sufficiency.schemas.words import JobOrder

NEWEST = 500
_DATASETS = "datasets"
# As their indices have them
_model_name = literal_column("((job.spec -> 'model') ->> 'name')", Text)
_dataset_name = literal_column("(job.spec ->> 'dataset')", Text)


_title = func.job_title(Job.name, Job.spec, type_=Text)
_words = func.job_words(Job.id, Job.name, Job.spec, type_=Text)
_grams = func.grams(_words, literal_column("1"), type_=ARRAY(Text))
_value = func.job_value(Job.result, type_=Double)
# What a list is by, and those that have such a thing at all; beside it the id, so that no two are alike
_ORDERS: Mapping[str, tuple[Any, Any]] = {
    "created": (None, None),
    "name": (_title, None),
    "finished": (Job.finished_at, Job.finished_at.is_not(None)),
    "value": (_value, _value.is_not(None)),
}
GRAM = 3  # characters; see `grams` of migration 0035


@dataclass(frozen=True)
class JobFilter:
    """Which jobs to list; every condition must hold."""

    states: Sequence[str] = ()
    labels: Mapping[str, str] | None = None
    model: str | None = None
    dataset: str | None = None
    created_after: datetime | None = None
    words: Sequence[str] = ()  # each a part of a name or of the id


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


def find_jobs(
    session: Session, wanted: JobFilter, *, order: JobOrder, after: tuple[Any, UUID] | None, limit: int
) -> list[tuple[Job, Any]]:
    """Return jobs, each with what it is listed by.

    Parameters
    ----------
    order : JobOrder
        What the list is by.
    after : tuple of what the list is by, and UUID, optional
        Those of the last job of the page before.
    """
    by, exists = _ORDERS[order.removeprefix("-")]
    keys = [Job.id] if by is None else [by, Job.id]
    falls = order.startswith("-")
    statement = _like(select(Job, literal(None) if by is None else by), wanted)
    if exists is not None:
        statement = statement.where(exists)
    if after is not None:
        seen = [after[1]] if by is None else list(after)
        row, last = tuple_(*keys), tuple_(*(literal(one, key.type) for one, key in zip(seen, keys, strict=True)))
        statement = statement.where(row < last if falls else row > last)
    statement = statement.order_by(*(key.desc() if falls else key for key in keys)).limit(limit)
    return [(job, value) for job, value in session.execute(statement)]


def count_jobs(session: Session, wanted: JobFilter, most: int) -> int:
    """Return how many jobs are like that; beyond `most` one more, however many there are."""
    some = _like(select(Job.id), wanted).limit(most + 1).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def _like(statement: Select[Any], wanted: JobFilter) -> Select[Any]:
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
    for word in wanted.words:
        low = func.lower(word)
        parts = func.grams(low, min(len(word), GRAM), type_=ARRAY(Text))
        statement = statement.where(_grams.contains(parts), func.strpos(_words, low) > 0)
    return statement


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


def cells_at_work(session: Session, job_ids: Sequence[UUID]) -> dict[UUID, list[tuple[int, int, int, datetime]]]:
    """Return by job the cells that slots work on: of each unit that is held the first that is not measured yet.

    Each as run, step, size, and since when: since the unit was taken, or its cell before was measured.
    """
    done = (
        select(func.max(Cell.finished_at)).where(Cell.unit_id == Unit.id).correlate(Unit).scalar_subquery()
    )  # null: none yet
    rows = session.execute(
        select(Unit.job_id, Cell.run, Cell.step, Cell.n, func.greatest(Unit.claimed_at, done))
        .join(Cell, Cell.unit_id == Unit.id)
        .where(
            Unit.job_id.in_(job_ids),
            Unit.state == "leased",
            Unit.claimed_at.is_not(None),
            Cell.finished_at.is_(None),
            Cell.error.is_(None),
        )
        .order_by(Unit.id, Cell.run, Cell.step)
        .ext(distinct_on(Unit.id))
    )
    found: dict[UUID, list[tuple[int, int, int, datetime]]] = {}
    for job_id, run, step, n, since in rows:
        found.setdefault(job_id, []).append((run, step, n, since))
    return found


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
