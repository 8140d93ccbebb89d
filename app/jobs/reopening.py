"""Taking an ended job up again: retry it, extend it, or start it anew.

What is measured is kept as long as the rest would be measured with the same plugins on the same data; see
`app.jobs.reuse`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy.orm import Session

from app.catalog.datasets import dataset_for_job, require_ready
from app.catalog.workers import NO_VERSIONS, live_workers
from app.curves.forecasts import foresee, forget_unscored
from app.db.tables import Cell, Curve, Dataset, Extension, Job, Unit
from app.errors import Conflict, FieldError, field_error, pointer
from app.jobs import repository
from app.jobs.elsewhere import require_measured_here
from app.jobs.ending import complete
from app.jobs.idempotency import digest, key_reused
from app.jobs.lifecycle import emit, fresh, locked, move
from app.jobs.not_measurable import open_again
from app.jobs.nothing_added import adds_nothing
from app.jobs.planning import add_cells, ask_for_plan, create_cells, new_units, queue_units
from app.jobs.preparing import invalid, kinks_of, prepare_anew, too_many
from app.jobs.reuse import Changed, changes, grown_since, refuse_mixing
from app.jobs.service import get_job
from app.jobs.waiting import binding_versions, needed_plugins
from app.settings import Settings
from sufficiency.answers.designing import faults_of
from sufficiency.method.plan import CellPlan, plan_units, work
from sufficiency.method.schedule import ScheduleError, check_steps, steps_beyond
from sufficiency.schemas.jobs import NewExtension
from sufficiency.schemas.spec import JobSpec, MetricSpec
from sufficiency.schemas.words import ENDED


@dataclass(frozen=True)
class Extended:
    """A job as it would be after an extension.

    Attributes
    ----------
    spec : JobSpec
    dataset : Dataset
    steps : list of int or None
        By step number; None when a schedule plugin is to name them anew.
    units : list of list of CellPlan, or None
        What is new; None where the steps are.
    changed : list of Changed
        Why nothing of what is measured can be kept, if it cannot.
    anew : bool
        Whether all is measured anew.
    """

    spec: JobSpec
    dataset: Dataset
    steps: list[int] | None
    units: list[list[CellPlan]] | None
    changed: list[Changed]
    anew: bool


@dataclass(frozen=True)
class ExtensionPlan:
    """What an extension would do. Counts are None while its steps are not known."""

    extended: Extended
    cells_kept: int
    cells_dropped: int
    cells_to_measure: int | None
    training_items: int | None
    slot_seconds: float | None
    queued_reason: str | None
    warnings: list[dict[str, Any]]


def retry(session: Session, job_id: UUID, settings: Settings, *, anew: bool = False) -> Job:
    """Queue a failed or cancelled job again, or a completed one with cells that could not be measured.

    What is measured stays; cells that could not be measured are tried again.

    Parameters
    ----------
    anew : bool
        Drop what is measured, and measure all of it again with the plugins and the data of now; a completed job too.

    Raises
    ------
    Conflict
        Without `anew`, when plugins or data are not those that the job was measured with; when it has not ended.
    """
    job = locked(session, job_id)
    require_measured_here(job)
    if job.state not in ENDED:
        detail = f"The job is {job.state}: only a failed or cancelled job can be tried again."
        raise Conflict(detail, code="job_not_ended")
    if job.state == "completed" and not anew and not job.cells_not_measurable:
        detail = (
            "The job is completed: all its cells are measured. POST …/extend adds runs or steps to it, and "
            "POST …/retry?start_anew=true drops what is measured and measures all of it again."
        )
        raise Conflict(detail, code="job_completed")
    dataset = session.get_one(Dataset, job.dataset_id)
    changed = changes(session, job, dataset, settings)
    refuse_mixing(job, changed, anew)
    if anew or changed:
        _start_anew(session, job, JobSpec.model_validate(job.spec), changed, settings)
    else:
        _resume(session, job)
    return fresh(session, job)


def extend(
    session: Session,
    job_id: UUID,
    wanted: NewExtension,
    settings: Settings,
    *,
    idempotency_key: str | None = None,
    anew: bool = False,
) -> tuple[Job, bool]:
    """Add runs or steps to an ended job and queue it again; what is measured stays.

    Parameters
    ----------
    idempotency_key : str or None
        The same key with the same request, on the same job, changes nothing the second time.
    anew : bool
        Drop what is measured, and measure all of it with the plugins and the data of now.

    Returns
    -------
    job : Job
    extended : bool
        False for a replay.

    Raises
    ------
    Invalid
        With every bad field.
    Conflict
        Without `anew`, when plugins or data are not those that the job was measured with; when it has not ended.
    """
    job = locked(session, job_id)
    require_measured_here(job)
    written = {**wanted.model_dump(mode="json", exclude_unset=True), "start_anew": anew}
    body_hash = digest(written)
    if idempotency_key is not None:
        if earlier := repository.extension(session, job.id, idempotency_key):
            if earlier.body_hash != body_hash:
                detail = (
                    "This Idempotency-Key belongs to another extension of the job; use a new key for a new extension."
                )
                raise key_reused(detail, "an extension")
            return job, False
        session.add(Extension(job_id=job.id, idempotency_key=idempotency_key, body_hash=body_hash))
    extended = _extended(session, job, wanted, settings, anew)
    if extended.anew:
        _start_anew(session, job, extended.spec, extended.changed, settings)
    else:
        foresee(session, job, extended.steps or [])
        _enlarge(session, job, extended)
    return fresh(session, job), True


def plan_extension(
    session: Session, job_id: UUID, wanted: NewExtension, settings: Settings, *, anew: bool = False
) -> ExtensionPlan:
    """Return what an extension would do, and store nothing."""
    job = get_job(session, job_id)
    require_measured_here(job)
    extended = _extended(session, job, wanted, settings, anew)
    spec = extended.spec
    kept = 0 if extended.anew else job.cells_done
    to_measure = items = None
    if extended.units is not None:
        left = 0 if extended.anew else job.cells_total - job.cells_done - job.cells_not_measurable
        to_measure = left + sum(len(cells) for cells in extended.units)
        items = (0 if extended.anew else job.work_total - job.work_done) + sum(work(cells) for cells in extended.units)
    dumped = spec.model_dump(mode="json")
    rate = repository.seconds_per_item(session, dumped["model"], dumped["training"], job.device)
    return ExtensionPlan(
        extended,
        cells_kept=kept,
        cells_dropped=job.cells_done - kept,
        cells_to_measure=to_measure,
        training_items=items,
        slot_seconds=rate * items if rate is not None and items is not None else None,
        queued_reason=live_workers(session, settings).why_waiting(
            needed_plugins(spec, extended.dataset, planned=extended.steps is not None),
            job.device,
            binding_versions(job) if kept else NO_VERSIONS,
        ),
        warnings=kinks_of(dumped, job.learner, require_ready(extended.dataset), extended.steps),
    )


def _extended(session: Session, job: Job, wanted: NewExtension, settings: Settings, anew: bool) -> Extended:
    if job.state not in ENDED:
        detail = f"The job is {job.state}: wait until it has ended, or cancel it; then it can be extended."
        raise Conflict(detail, code="job_not_ended")
    if job.steps is None:
        detail = (
            "The job's schedule plugin has not named its steps, so that there is nothing to extend: retry it first."
        )
        raise Conflict(detail, code="job_unplanned")
    spec = JobSpec.model_validate(job.spec)
    errors: list[FieldError] = []
    runs = spec.runs if wanted.runs is None else wanted.runs
    if wanted.runs is not None and runs <= spec.runs:
        detail = f"the job has {spec.runs} run{'s' if spec.runs > 1 else ''} already; name a larger total"
        errors.append(field_error("#/runs", detail))
    dataset: Dataset | None = session.get_one(Dataset, job.dataset_id)
    if wanted.dataset is not None:
        dataset, found = dataset_for_job(session, wanted.dataset)
        errors.extend(found)
    if dataset is None:
        raise invalid(errors, "invalid_extension")
    info = require_ready(dataset)
    changed = changes(session, job, dataset, settings)
    size, before_it_grew = int(info["train"]["size"]), grown_since(session, job, dataset)
    added = wanted.steps
    if added is None and before_it_grew is not None and wanted.runs is None:
        added = steps_beyond(job.steps, size)
    errors.extend(_bad_steps(job, spec, added or [], size, anew))
    steps = [*job.steps, *(added or [])]
    if not errors and (problem := too_many(runs, len(steps), settings)):
        errors.append(field_error("#/runs" if wanted.runs is not None else "#/steps", problem))
    # As it would be written for a new job: with the sizes in order, whatever their numbers are here.
    schedule = sorted(steps) if added else spec.schedule
    spec = _asked_anew(spec.model_copy(update={"runs": runs, "schedule": schedule, "dataset": dataset.name}), wanted)
    metrics = {name: MetricSpec.model_validate(one) for name, one in job.metrics.items()}
    if not errors:
        errors += [field_error(pointer(*path), detail) for path, detail in faults_of(spec, steps, metrics)]
    if not errors and not changed and not anew:
        errors += adds_nothing(job, spec, steps, wanted)
    if errors:
        raise invalid(errors, "invalid_extension")
    refuse_mixing(job, changed, anew)
    if anew or changed:  # nothing is kept whose order would have to be gone on with
        spec = spec.model_copy(update={"grown": []})
    elif before_it_grew is not None and job.cells_done:
        spec = spec.model_copy(update={"grown": [*spec.grown, before_it_grew]})
    if not anew and not changed:
        units = None if spec.is_adaptive else new_units(session, job, spec, steps)
        return Extended(spec, dataset, steps, units, changed, False)
    prepared = prepare_anew(session, spec, settings)
    units_anew = (
        plan_units(prepared.steps, runs, spec.protocol, stacked=prepared.spec.engine == "stacked")
        if prepared.steps is not None
        else None
    )
    return Extended(spec, dataset, prepared.steps, units_anew, changed, True)


def _asked_anew(spec: JobSpec, wanted: NewExtension) -> JobSpec:
    """Return a job's spec with another plan, question or budget, where the extension names one."""
    named = {name: getattr(wanted, name) for name in ("plan", "stop_when", "budget") if getattr(wanted, name)}
    if wanted.plan == "grid":
        named |= {"stop_when": wanted.stop_when, "budget": wanted.budget}  # what it was asked before is no more
    spec = spec.model_copy(update=named)
    if "plan" not in named and ("stop_when" in named or "budget" in named):
        spec = spec.model_copy(update={"plan": "adaptive"})
    return spec


def _bad_steps(job: Job, spec: JobSpec, added: Sequence[int], size: int, anew: bool) -> list[FieldError]:
    if not added:
        return []
    try:
        check_steps(added, size)
    except ScheduleError as error:
        return [field_error(pointer("steps", *([] if error.index is None else [error.index])), str(error))]
    known = job.steps or []
    errors = []
    for index, n in enumerate(added):
        if n in known:
            errors.append(field_error(pointer("steps", index), f"{n} is a step of the job already"))
        elif spec.protocol == "dataeval" and n < max(known) and not anew:
            detail = (
                f"{n} is below {max(known)}, the job's largest step. With protocol dataeval a run trains one model on "
                "from step to step, so that a step in between changes all that come after it: add only larger steps, "
                "or start anew"
            )
            errors.append(field_error(pointer("steps", index), detail))
    return errors


def _resume(session: Session, job: Job) -> None:
    """Queue a locked job again; recorded cells stay, unfinished units start with a clean slate."""
    again = job.cells_not_measurable
    move(session, job, "queued", data={"retried": {"cells": again}} if again else None)
    if again:
        open_again(session, job)
    if job.steps is None:
        ask_for_plan(session, job)
    elif not _reopen_units(session, job):  # every cell was there already
        complete(session, job)


def _enlarge(session: Session, job: Job, extended: Extended) -> None:
    """Queue a locked job again for the cells that it lacks; see `add_cells`."""
    assert extended.steps is not None
    added = [n for n in extended.steps if n not in (job.steps or [])]
    job.dataset_id, job.dataset_info = extended.dataset.id, None
    job.dataset_fingerprint = str(extended.dataset.fingerprint)
    move(session, job, "queued", data={"extended": {"runs": extended.spec.runs, "steps": added}})
    if extended.spec.is_adaptive:  # what is new, the next stage chooses among, as soon as the last one has ended
        job.spec, job.steps = extended.spec.model_dump(mode="json"), extended.steps
    else:
        add_cells(session, job, extended.spec, extended.steps)
    _reopen_units(session, job)
    session.flush()
    if (
        job.cells_done + job.cells_not_measurable >= job.cells_total
    ):  # the same data under another name, and nothing new to measure
        complete(session, job)


def _reopen_units(session: Session, job: Job) -> int:
    units = session.scalars(
        update(Unit)
        .where(Unit.job_id == job.id, Unit.state.in_(("failed", "cancelled")))
        .values(state="queued", failures=0, error=None, not_before=None, sent_at=func.now())
        .returning(Unit.id)
    ).all()
    queue_units(session, job, units)
    return len(units)


def _start_anew(session: Session, job: Job, spec: JobSpec, changed: Sequence[Changed], settings: Settings) -> None:
    """Drop all that a locked job has measured, and queue it again with the plugins and the data of now."""
    prepared = prepare_anew(session, spec, settings)
    # Who starts anew wants it measured.
    job.spec = prepared.spec.model_copy(update={"reuse": False}).model_dump(mode="json")
    job.dataset_id = prepared.dataset.id
    job.dataset_fingerprint, job.dataset_info = str(prepared.dataset.fingerprint), None
    job.plugin_versions = {key: plugin.version for key, plugin in prepared.plugins.items()}
    job.metrics = {name: metric.model_dump(mode="json") for name, metric in prepared.metrics.items()}
    job.learner, job.engine = prepared.learner, None
    job.device = prepared.device
    dropped = {"cells": job.cells_done, "changed": [vars(one) for one in changed]}
    session.flush()
    forget_unscored(session, job.id)
    for table in (Cell, Unit, Curve):
        session.execute(delete(table).where(table.job_id == job.id))
    job.cells_done = job.cells_total = job.cells_not_measurable = job.work_done = job.work_total = 0
    job.cells_reused = job.work_reused = 0
    job.seconds_saved = 0.0
    job.steps = job.shapes = job.measured = job.design = None
    move(session, job, "queued")
    emit(session, job, "discarded", dropped)
    if prepared.steps is None:
        ask_for_plan(session, job)
    else:
        create_cells(session, job, prepared.steps)
    session.flush()
