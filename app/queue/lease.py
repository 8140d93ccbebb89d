"""How a worker takes work, keeps it, writes what it measured and gives it back.

A claim counts up `unit.attempt`; every later write names that attempt and is refused once another claim has been
made. Each function locks the job first (see `app.jobs.lifecycle.lock_job`) and leaves the commit to its caller. All
times are the database's clock.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tables import Cell, Dataset, Job, Measurement, Unit, Worker
from app.jobs.lifecycle import ENDED, emit, lock_job, move
from app.jobs.planning import create_cells
from app.projections.service import store_curves
from app.queue.outbox import enqueue
from app.sufficiency.spec import JobSpec, PluginRef

BACKOFF_SECONDS = 2.0


@dataclass(frozen=True)
class ClaimedCell:
    """A cell to measure; `done` ones are recorded already."""

    run: int
    step: int
    n: int
    done: bool


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
    cells: list[ClaimedCell]


@dataclass(frozen=True)
class CellResult:
    """What one cell measured: `values` are (metric, class index or −1 for a scalar, value or None where missing)."""

    run: int
    step: int
    n_unique: int
    seconds: float
    device: str
    values: list[tuple[str, int, float | None]] = field(default_factory=list)


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


def claim_unit(session: Session, unit_id: UUID, worker_id: UUID, lease_seconds: float) -> ClaimedUnit | None:
    """Take a queued unit under a lease, or return None when it is not to be had: taken, ended, or not due yet."""
    found = _lock(session, unit_id)
    if found is None:
        return None
    job, unit = found
    due = unit.not_before is None or session.scalar(select(func.now() >= unit.not_before))
    if unit.state != "queued" or job.state not in ("queued", "running") or not due:
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
        cells=[ClaimedCell(c.run, c.step, c.n, c.finished_at is not None) for c in cells],
    )


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
    job, _ = found
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
    max_attempts: int = 3,
) -> None:
    """Give a unit back, with its recorded cells kept.

    Parameters
    ----------
    error : dict or None
        Why; kept with the unit.
    counts : bool
        True when the unit may have killed its trainer: it is tried again later, `max_attempts` times in all, and then
        the job fails. False for a worker that stops: another one may take the unit at once.
    """
    found = _held(session, unit_id, attempt)
    if found is None:
        return
    job, unit = found
    if job.state == "cancelling":
        _end_lease(unit, "cancelled", error)
        session.flush()
        _settle_cancel(session, job)
        return
    if counts:
        unit.failures += 1
    if unit.failures >= max_attempts:
        _end_lease(unit, "failed", error)
        session.flush()
        cause = error or {}
        _fail_job(
            session,
            job,
            {
                **cause,
                "code": "attempts_exhausted",
                "cause": cause.get("code"),
                "detail": f"A unit was tried {unit.failures} times and each try died. The last one: "
                f"{cause.get('detail', 'its worker went silent.')}",
            },
        )
        return
    unit.error = error
    _requeue(session, job, unit, delay=BACKOFF_SECONDS * 2 ** (unit.failures - 1) if counts else 0.0)


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
        job.plan_sent_at = func.now()
        enqueue(session, "plan_job", job.id, job.device, job.priority)
        return
    units = session.scalars(
        update(Unit)
        .where(Unit.job_id == job.id, Unit.state.in_(("failed", "cancelled")))
        .values(state="queued", failures=0, error=None, not_before=None, sent_at=func.now())
        .returning(Unit.id)
    ).all()
    for unit_id in units:
        enqueue(session, "run_unit", unit_id, job.device, job.priority)
    if not units:  # every cell was there already
        store_curves(session, job)
        move(session, job, "completed")


def claim_dataset(session: Session, dataset_id: UUID) -> DatasetClaim | None:
    """Return a dataset that waits to be verified. Two workers may verify the same one: they find the same."""
    dataset = session.get(Dataset, dataset_id, with_for_update=True)
    if dataset is None or dataset.status != "verifying":
        return None
    dataset.attempts += 1
    dataset.sent_at = func.now()
    return DatasetClaim(dataset.id, dataset.train, dataset.test)


def dataset_ready(
    session: Session, dataset_id: UUID, info: dict[str, Any], fingerprint: str, preview: bytes | None = None
) -> None:
    """Record what a worker found in a dataset that is whole; `preview` is a PNG of some of its items."""
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
) -> UUID:
    """Make a worker known; `plugins` are "kind:name"."""
    worker = Worker(
        hostname=hostname, pid=pid, devices=devices, slots=slots, plugins=plugins, plugin_errors=plugin_errors
    )
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
