"""How a worker takes work, keeps it, writes what it measured and gives it back.

A claim counts up `unit.attempt`; every later write names that attempt and is refused once another claim has been
made. Each function locks the job first (see `app.jobs.lifecycle.lock_job`) and leaves the commit to its caller. All
times are the database's clock.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tables import Cell, Curve, Dataset, Job, Measurement, Unit, Worker
from app.jobs.lifecycle import ENDED, emit, lock_job, move
from app.jobs.planning import add_cells, create_cells
from app.queue.outbox import enqueue, enqueue_units
from app.results.service import store_curves
from sufficiency.schemas.spec import JobSpec, PluginRef
from sufficiency.schemas.work import CellResult, UnitCell

BACKOFF_SECONDS = 2.0
LONGEST_BACKOFF_SECONDS = 60.0
# For how long a worker whose plugins are of another version than the job's leaves its unit to others: where there is
# one that could take it, and where there is none.
TO_OTHERS_SECONDS, TO_NOBODY_SECONDS = 5.0, 60.0
# Errors of a unit that may have killed what executed it, as against one that found a worker without its plugin.
DEATHS = frozenset({"trainer_killed", "trainer_confused", "plugin_exited", "worker_error", "worker_lost"})


@dataclass(frozen=True)
class ClaimedUnit:
    """All that a trainer needs to execute a unit."""

    unit_id: UUID
    job_id: UUID
    attempt: int
    spec: JobSpec
    device: str
    dataset_train: dict[str, Any]
    dataset_test: dict[str, Any]
    fingerprint: str
    cells: list[UnitCell]


@dataclass(frozen=True)
class DatasetClaim:
    """A dataset to read and verify."""

    dataset_id: UUID
    train: dict[str, Any]
    test: dict[str, Any]


@dataclass(frozen=True)
class PlanClaim:
    """A schedule plugin to ask for the steps of a training split of `size` items."""

    job_id: UUID
    schedule: PluginRef
    size: int


def _in(seconds: float) -> Any:
    return func.now() + timedelta(seconds=seconds)


def _lock(session: Session, unit_id: UUID) -> tuple[Job, Unit] | None:
    job_id = session.scalar(select(Unit.job_id).where(Unit.id == unit_id))
    if job_id is None or (job := lock_job(session, job_id)) is None:
        return None
    unit = session.get(Unit, unit_id, populate_existing=True)
    return (job, unit) if unit is not None else None


def _held(session: Session, unit_id: UUID, attempt: int) -> tuple[Job, Unit] | None:
    found = _lock(session, unit_id)
    if found is None or found[1].state != "leased" or found[1].attempt != attempt:
        return None
    return found


def claim_unit(
    session: Session, unit_id: UUID, worker_id: UUID, lease_seconds: float, held: Collection[int] | None = None
) -> ClaimedUnit | None:
    """Take a queued unit under a lease, or return None when it is not to be had: taken, ended, or not due yet.

    Parameters
    ----------
    held : collection of int, optional
        The attempts at this unit that the worker knows to be its own. A lease in its name under another number is a
        claim whose answer never arrived, and is taken anew.
    """
    found = _lock(session, unit_id)
    if found is None:
        return None
    job, unit = found
    due = unit.not_before is None or session.scalar(select(func.now() >= unit.not_before))
    is_unanswered = (
        held is not None and unit.state == "leased" and unit.worker_id == worker_id and unit.attempt not in held
    )
    if not (unit.state == "queued" or is_unanswered) or job.state not in ("queued", "running") or not due:
        return None
    if not _same_versions(session, job, worker_id):
        # The sweeper sends it when it is due.
        unit.not_before, unit.sent_at = _in(_pause_for_others(session, job)), None
        return None
    if job.state == "queued":
        move(session, job, "running")
    unit.state = "leased"
    unit.attempt += 1
    unit.worker_id = worker_id
    unit.lease_expires_at = _in(lease_seconds)
    cells = session.scalars(select(Cell).where(Cell.unit_id == unit_id).order_by(Cell.run, Cell.step)).all()
    dataset = session.get_one(Dataset, job.dataset_id)
    session.flush()
    return ClaimedUnit(
        unit_id=unit_id,
        job_id=job.id,
        attempt=unit.attempt,
        spec=JobSpec.model_validate(job.spec),
        device=job.device,
        dataset_train=dataset.train,
        dataset_test=dataset.test,
        fingerprint=job.dataset_fingerprint,
        cells=[UnitCell(c.run, c.step, c.n, c.finished_at is not None) for c in cells],
    )


def _same_versions(session: Session, job: Job, worker_id: UUID) -> bool:
    """Whether the worker's plugins are those that the job is measured with; the first worker of a job decides that."""
    changed = _other_versions(job, session.scalar(select(Worker.versions).where(Worker.id == worker_id)))
    if not changed:
        return True
    leased = select(Unit.id).where(Unit.job_id == job.id, Unit.state == "leased").limit(1)
    if job.cells_done or session.scalar(leased) is not None:
        return False
    job.plugin_versions = job.plugin_versions | changed
    emit(session, job, "versions", {"plugin_versions": job.plugin_versions})
    return True


def _other_versions(job: Job, offered: dict[str, Any] | None) -> dict[str, Any]:
    """Return those of the job's plugins that a worker has in another version; a schedule measures nothing."""
    return {
        plugin: (offered or {})[plugin]
        for plugin, version in job.plugin_versions.items()
        if (offered or {}).get(plugin, version) != version and not plugin.startswith("schedule:")
    }


def _pause_for_others(session: Session, job: Job) -> float:
    heard = Worker.heartbeat_at > func.now() - timedelta(seconds=TO_NOBODY_SECONDS)
    workers = session.scalars(select(Worker.versions).where(heard)).all()
    return TO_NOBODY_SECONDS if all(_other_versions(job, offered) for offered in workers) else TO_OTHERS_SECONDS


def renew(session: Session, unit_id: UUID, attempt: int, lease_seconds: float) -> Literal["held", "cancelled", "lost"]:
    """Prolong a lease; say when the job is being cancelled, or when the unit is no longer the caller's."""
    row = session.execute(
        update(Unit)
        .where(Unit.id == unit_id, Unit.attempt == attempt, Unit.state == "leased")
        .values(lease_expires_at=_in(lease_seconds))
        .returning(Unit.job_id)
    ).first()
    if row is None:
        return "lost"
    state = session.scalar(select(Job.state).where(Job.id == row.job_id))
    return "cancelled" if state == "cancelling" else "held"


def record_cell(session: Session, unit_id: UUID, attempt: int, result: CellResult) -> bool:
    """Write a finished cell once; return False when the unit is no longer the caller's.

    A cell that is recorded already is left as it is: the same cell gives the same measurements.
    """
    found = _held(session, unit_id, attempt)
    if found is None:
        return False
    job, unit = found
    n = session.scalar(
        update(Cell)
        .where(
            Cell.job_id == job.id,
            Cell.run == result.run,
            Cell.step == result.step,
            Cell.unit_id == unit_id,
            Cell.finished_at.is_(None),
        )
        .values(
            n_unique=result.n_unique,
            seconds=result.seconds,
            device=result.device,
            attempt=attempt,
            finished_at=func.clock_timestamp(),
        )
        .returning(Cell.n)
    )
    if n is None:
        return True
    unit.failures = 0  # who gets on is not what kills its trainers
    if result.values:
        session.execute(
            insert(Measurement),
            [
                {
                    "job_id": job.id,
                    "run": result.run,
                    "step": result.step,
                    "metric": metric,
                    "class_index": class_index,
                    "value": value,
                }
                for metric, class_index, value in result.values
            ],
        )
    job.cells_done += 1
    job.work_done += n
    job.deaths = 0
    emit(
        session,
        job,
        "cell",
        {
            "run": result.run,
            "step": result.step,
            "n": n,
            "metrics": _by_metric(result),
            "cells_done": job.cells_done,
            "cells_total": job.cells_total,
            "work_done": job.work_done,
            "work_total": job.work_total,
        },
    )
    return True


def _by_metric(result: CellResult) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for metric, class_index, value in sorted(result.values):
        if class_index < 0:
            metrics[metric] = value
        else:
            metrics.setdefault(metric, []).append(value)
    return metrics


def finish_unit(session: Session, unit_id: UUID, attempt: int) -> None:
    """Close a unit all of whose cells are recorded; the last one completes the job and keeps its curves."""
    found = _held(session, unit_id, attempt)
    if found is None:
        return
    job, unit = found
    open_cells = session.scalar(
        select(func.count()).select_from(Cell).where(Cell.unit_id == unit_id, Cell.finished_at.is_(None))
    )
    unit.lease_expires_at = None
    unit.worker_id = None
    unit.error = None
    if open_cells:  # a trainer that says "done" too early has not done it
        _requeue(session, job, unit, delay=0.0)
    else:
        unit.state = "done"
    session.flush()
    if job.state == "cancelling":
        _settle_cancel(session, job)
    elif job.state == "running" and job.cells_done == job.cells_total:
        store_curves(session, job)
        move(session, job, "completed")


def fail_unit(session: Session, unit_id: UUID, attempt: int, error: dict[str, Any]) -> None:
    """End the job with the fault that its plugin, data or limits have: trying again would give the same."""
    found = _held(session, unit_id, attempt)
    if found is None:
        return
    job, unit = found
    _end_lease(unit, "failed", error)
    session.flush()
    _fail_job(session, job, error)


def surrender_unit(
    session: Session,
    unit_id: UUID,
    attempt: int,
    error: dict[str, Any] | None,
    *,
    counts: bool,
    counts_for_job: bool = True,
    max_attempts: int = 3,
    max_deaths: int = 10,
) -> None:
    """Give a unit back, with its recorded cells kept.

    Parameters
    ----------
    error : dict or None
        Why; kept with the unit.
    counts : bool
        True when the unit may have killed its trainer: it is tried again later, `max_attempts` times in all, and then
        the job fails. False for a worker that stops: another one may take the unit at once.
    counts_for_job : bool
        False for a death that has been counted with another unit of the job: a lost worker may have held several.
    max_deaths : int
        The job fails too when so many units of it have died in a row, without a cell being recorded in between: what
        kills every trainer must not kill `max_attempts` of them for every unit.
    """
    found = _held(session, unit_id, attempt)
    if found is None:
        return
    job, unit = found
    _give_back(
        session,
        job,
        unit,
        error,
        counts=counts,
        counts_for_job=counts_for_job,
        max_attempts=max_attempts,
        max_deaths=max_deaths,
    )


def expire_lease(
    session: Session,
    unit_id: UUID,
    attempt: int,
    *,
    counts_for_job: bool = True,
    max_attempts: int = 3,
    max_deaths: int = 10,
) -> bool:
    """Take a unit back from a worker that did not renew its lease; return False when it has done so by now.

    The parameters are those of `surrender_unit`.
    """
    found = _held(session, unit_id, attempt)
    if found is None:
        return False
    job, unit = found
    # A renewal locks the unit alone: none may come between this look and what follows from it.
    session.refresh(unit, with_for_update=True)
    if not session.scalar(select(Unit.lease_expires_at < func.now()).where(Unit.id == unit_id)):
        return False
    error = {
        "code": "worker_lost",
        "detail": "The worker went silent and its lease expired: look whether its machine is up and has memory left.",
        "where": {"phase": "lease"},
    }
    # The first time, the lease has been pause enough.
    _give_back(
        session,
        job,
        unit,
        error,
        counts=True,
        counts_for_job=counts_for_job,
        max_attempts=max_attempts,
        max_deaths=max_deaths,
        is_patient=unit.failures > 0,
    )
    return True


def _give_back(
    session: Session,
    job: Job,
    unit: Unit,
    error: dict[str, Any] | None,
    *,
    counts: bool,
    counts_for_job: bool,
    max_attempts: int,
    max_deaths: int,
    is_patient: bool = True,
) -> None:
    if job.state == "cancelling":
        _end_lease(unit, "cancelled", error)
        session.flush()
        _settle_cancel(session, job)
        return
    cause = error or {}
    if counts:
        unit.failures += 1
        if counts_for_job and cause.get("code") in DEATHS:
            job.deaths += 1
    exhausted = None
    if unit.failures >= max_attempts:
        exhausted = f"A unit was tried {unit.failures} times and each try died."
    elif counts and job.deaths >= max_deaths:
        exhausted = f"{job.deaths} tries in a row died, of whatever unit, and none measured a cell."
    if exhausted:
        _end_lease(unit, "failed", error)
        session.flush()
        last = f"{exhausted} The last one: {cause.get('detail', 'its worker went silent.')}"
        _fail_job(session, job, {**cause, "code": "attempts_exhausted", "cause": cause.get("code"), "detail": last})
        return
    unit.error = error
    pause = min(BACKOFF_SECONDS * 2 ** min(unit.failures - 1, 30), LONGEST_BACKOFF_SECONDS)
    _requeue(session, job, unit, delay=pause if counts and is_patient else 0.0)


def _end_lease(unit: Unit, state: str, error: dict[str, Any] | None) -> None:
    unit.state, unit.error, unit.lease_expires_at, unit.worker_id = state, error, None, None


def _requeue(session: Session, job: Job, unit: Unit, *, delay: float) -> None:
    unit.state = "queued"
    unit.lease_expires_at = None
    unit.worker_id = None
    unit.sent_at = None
    unit.not_before = _in(delay) if delay else None
    if not delay:  # a unit that must wait is sent by the sweeper when it is due
        unit.sent_at = func.now()
        enqueue(session, "run_unit", unit.id, job.device, job.priority)
    session.flush()


def _fail_job(session: Session, job: Job, error: dict[str, Any]) -> None:
    if job.state == "cancelling":
        _settle_cancel(session, job)
    elif job.state not in ENDED:
        move(session, job, "failed", error=error)


def expire_job(session: Session, job_id: UUID, limit: float) -> None:
    """End a job that has been running for longer than `limit` seconds; what it measured stays."""
    job = lock_job(session, job_id)
    if job is None or job.state != "running":
        return
    if session.scalar(select(Job.started_at >= _in(-limit)).where(Job.id == job_id)):
        return  # retried in the meantime
    detail = (
        f"The job ran for more than {limit:g} s: {job.cells_done} of {job.cells_total} cells are measured. Make it "
        "cheaper, add slots, or raise SUFFICIENCY_JOB_TIMEOUT_SECONDS; then retry it, which measures only the rest."
    )
    _fail_job(session, job, {"code": "job_timeout", "detail": detail, "where": {"phase": "job"}})


def _settle_cancel(session: Session, job: Job) -> None:
    leased = session.scalar(select(func.count()).select_from(Unit).where(Unit.job_id == job.id, Unit.state == "leased"))
    if not leased:
        move(session, job, "cancelled")


def cancel(session: Session, job: Job) -> None:
    """Cancel a locked job: at once when no worker holds a unit of it, else when the last one has let go.

    Raises
    ------
    IllegalMove
        When the job has ended.
    """
    if job.state == "cancelling":
        return
    if job.state == "queued":
        move(session, job, "cancelled")
        return
    move(session, job, "cancelling")
    session.execute(
        update(Unit).where(Unit.job_id == job.id, Unit.state == "queued").values(state="cancelled", not_before=None)
    )
    _settle_cancel(session, job)


def retry(session: Session, job: Job) -> None:
    """Queue a failed or cancelled job again; recorded cells stay, unfinished units start with a clean slate.

    Raises
    ------
    IllegalMove
        When the job has not ended.
    """
    move(session, job, "queued")
    if job.steps is None:
        ask_for_plan(session, job)
    elif not _reopen_units(session, job):  # every cell was there already
        store_curves(session, job)
        move(session, job, "completed")


def extend(session: Session, job: Job, spec: JobSpec, steps: list[int]) -> None:
    """Queue an ended job again for the cells that it lacks of `spec` and `steps`; see `add_cells`.

    Raises
    ------
    IllegalMove
        When the job has not ended.
    """
    added = [n for n in steps if n not in (job.steps or [])]
    move(session, job, "queued", data={"extended": {"runs": spec.runs, "steps": added}})
    add_cells(session, job, spec, steps)
    _reopen_units(session, job)
    session.flush()
    if job.cells_done == job.cells_total:  # the same data under another name, and nothing new to measure
        store_curves(session, job)
        move(session, job, "completed")


def start_anew(session: Session, job: Job, steps: list[int] | None, changed: list[dict[str, Any]]) -> None:
    """Drop all that an ended job has measured and queue it again, as its `spec` now says.

    Parameters
    ----------
    steps : list of int or None
        None when a schedule plugin is to name them.
    changed : list of dict
        Why, for the record.

    Raises
    ------
    IllegalMove
        When the job has not ended.
    """
    dropped = {"cells": job.cells_done, "changed": changed}
    session.flush()
    for table in (Cell, Unit, Curve):
        session.execute(delete(table).where(table.job_id == job.id))
    job.cells_done = job.cells_total = job.work_done = job.work_total = 0
    job.steps = None
    move(session, job, "queued")
    emit(session, job, "discarded", dropped)
    if steps is None:
        ask_for_plan(session, job)
    else:
        create_cells(session, job, steps)
    session.flush()


def ask_for_plan(session: Session, job: Job) -> None:
    """Have a worker ask the job's schedule plugin for the steps; that needs no GPU."""
    job.plan_sent_at = func.now()
    enqueue(session, "plan_job", job.id, "cpu", job.priority)


def _reopen_units(session: Session, job: Job) -> int:
    units = session.scalars(
        update(Unit)
        .where(Unit.job_id == job.id, Unit.state.in_(("failed", "cancelled")))
        .values(state="queued", failures=0, error=None, not_before=None, sent_at=func.now())
        .returning(Unit.id)
    ).all()
    enqueue_units(session, units, job.device, job.priority)
    return len(units)


def claim_dataset(session: Session, dataset_id: UUID) -> DatasetClaim | None:
    """Return a dataset that waits to be verified. Two workers may verify the same one: they find the same."""
    dataset = session.get(Dataset, dataset_id, with_for_update=True)
    if dataset is None or dataset.status != "verifying":
        return None
    dataset.attempts += 1
    dataset.sent_at = func.now()
    return DatasetClaim(dataset.id, dataset.train, dataset.test)


def keep_asking(session: Session, subjects: Collection[UUID]) -> None:
    """Say that the datasets and schedules with these ids are being worked on, so that nobody sends them again."""
    session.execute(
        update(Dataset).where(Dataset.id.in_(subjects), Dataset.status == "verifying").values(sent_at=func.now())
    )
    session.execute(
        update(Job)
        .where(Job.id.in_(subjects), Job.state == "queued", Job.steps.is_(None))
        .values(plan_sent_at=func.now())
    )


def dataset_ready(
    session: Session, dataset_id: UUID, info: dict[str, Any], fingerprint: str, preview: bytes | None = None
) -> None:
    """Record what a worker found in a dataset that is whole; jobs on what was there before keep that for themselves.

    `preview` is a PNG of some of its items.
    """
    # Jobs before the dataset, as everywhere.
    dataset = session.get(Dataset, dataset_id)
    if dataset is not None and dataset.status == "verifying" and dataset.info is not None:
        session.execute(
            update(Job)
            .where(Job.dataset_id == dataset_id, Job.dataset_fingerprint != fingerprint, Job.dataset_info.is_(None))
            .values(dataset_info=dataset.info)
        )
    session.execute(
        update(Dataset)
        .where(Dataset.id == dataset_id, Dataset.status == "verifying")
        .values(
            status="ready",
            info=info,
            fingerprint=fingerprint,
            preview=preview,
            verified_at=func.now(),
            error=None,
        )
    )


def dataset_invalid(session: Session, dataset_id: UUID, error: dict[str, Any]) -> None:
    """Record why a dataset cannot be used."""
    session.execute(
        update(Dataset)
        .where(Dataset.id == dataset_id, Dataset.status == "verifying")
        .values(status="invalid", error=error, verified_at=func.now())
    )


def claim_plan(session: Session, job_id: UUID) -> PlanClaim | None:
    """Return the schedule plugin of a job whose steps are not known yet."""
    job = lock_job(session, job_id)
    if job is None or job.state != "queued" or job.steps is not None:
        return None
    spec = JobSpec.model_validate(job.spec)
    dataset = session.get_one(Dataset, job.dataset_id)
    if not isinstance(spec.schedule, PluginRef) or dataset.info is None:
        return None
    job.plan_sent_at = func.now()
    return PlanClaim(job.id, spec.schedule, dataset.info["train"]["size"])


def job_planned(session: Session, job_id: UUID, steps: list[int], max_cells: int) -> None:
    """Write the cells of a job whose schedule plugin has named the steps; fail it if they are more than `max_cells`."""
    job = lock_job(session, job_id)
    if job is None or job.state != "queued" or job.steps is not None:
        return
    cells = JobSpec.model_validate(job.spec).runs * len(steps)
    if cells > max_cells:
        detail = f"The schedule names {len(steps)} steps: {cells} cells over all runs, and a job may have {max_cells}."
        move(
            session, job, "failed", error={"code": "schedule_invalid", "detail": detail, "where": {"phase": "schedule"}}
        )
        return
    create_cells(session, job, steps)


def plan_failed(session: Session, job_id: UUID, error: dict[str, Any]) -> None:
    """End a job whose schedule plugin named no usable steps."""
    job = lock_job(session, job_id)
    if job is not None and job.state == "queued" and job.steps is None:
        move(session, job, "failed", error=error)


def register_worker(
    session: Session,
    *,
    hostname: str,
    pid: int,
    devices: list[str],
    slots: int,
    plugins: list[str],
    plugin_errors: list[dict[str, Any]],
    versions: dict[str, str] | None = None,
    worker_id: UUID | None = None,
) -> UUID:
    """Make a worker known; `plugins` are "kind:name", and `versions` says of which version each is.

    A process that says its id is one worker, however often it registers because it cannot know whether it has.
    """
    known = session.get(Worker, worker_id) if worker_id is not None else None
    worker = known or Worker(id=worker_id)
    worker.hostname, worker.pid, worker.devices, worker.slots = hostname, pid, devices, slots
    worker.plugins, worker.plugin_errors, worker.versions = plugins, plugin_errors, versions
    worker.heartbeat_at = func.now()
    session.add(worker)
    session.flush()
    return worker.id


def beat(session: Session, worker_id: UUID, busy: int) -> bool:
    """Say that a worker lives; False when it has been forgotten and must register again."""
    known = session.scalar(
        update(Worker).where(Worker.id == worker_id).values(heartbeat_at=func.now(), busy=busy).returning(Worker.id)
    )
    return known is not None


def forget_worker(session: Session, worker_id: UUID) -> None:
    """Remove a worker that stops; its plugins stay in the catalog."""
    session.execute(delete(Worker).where(Worker.id == worker_id))
