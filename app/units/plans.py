"""A job whose schedule is a plugin: a worker asks it for the steps, and the job's cells are made of its answer."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from app.db.tables import Dataset, Job
from app.jobs.ending import fail
from app.jobs.lifecycle import lock_job
from app.jobs.planning import create_cells
from sufficiency.schemas.spec import JobSpec, MetricSpec, PluginRef


@dataclass(frozen=True)
class PlanClaim:
    """A schedule plugin to ask for the steps of a training split of `size` items."""

    job_id: UUID
    schedule: PluginRef
    size: int


def claim_plan(session: Session, job_id: UUID, most_tries: int = 10) -> PlanClaim | None:
    """Return the schedule plugin of a job whose steps are not known yet.

    One that `most_tries` have begun to ask, of whom none has said what came of it, fails its job.
    """
    job = _unplanned(session, job_id)
    if job is None:
        return None
    spec = JobSpec.model_validate(job.spec)
    dataset = session.get_one(Dataset, job.dataset_id)
    if not isinstance(spec.schedule, PluginRef) or dataset.info is None:
        return None
    if job.deaths >= most_tries:
        detail = (
            f"Workers began to ask the schedule {job.deaths} times, and none has said what came of it: their logs tell "
            "why they ended. Then retry the job."
        )
        fail(session, job, {"code": "attempts_exhausted", "detail": detail, "where": {"phase": "schedule"}})
        return None
    job.deaths += 1
    job.plan_sent_at = func.now()
    return PlanClaim(job.id, spec.schedule, dataset.info["train"]["size"])


def keep_planning(session: Session, job_ids: Collection[UUID]) -> set[UUID]:
    """Say that the schedules of these jobs are being asked, so that nobody asks again; return the jobs that wait."""
    return set(
        session.scalars(
            update(Job)
            .where(Job.id.in_(job_ids), Job.state == "queued", Job.steps.is_(None))
            .values(plan_sent_at=func.now())
            .returning(Job.id)
        )
    )


def job_planned(session: Session, job_id: UUID, steps: list[int], max_cells: int) -> None:
    """Write the cells of a job whose schedule plugin has named the steps; fail it if they are more than `max_cells`."""
    job = _unplanned(session, job_id)
    if job is None:
        return
    spec = JobSpec.model_validate(job.spec)
    cells = spec.runs * len(steps)
    detail = None
    if cells > max_cells:
        detail = f"The schedule names {len(steps)} steps: {cells} cells over all runs, and a job may have {max_cells}."
    elif spec.is_adaptive:
        detail = _wrong_with(spec, steps, job)
    if detail is not None:
        fail(session, job, {"code": "schedule_invalid", "detail": detail, "where": {"phase": "schedule"}})
        return
    job.deaths = 0
    create_cells(session, job, steps)


def _wrong_with(spec: JobSpec, steps: list[int], job: Job) -> str | None:
    """Return what the steps make impossible of an adaptive job's question or budget, if anything."""
    from sufficiency.answers.designing import faults_of  # it brings NumPy and SciPy

    metrics = {name: MetricSpec.model_validate(one) for name, one in job.metrics.items()}
    faults = faults_of(spec, steps, metrics)
    if not faults:
        return None
    wrong = "; ".join(f"{'.'.join(path)}: {what}" for path, what in faults)
    return f"With the steps that the schedule names, {', '.join(map(str, steps[:20]))}: {wrong}."


def plan_failed(session: Session, job_id: UUID, error: dict[str, Any]) -> None:
    """End a job whose schedule plugin named no usable steps."""
    job = _unplanned(session, job_id)
    if job is not None:
        fail(session, job, error)


def _unplanned(session: Session, job_id: UUID) -> Job | None:
    """Return a job, locked, that waits for its steps."""
    job = lock_job(session, job_id)
    return job if job is not None and job.state == "queued" and job.steps is None else None
