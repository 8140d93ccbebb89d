"""What can be asked of a job: submit it, look at it, follow it, delete it.

How it ends is in `app.jobs.ending`, and how an ended one is taken up again in `app.jobs.reopening`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.curves.forecasts import forget_unscored
from app.curves.series import gaps_of
from app.curves.values import value_warnings
from app.db.tables import Job
from app.errors import Conflict
from app.jobs import repository
from app.jobs.elsewhere import arrange, insert_measured
from app.jobs.idempotency import digest, key_reused
from app.jobs.lifecycle import emit, locked, no_such_job
from app.jobs.planning import ask_for_plan, create_cells
from app.jobs.preparing import prepare
from app.jobs.waiting import Waiting
from app.settings import Settings
from sufficiency.answers.warnings import doubts
from sufficiency.schemas.naming import JobChange
from sufficiency.schemas.spec import JobSpec
from sufficiency.schemas.words import ENDED


@dataclass(frozen=True)
class Progress:
    """How far a job is; `fraction` is of training items, so that a large cell weighs what it costs."""

    cells_done: int
    cells_not_measurable: int
    cells_total: int
    fraction: float
    eta_seconds: float | None
    at_work: Sequence[tuple[int, int, int, datetime]] = ()


@dataclass(frozen=True)
class JobInfo:
    """A job with what can only be told by looking around it."""

    job: Job
    queued_reason: str | None
    progress: Progress
    warnings: list[dict[str, Any]]


def submit(session: Session, spec: JobSpec, settings: Settings, idempotency_key: str | None) -> tuple[Job, bool]:
    """Check a job against the catalog and queue it.

    Parameters
    ----------
    idempotency_key : str or None
        The same key with the same spec answers the job that was queued under it.

    Returns
    -------
    job : Job
    created : bool
        False for a replay.
    """
    body_hash = _hash(spec) if idempotency_key is not None else None
    if idempotency_key is not None and (earlier := repository.job_of_key(session, idempotency_key)):
        return _replay(earlier, body_hash), False
    spec, called = spec.unnamed, {"name": spec.name, "note": spec.note}
    if spec.measured is not None:
        cells = arrange(spec, settings)
        job = insert_measured(session, spec, cells, called, idempotency_key, body_hash)
        return (job, True) if job is not None else (_of_the_same_moment(session, idempotency_key, body_hash), False)
    prepared = prepare(session, spec, settings)
    job = repository.insert_job(
        session,
        {
            "spec": prepared.spec.model_dump(mode="json"),
            "dataset_id": prepared.dataset.id,
            "dataset_fingerprint": prepared.dataset.fingerprint,
            "plugin_versions": {key: plugin.version for key, plugin in prepared.plugins.items()},
            "metrics": {name: metric.model_dump(mode="json") for name, metric in prepared.metrics.items()},
            "learner": prepared.learner,
            "device": prepared.device,
            "labels": prepared.spec.labels,
            **called,
            "priority": prepared.spec.priority,
            "idempotency_key": idempotency_key,
            "body_hash": body_hash,
        },
    )
    if job is None:
        return _of_the_same_moment(session, idempotency_key, body_hash), False
    repository.keep_dataset(session, prepared.dataset)
    with session.no_autoflush:  # all that is written about the job goes together
        emit(session, job, "state", {"state": "queued"})
        if prepared.steps is None:
            ask_for_plan(session, job)
        else:
            create_cells(session, job, prepared.steps)
    session.flush()
    return job, True


def _of_the_same_moment(session: Session, idempotency_key: str | None, body_hash: str | None) -> Job:
    """Return the job that was queued under the same key at the same moment; that transaction has committed."""
    assert idempotency_key is not None
    earlier = repository.job_of_key(session, idempotency_key)
    if earlier is None:
        raise Conflict("The job of this idempotency key is being deleted; try again.")
    return _replay(earlier, body_hash)


def _hash(spec: JobSpec) -> str:
    # Only what the client wrote: a later version's new defaults must not turn a replay into another body.
    return digest(spec.model_dump(mode="json", exclude_unset=True))


def _replay(job: Job, body_hash: str | None) -> Job:
    if job.body_hash != body_hash:
        detail = f"This Idempotency-Key belongs to job {job.id}, which has another body; use a new key for a new job."
        raise key_reused(detail, "a job")
    return job


def get_job(session: Session, job_id: UUID) -> Job:
    """Return a job."""
    job = repository.get_job(session, job_id)
    if job is None:
        raise no_such_job(job_id)
    return job


def change(session: Session, job_id: UUID, wanted: JobChange) -> Job:
    """Call a job something else, or write something else beside it; in whatever state it is."""
    job = locked(session, job_id)
    for name in ("name", "note"):
        text = getattr(wanted, name)
        if text is not None:
            setattr(job, name, text)
    session.flush()
    return job


def look(session: Session, jobs: Sequence[Job], settings: Settings) -> list[JobInfo]:
    """Return jobs with their progress, their warnings, and what the queued ones wait for."""
    # What a completed job's values give reason to doubt was kept with it.
    measured = [job.id for job in jobs if job.cells_done and job.value_warnings is None]
    spreads = repository.spreads(session, measured) if measured else {}
    found = repository.doubts_of(session, jobs) if jobs else {}
    running = [job.id for job in jobs if job.state == "running"]
    seconds = repository.slot_seconds(session, running) if running else {}
    slots = repository.slots_held(session, running) if running else {}
    at_work = repository.cells_at_work(session, running) if running else {}
    waiting = [job for job in jobs if job.state == "queued" or (job.state == "running" and not slots.get(job.id))]
    queue = Waiting.of(session, waiting, settings) if waiting else None
    return [
        JobInfo(
            job=job,
            queued_reason=queue.reason(job) if queue and job in waiting else None,
            progress=_progress(job, seconds.get(job.id), slots.get(job.id, 0), at_work.get(job.id, ())),
            warnings=[
                *job.warnings,
                *doubts(job.spec["dataset"], found[job.id]),
                *(
                    value_warnings(job, spreads.get(job.id, []), gaps_of(session, job))
                    if job.value_warnings is None
                    else job.value_warnings
                ),
            ],
        )
        for job in jobs
    ]


def _progress(
    job: Job, seconds: float | None, slots: int, at_work: Sequence[tuple[int, int, int, datetime]]
) -> Progress:
    fraction = 1.0 if job.state == "completed" else job.work_done / job.work_total if job.work_total else 0.0
    eta = None
    if seconds is not None and (measured := job.work_done - job.work_reused):
        eta = seconds / measured * (job.work_total - job.work_done) / max(slots, 1)
    return Progress(job.cells_done, job.cells_not_measurable, job.cells_total, fraction, eta, at_work)


def delete(session: Session, job_id: UUID) -> None:
    """Delete an ended job with all that it measured; what its forecasts came to stays, as numbers."""
    job = locked(session, job_id)
    if job.state not in ENDED:
        raise Conflict(f"The job is {job.state}; cancel it first, then delete it.", code="job_not_ended")
    forget_unscored(session, job.id)
    session.delete(job)
    session.flush()
