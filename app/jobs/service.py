"""What can be asked of a job: submit, look, cancel, delete; for retry and extend see `app.jobs.renewal`."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.catalog import service as catalog
from app.db.tables import Dataset, Event, Job, Plugin
from app.errors import Conflict, FieldError, Invalid, NotFound, field_error, pointer
from app.jobs import repository
from app.jobs.lifecycle import IllegalMove, emit, lock_job
from app.jobs.planning import create_cells
from app.jobs.repository import JobFilter
from app.jobs.values import value_warnings
from app.jobs.waiting import Waiting, needed_plugins, references
from app.settings import Settings
from app.units import lease
from sufficiency.method.plan import plan_units, work
from sufficiency.method.schedule import ScheduleError, check_steps, geometric_steps
from sufficiency.schemas.spec import JobSpec, MetricSpec, PluginRef
from sufficiency.schemas.words import ENDED

__all__ = ["JobFilter", "cancel", "delete", "find", "get_job", "look", "plan", "submit"]


@dataclass(frozen=True)
class Prepared:
    """A job that has been checked against the catalog, as it is to be run.

    Attributes
    ----------
    spec : JobSpec
        With the plugins' defaults and the device filled in.
    steps : list of int or None
        None when a schedule plugin is to name them.
    """

    spec: JobSpec
    dataset: Dataset
    plugins: dict[str, Plugin]
    metrics: dict[str, MetricSpec]
    steps: list[int] | None
    device: str


@dataclass(frozen=True)
class Plan:
    """What a job would do. Counts are None while its steps are not known."""

    prepared: Prepared
    cells: int | None
    units: int | None
    training_items: int | None
    sgd_steps: int | None
    slot_seconds: float | None
    queued_reason: str | None


@dataclass(frozen=True)
class Progress:
    """How far a job is; `fraction` is of training items, so that a large cell weighs what it costs."""

    cells_done: int
    cells_total: int
    fraction: float
    eta_seconds: float | None


@dataclass(frozen=True)
class JobInfo:
    """A job with what can only be told by looking around it."""

    job: Job
    queued_reason: str | None
    progress: Progress
    warnings: list[dict[str, Any]]


# Submission


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
    body_hash = _hash(spec)
    if idempotency_key is not None and (earlier := repository.job_of_key(session, idempotency_key)):
        return _replay(earlier, body_hash), False
    prepared = prepare(session, spec, settings)
    job = repository.insert_job(
        session,
        {
            "spec": prepared.spec.model_dump(mode="json"),
            "dataset_id": prepared.dataset.id,
            "dataset_fingerprint": prepared.dataset.fingerprint,
            "plugin_versions": {key: plugin.version for key, plugin in prepared.plugins.items()},
            "metrics": {name: metric.model_dump(mode="json") for name, metric in prepared.metrics.items()},
            "device": prepared.device,
            "labels": prepared.spec.labels,
            "priority": prepared.spec.priority,
            "idempotency_key": idempotency_key,
            "body_hash": body_hash if idempotency_key is not None else None,
        },
    )
    if job is None:  # the same key was used at the same moment; that other transaction has committed
        assert idempotency_key is not None
        earlier = repository.job_of_key(session, idempotency_key)
        if earlier is None:
            raise Conflict("The job of this idempotency key is being deleted; try again.")
        return _replay(earlier, body_hash), False
    emit(session, job, "state", {"state": "queued"})
    if prepared.steps is None:
        lease.ask_for_plan(session, job)
    else:
        create_cells(session, job, prepared.steps)
    session.flush()
    return job, True


def _hash(spec: JobSpec) -> str:
    # Only what the client wrote: a later version's new defaults must not turn a replay into another body.
    return digest(spec.model_dump(mode="json", exclude_unset=True))


def digest(written: dict[str, Any]) -> str:
    """Return the hash by which a request under an idempotency key is known again."""
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()


def _replay(job: Job, body_hash: str) -> Job:
    if job.body_hash != body_hash:
        raise Invalid(
            f"This Idempotency-Key belongs to job {job.id}, which has another body; use a new key for a new job.",
            code="idempotency_key_reused",
            errors=[field_error("Idempotency-Key", "belongs to a job with another body")],
        )
    return job


def plan(session: Session, spec: JobSpec, settings: Settings) -> Plan:
    """Return what a job would do, and store nothing."""
    prepared = prepare(session, spec, settings)
    waiting = catalog.live_workers(session, settings).why_waiting(
        needed_plugins(prepared.spec, prepared.dataset), prepared.device
    )
    if prepared.steps is None:
        return Plan(prepared, None, None, None, None, None, waiting)
    units = plan_units(prepared.steps, prepared.spec.runs, prepared.spec.protocol)
    items = sum(work(cells) for cells in units)
    dumped = prepared.spec.model_dump(mode="json")
    rate = repository.seconds_per_item(session, dumped["model"], dumped["training"], prepared.device)
    return Plan(
        prepared,
        cells=sum(len(cells) for cells in units),
        units=len(units),
        training_items=items,
        sgd_steps=_sgd_steps(prepared.spec, prepared.steps),
        slot_seconds=rate * items if rate is not None else None,
        queued_reason=waiting,
    )


def _sgd_steps(spec: JobSpec, steps: Sequence[int]) -> int | None:
    batch, epochs = (spec.training.params.get(name) for name in ("batch_size", "epochs"))
    if type(batch) is not int or type(epochs) is not int or batch < 1 or epochs < 0:
        return None
    return spec.runs * epochs * sum(math.ceil(n / batch) for n in steps)


def prepare(session: Session, spec: JobSpec, settings: Settings) -> Prepared:
    """Check a job against catalog and dataset, and fill in what it leaves open.

    Raises
    ------
    Invalid
        With every bad field.
    Conflict
        When the dataset is still being verified.
    """
    errors: list[FieldError] = []
    plugins: dict[str, Plugin] = {}
    configured: dict[str, PluginRef] = {}
    named = references(spec)
    # One query for all of them; the session keeps what is referred to.
    known = catalog.load_plugins(session, ((field, ref.name) for field, ref in named))
    for field, ref in named:
        plugin, params, found = catalog.configure(session, field, ref.name, ref.params, (field,))
        errors.extend(found)
        configured[field] = PluginRef(name=ref.name, params=params)
        if plugin is not None:
            plugins[f"{field}:{ref.name}"] = plugin
    dataset, found = catalog.dataset_for_job(session, spec.dataset)
    errors.extend(found)
    if errors:
        raise invalid(errors)
    assert dataset is not None
    assert len(known) == len(named)
    steps = _steps(spec, dataset, settings)
    evaluation = plugins[f"evaluation:{spec.evaluation.name}"]
    device = _device(session, spec, dataset, settings)
    full = spec.model_copy(update={**configured, "device": device})
    return Prepared(full, dataset, plugins, catalog.declared_metrics(evaluation) | spec.metrics, steps, device)


def invalid(errors: Sequence[FieldError], code: str = "invalid_job") -> Invalid:
    """Return the problem of bad fields."""
    return Invalid("; ".join(f"{e['pointer']}: {e['detail']}" for e in errors[:3]), code=code, errors=errors)


def _steps(spec: JobSpec, dataset: Dataset, settings: Settings) -> list[int] | None:
    info = catalog.require_ready(dataset)
    if isinstance(spec.schedule, PluginRef):
        return None
    size = int(info["train"]["size"])
    try:
        if spec.schedule is None:
            classes = len(info.get("class_names") or [])
            steps = geometric_steps(size, spec.substeps, classes=classes, protocol=spec.protocol)
        else:
            steps = check_steps(spec.schedule, size)
    except ScheduleError as error:
        place = ("substeps",) if spec.schedule is None else ("schedule",)
        where = pointer(*place) if error.index is None else pointer(*place, error.index)
        raise invalid([field_error(where, str(error))]) from None
    if problem := too_many(spec.runs, len(steps), settings):
        raise invalid([field_error("#/runs", problem)])
    return steps


def too_many(runs: int, steps: int, settings: Settings) -> str | None:
    """Return what is wrong with so many cells, or None."""
    if runs * steps <= settings.max_cells:
        return None
    return f"{runs} runs of {steps} steps are {runs * steps} cells; a job may have {settings.max_cells}"


def _device(session: Session, spec: JobSpec, dataset: Dataset, settings: Settings) -> str:
    if spec.device != "auto":
        return spec.device
    live = catalog.live_workers(session, settings)
    needed = needed_plugins(spec, dataset)
    if not live.has_device("cuda") or (not live.able(needed, "cuda") and live.able(needed, "cpu")):
        return "cpu"
    return "cuda"


# Looking


def get_job(session: Session, job_id: UUID) -> Job:
    """Return a job."""
    job = repository.get_job(session, job_id)
    if job is None:
        raise _no_such_job(job_id)
    return job


def _no_such_job(job_id: UUID) -> NotFound:
    return NotFound(f"There is no job {job_id}; GET /jobs lists them.", code="job_not_found")


def find(session: Session, wanted: JobFilter, before: UUID | None, limit: int) -> list[Job]:
    """Return jobs, the newest first."""
    return repository.find_jobs(session, wanted, before=before, limit=limit)


def look(session: Session, jobs: Sequence[Job], settings: Settings) -> list[JobInfo]:
    """Return jobs with their progress, their warnings, and what the queued ones wait for."""
    # What a completed job's values give reason to doubt was kept with it.
    measured = [job.id for job in jobs if job.cells_done and job.value_warnings is None]
    spreads = repository.spreads(session, measured) if measured else {}
    running = [job.id for job in jobs if job.state == "running"]
    seconds = repository.slot_seconds(session, running) if running else {}
    slots = repository.slots_held(session, running) if running else {}
    waiting = [job for job in jobs if job.state == "queued" or (job.state == "running" and not slots.get(job.id))]
    queue = Waiting.of(session, waiting, settings) if waiting else None
    return [
        JobInfo(
            job=job,
            queued_reason=queue.reason(job) if queue and job in waiting else None,
            progress=_progress(job, seconds.get(job.id), slots.get(job.id, 0)),
            warnings=[
                *job.warnings,
                *(value_warnings(job, spreads.get(job.id, [])) if job.value_warnings is None else job.value_warnings),
            ],
        )
        for job in jobs
    ]


def _progress(job: Job, seconds: float | None, slots: int) -> Progress:
    fraction = 1.0 if job.state == "completed" else job.work_done / job.work_total if job.work_total else 0.0
    eta = None
    if seconds is not None and job.work_done:
        eta = seconds / job.work_done * (job.work_total - job.work_done) / max(slots, 1)
    return Progress(job.cells_done, job.cells_total, fraction, eta)


@dataclass(frozen=True)
class EventBatch:
    """Events of a job in order.

    Attributes
    ----------
    events : list of Event
    last : bool
        No more can follow unless the job is taken up again.
    pruned : int
        How many before the first of them have been dropped; see `app.jobs.retention`.
    """

    events: list[Event]
    last: bool
    pruned: int


def events_after(session: Session, job_id: UUID, seq: int, limit: int = 500) -> EventBatch:
    """Return a job's events with a number above `seq`."""
    # The state first: if it has ended, all its events are there to be seen by the second query.
    state = session.scalar(select(Job.state).where(Job.id == job_id))
    events = repository.events_after(session, job_id, seq, limit)
    last = (state is None or state in ENDED) and len(events) < limit
    return EventBatch(events, last, pruned=events[0].seq - seq - 1 if events else 0)


# Changing


def cancel(session: Session, job_id: UUID) -> Job:
    """Ask a job to stop; a queued one is cancelled at once. What is measured stays."""
    job = locked(session, job_id)
    try:
        lease.cancel(session, job)
    except IllegalMove:
        raise Conflict(f"The job is {job.state}: there is nothing to cancel.", code="job_ended") from None
    return fresh(session, job)


def delete(session: Session, job_id: UUID) -> None:
    """Delete an ended job with all that it measured."""
    job = locked(session, job_id)
    if job.state not in ENDED:
        raise Conflict(f"The job is {job.state}; cancel it first, then delete it.", code="job_not_ended")
    session.delete(job)
    session.flush()


def locked(session: Session, job_id: UUID) -> Job:
    """Return a job with its row locked; see `lock_job`."""
    job = lock_job(session, job_id)
    if job is None:
        raise _no_such_job(job_id)
    return job


def fresh(session: Session, job: Job) -> Job:
    """Return the job with the times that the database gave it."""
    session.flush()
    session.refresh(job)
    return job
