"""How a worker takes work, keeps it, writes what it measured and gives it back.

A claim counts up `unit.attempt`; every later write names that attempt and is refused once another claim has been
made. Each function locks the job first (see `app.jobs.lifecycle.lock_job`) and leaves the commit to its caller. All
times are the database's clock.
"""

from base64 import b64decode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from psycopg.errors import LockNotAvailable
from sqlalchemy import ColumnElement, func, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.curves.kinks import note_kinks
from app.db.tables import Cell, Dataset, ItemMarks, Job, Measurement, Unit, Worker
from app.jobs.ending import complete, fail, settle_cancel
from app.jobs.lifecycle import emit, lock_job, move, progress
from app.jobs.reaching import reach
from app.jobs.taking_over import key_of
from app.jobs.turns import charge, settle
from app.queue.outbox import enqueue
from app.units.giving_up import leave_out
from app.units.holding import cell_of, end_lease, held
from app.units.picking import jobs_in_turn, next_unit
from app.units.shapes import wrong_shape
from sufficiency.pauses import doubling
from sufficiency.schemas.spec import JobSpec
from sufficiency.schemas.work import CellResult, UnitCell

BACKOFF_SECONDS = 2.0
LONGEST_BACKOFF_SECONDS = 60.0
# For how long a claim waits for a job that somebody holds, before it looks at the next one.
LOCK_PATIENCE = text("SET LOCAL lock_timeout = '1s'")
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
    may_be_known: bool = False  # nobody has looked yet which of the job's cells others have measured


def backoff(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row (1 or more) before the next try."""
    return doubling(BACKOFF_SECONDS, failures, LONGEST_BACKOFF_SECONDS)


def is_over(lease_seconds: float) -> ColumnElement[bool]:
    """Return the condition that a unit's lease has run out, or ends later than any that is renewed could.

    The latter is one of before the database's clock was set back: nobody has renewed it since.
    """
    return or_(Unit.lease_expires_at < func.now(), Unit.lease_expires_at > _in(2 * lease_seconds + 60))


def _in(seconds: float) -> Any:
    return func.now() + timedelta(seconds=seconds)


def claim_next(
    session: Session,
    worker_id: UUID,
    queues: Sequence[str],
    lease_seconds: float,
    known: Collection[tuple[UUID, int]] = (),
) -> ClaimedUnit | None:
    """Take the unit whose turn it is under a lease; None where nothing waits that the worker is able to run.

    Parameters
    ----------
    queues : sequence of {"cpu", "cuda"}
        Which devices' units to look among.
    known : collection of (unit, attempt)
        The claims that the worker knows to be its own. A lease in its name beside these is a claim whose answer never
        arrived, and is taken anew.

    Raises
    ------
    OperationalError
        When somebody holds the jobs whose units it could take: ask again.
    """
    worker = session.get(Worker, worker_id)
    if worker is None:  # forgotten while it was silent; its heartbeat registers it anew
        return None
    if (claimed := _claimed_anew(session, worker, lease_seconds, known)) is not None:
        return claimed
    session.execute(LOCK_PATIENCE)
    while job_ids := jobs_in_turn(session, worker, queues):
        locked_out: OperationalError | None = None
        for job_id in job_ids:
            try:
                # A job whose units others have taken meanwhile is let go again: only one may be locked at a time.
                with session.begin_nested() as trial:
                    claimed = claim_of(session, job_id, worker_id, lease_seconds)
                    if claimed is None:
                        trial.rollback()
            except OperationalError as error:
                if not isinstance(error.orig, LockNotAvailable):
                    raise
                locked_out = error
                continue
            if claimed is not None:
                return claimed
        if locked_out is not None:
            raise locked_out
    return None


def claim_of(session: Session, job_id: UUID, worker_id: UUID, lease_seconds: float) -> ClaimedUnit | None:
    """Take the next unit of a job under a lease, or return None where it has none for the worker."""
    worker = session.get_one(Worker, worker_id)
    job = lock_job(session, job_id)
    unit_id = next_unit(session, job, worker) if job is not None else None
    if job is None or unit_id is None:
        return None
    _agree_on_versions(session, job, worker)
    if job.state == "queued":
        move(session, job, "running")
    unit = session.get_one(Unit, unit_id, populate_existing=True)
    claimed = _leased(session, job, unit, worker_id, lease_seconds)
    charge(session, job, unit)
    return claimed


def _claimed_anew(
    session: Session, worker: Worker, lease_seconds: float, known: Collection[tuple[UUID, int]]
) -> ClaimedUnit | None:
    """Take a unit anew that the worker holds and does not know of."""
    unanswered = session.execute(
        select(Unit.id, Unit.attempt)
        .where(Unit.worker_id == worker.id, tuple_(Unit.id, Unit.attempt).not_in(known))
        .limit(1)
    ).first()
    found = held(session, *unanswered) if unanswered is not None else None
    if found is None or found[0].state != "running":
        return None
    return _leased(session, *found, worker.id, lease_seconds)


def _leased(session: Session, job: Job, unit: Unit, worker_id: UUID, lease_seconds: float) -> ClaimedUnit:
    unit.state = "leased"
    unit.attempt += 1
    unit.worker_id = worker_id
    unit.lease_expires_at = _in(lease_seconds)
    cells = session.scalars(select(Cell).where(Cell.unit_id == unit.id).order_by(Cell.run, Cell.step)).all()
    dataset = session.get_one(Dataset, job.dataset_id)
    session.flush()
    spec = JobSpec.model_validate(job.spec)
    return ClaimedUnit(
        unit_id=unit.id,
        job_id=job.id,
        attempt=unit.attempt,
        spec=spec,
        device=job.device,
        dataset_train=dataset.train,
        dataset_test=dataset.test,
        fingerprint=job.dataset_fingerprint,
        cells=[cell_of(cell) for cell in cells],
        may_be_known=spec.reuse and job.identity is None,
    )


def _agree_on_versions(session: Session, job: Job, worker: Worker) -> None:
    """Note with which versions a job is measured: those of the first worker that takes a unit of it."""
    offered = worker.versions or {}
    changed = {
        plugin: offered[plugin]
        for plugin, version in job.plugin_versions.items()
        if offered.get(plugin, version) != version and not plugin.startswith("schedule:")
    }
    if changed:
        job.plugin_versions = job.plugin_versions | changed
        emit(session, job, "versions", {"plugin_versions": job.plugin_versions})


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
    found = held(session, unit_id, attempt)
    if found is None:
        return False
    job, unit = found
    n = _closed_cell(session, job, unit, result)
    if n is None:
        return True
    if error := wrong_shape(session, job, result, n):
        return _refused(session, job, unit, result, error)
    _write_values(session, job, result)
    _note_learner(session, job, result)
    unit.failures = 0  # who gets on is not what kills its trainers
    job.deaths = 0
    job.cells_done += 1
    job.work_done += n
    reached = reach(session, job, result.step)
    told = {"run": result.run, "step": result.step, "n": n, "metrics": _by_metric(result), **progress(job)}
    emit(session, job, "cell", told)
    if reached is not None:
        emit(session, job, "provisional", {**reached, **progress(job)})
    return True


def _refused(session: Session, job: Job, unit: Unit, result: CellResult, error: dict[str, Any]) -> bool:
    """End a job whose evaluation gives values that cannot be told apart; nothing of the cell is kept."""
    session.execute(
        update(Cell)
        .where(Cell.job_id == job.id, Cell.run == result.run, Cell.step == result.step)
        .values(n_unique=None, seconds=None, device=None, attempt=None, finished_at=None, details=None, key=None)
    )
    plugin = f"evaluation:{job.spec['evaluation']['name']}"
    error["where"] = {**error["where"], "plugin": plugin}
    end_lease(unit, "failed", error)
    session.flush()
    fail(session, job, error)
    return False


def _closed_cell(session: Session, job: Job, unit: Unit, result: CellResult) -> int | None:
    """Mark a cell of a unit as measured; return its size, or None where it was measured before."""
    return session.scalar(
        update(Cell)
        .where(
            Cell.job_id == unit.job_id,
            Cell.run == result.run,
            Cell.step == result.step,
            Cell.unit_id == unit.id,
            Cell.finished_at.is_(None),
            Cell.error.is_(None),
        )
        .values(
            n_unique=result.n_unique,
            seconds=result.seconds,
            device=result.device,
            attempt=unit.attempt,
            finished_at=func.clock_timestamp(),
            details=result.details or None,
            key=key_of(job, result.identity, result.run, result.step) if result.identity else None,
        )
        .returning(Cell.n)
    )


def _note_learner(session: Session, job: Job, result: CellResult) -> None:
    """Keep what a job's learner is made of, as its first cells tell, and warn of its thresholds between the steps."""
    is_first = not job.cells_done or job.learner is None
    if is_first and result.learner is not None and result.learner != job.learner:
        job.learner = result.learner
        note_kinks(session, job)


def _write_values(session: Session, job: Job, result: CellResult) -> None:
    rows = [
        {
            "job_id": job.id,
            "run": result.run,
            "step": result.step,
            "metric": metric,
            "class_index": class_index,
            "value": value,
        }
        for metric, class_index, value in result.values
    ]
    if rows:
        session.execute(insert(Measurement), rows)
    place = {"job_id": job.id, "run": result.run, "step": result.step}
    marked = [
        {**place, "metric": metric, "items": marks.items, "bits": b64decode(marks.bits)}
        for metric, marks in result.correct.items()
    ]
    if marked:
        session.execute(insert(ItemMarks), marked)


def _by_metric(result: CellResult) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for metric, class_index, value in sorted(result.values):
        if class_index < 0:
            metrics[metric] = value
        else:
            metrics.setdefault(metric, []).append(value)
    return metrics


def finish_unit(session: Session, unit_id: UUID, attempt: int) -> None:
    """Close a unit all of whose cells have ended; the last one completes the job and keeps its curves."""
    found = held(session, unit_id, attempt)
    if found is None:
        return
    job, unit = found
    left = _open_cells(session, unit)
    unit.lease_expires_at = None
    unit.worker_id = None
    unit.error = None
    if left:  # a trainer that says "done" too early has not done it
        _requeue(session, job, unit, delay=0.0)
    else:
        unit.state = "done"
    session.flush()
    if job.state == "cancelling":
        settle_cancel(session, job)
    elif job.state == "running" and job.cells_done + job.cells_not_measurable >= job.cells_total:
        complete(session, job)
    settle(session, job, unit)


def fail_unit(session: Session, unit_id: UUID, attempt: int, error: dict[str, Any], *, max_deaths: int = 10) -> None:
    """End the job with the fault that its plugin, data or limits have: trying again would give the same.

    Where it is one cell that takes too long or too much memory, and others are measured, the job goes on without it;
    but not for `max_deaths` of them in a row.
    """
    found = held(session, unit_id, attempt)
    if found is None:
        return
    job, unit = found
    if not _goes_on_without(session, job, unit, error, max_deaths):
        end_lease(unit, "failed", error)
        session.flush()
        fail(session, job, error)
    settle(session, job, unit)


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
    found = held(session, unit_id, attempt)
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
    settle(session, job, unit)


def expire_lease(
    session: Session,
    unit_id: UUID,
    attempt: int,
    *,
    lease_seconds: float = 30.0,
    counts_for_job: bool = True,
    max_attempts: int = 3,
    max_deaths: int = 10,
) -> bool:
    """Take a unit back from a worker that did not renew its lease; return False when it has done so by now.

    The other parameters are those of `surrender_unit`.

    Parameters
    ----------
    lease_seconds : float
        For how long leases are taken.
    """
    found = held(session, unit_id, attempt)
    if found is None:
        return False
    job, unit = found
    # A renewal locks the unit alone: none may come between this look and what follows from it.
    session.refresh(unit, with_for_update=True)
    if not session.scalar(select(is_over(lease_seconds)).where(Unit.id == unit_id)):
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
    settle(session, job, unit)
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
        end_lease(unit, "cancelled", error)
        session.flush()
        settle_cancel(session, job)
        return
    cause = error or {}
    if counts:
        unit.failures += 1
        if counts_for_job and cause.get("code") in DEATHS:
            job.deaths += 1
    exhausted = _exhausted(job, unit, max_attempts, max_deaths) if counts else None
    if exhausted is not None:
        if error is not None and _goes_on_without(session, job, unit, _after(exhausted, error), max_deaths):
            return
        end_lease(unit, "failed", error)
        session.flush()
        fail(session, job, _after(exhausted, cause))
        return
    unit.error = error
    _requeue(session, job, unit, delay=backoff(unit.failures) if counts and is_patient else 0.0)


def _after(exhausted: str, cause: dict[str, Any]) -> dict[str, Any]:
    """Return the error of a unit that is not tried again."""
    last = f"{exhausted} The last one: {cause.get('detail', 'its worker went silent.')}"
    return {**cause, "code": "attempts_exhausted", "cause": cause.get("code"), "detail": last}


def _goes_on_without(session: Session, job: Job, unit: Unit, error: dict[str, Any], max_deaths: int) -> bool:
    """Leave out the cell that ended what executed a unit, and queue the rest of it; return whether that was done."""
    if not leave_out(session, job, unit, error, max_deaths):
        return False
    unit.failures = 0
    unit.error = error
    if _open_cells(session, unit):
        _requeue(session, job, unit, delay=0.0)
        return True
    end_lease(unit, "done", None)
    session.flush()
    if job.cells_done + job.cells_not_measurable >= job.cells_total:
        complete(session, job)
    return True


def _open_cells(session: Session, unit: Unit) -> int:
    is_open = Cell.finished_at.is_(None), Cell.error.is_(None)
    return session.scalar(select(func.count()).select_from(Cell).where(Cell.unit_id == unit.id, *is_open)) or 0


def _exhausted(job: Job, unit: Unit, max_attempts: int, max_deaths: int) -> str | None:
    """Return why a unit is not tried again after one more death, or None where it is."""
    if unit.failures >= max_attempts:
        return f"A unit was tried {unit.failures} times and each try died."
    if job.deaths >= max_deaths:
        return f"{job.deaths} tries in a row died, of whatever unit, and none measured a cell."
    return None


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
