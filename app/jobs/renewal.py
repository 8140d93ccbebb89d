"""Taking an ended job up again: retry it, extend it, or start it anew.

What is measured is kept as long as the rest would be measured with the same plugins on the same data, and never mixed
with what is not the same measurement; see docs/decisions/0007-what-may-be-reused.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.catalog import service as catalog
from app.db.tables import Dataset, Extension, Job
from app.errors import Conflict, FieldError, Invalid, field_error, pointer
from app.jobs import repository
from app.jobs.service import Prepared, digest, fresh, get_job, invalid, locked, prepare, too_many
from app.jobs.waiting import binding_versions, needed_plugins
from app.settings import Settings
from app.units import lease
from sufficiency.method.plan import CellPlan, plan_units, work
from sufficiency.method.schedule import ScheduleError, check_steps
from sufficiency.schemas.jobs import NewExtension
from sufficiency.schemas.spec import JobSpec
from sufficiency.schemas.words import ENDED


@dataclass(frozen=True)
class Changed:
    """What is no longer as it was when a job was measured: a plugin's version, or the fingerprint of the data."""

    what: str
    measured_with: str
    now: str


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


def retry(session: Session, job_id: UUID, settings: Settings, *, anew: bool = False) -> Job:
    """Queue a failed or cancelled job again; what is measured stays.

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
    if job.state not in ENDED:
        detail = f"The job is {job.state}: only a failed or cancelled job can be tried again."
        raise Conflict(detail, code="job_not_ended")
    if job.state == "completed" and not anew:
        detail = (
            "The job is completed: all its cells are measured. POST …/extend adds runs or steps to it, and "
            "POST …/retry?start_anew=true drops what is measured and measures all of it again."
        )
        raise Conflict(detail, code="job_completed")
    dataset = session.get_one(Dataset, job.dataset_id)
    changed = _changed(session, job, dataset, settings)
    _refuse_mixing(job, changed, anew)
    if anew or changed:
        _start_anew(session, job, JobSpec.model_validate(job.spec), changed, settings)
    else:
        lease.retry(session, job)
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
    written = {**wanted.model_dump(mode="json", exclude_unset=True), "start_anew": anew}
    body_hash = digest(written)
    if idempotency_key is not None:
        if earlier := repository.extension(session, job.id, idempotency_key):
            if earlier.body_hash != body_hash:
                raise Invalid(
                    "This Idempotency-Key belongs to another extension of the job; use a new key for a new extension.",
                    code="idempotency_key_reused",
                    errors=[field_error("Idempotency-Key", "belongs to an extension with another body")],
                )
            return job, False
        session.add(Extension(job_id=job.id, idempotency_key=idempotency_key, body_hash=body_hash))
    extended = _extended(session, job, wanted, settings, anew)
    if extended.anew:
        _start_anew(session, job, extended.spec, extended.changed, settings)
    else:
        assert extended.steps is not None
        job.dataset_id, job.dataset_info = extended.dataset.id, None
        lease.extend(session, job, extended.spec, extended.steps)
    return fresh(session, job), True


def plan_extension(
    session: Session, job_id: UUID, wanted: NewExtension, settings: Settings, *, anew: bool = False
) -> ExtensionPlan:
    """Return what an extension would do, and store nothing."""
    job = get_job(session, job_id)
    extended = _extended(session, job, wanted, settings, anew)
    spec = extended.spec
    kept = 0 if extended.anew else job.cells_done
    to_measure = items = None
    if extended.units is not None:
        left = 0 if extended.anew else job.cells_total - job.cells_done
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
        queued_reason=catalog.live_workers(session, settings).why_waiting(
            needed_plugins(spec, extended.dataset, planned=extended.steps is not None),
            job.device,
            binding_versions(job) if kept else catalog.NO_VERSIONS,
        ),
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
    before = spec.runs
    errors: list[FieldError] = []
    runs = spec.runs if wanted.runs is None else wanted.runs
    if wanted.runs is not None and runs <= spec.runs:
        detail = f"the job has {spec.runs} run{'s' if spec.runs > 1 else ''} already; name a larger total"
        errors.append(field_error("#/runs", detail))
    dataset: Dataset | None = session.get_one(Dataset, job.dataset_id)
    if wanted.dataset is not None:
        dataset, found = catalog.dataset_for_job(session, wanted.dataset)
        errors.extend(found)
    if dataset is None:
        raise invalid(errors, "invalid_extension")
    info = catalog.require_ready(dataset)
    changed = _changed(session, job, dataset, settings)
    errors.extend(_bad_steps(job, spec, wanted.steps or [], int(info["train"]["size"]), anew))
    steps = [*job.steps, *(wanted.steps or [])]
    if not errors and (problem := too_many(runs, len(steps), settings)):
        errors.append(field_error("#/runs" if wanted.runs is not None else "#/steps", problem))
    if errors:
        raise invalid(errors, "invalid_extension")
    _refuse_mixing(job, changed, anew)
    # As it would be written for a new job: with the sizes in order, whatever their numbers are here.
    schedule = sorted(steps) if wanted.steps else spec.schedule
    spec = spec.model_copy(update={"runs": runs, "schedule": schedule, "dataset": dataset.name})
    if not anew and not changed:
        units = plan_units(steps, runs, spec.protocol, planned=(before, len(job.steps)))
        return Extended(spec, dataset, steps, units, changed, False)
    prepared = _prepared_anew(session, spec, settings)
    units_anew = plan_units(prepared.steps, runs, spec.protocol) if prepared.steps is not None else None
    return Extended(spec, dataset, prepared.steps, units_anew, changed, True)


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


def _changed(session: Session, job: Job, dataset: Dataset, settings: Settings) -> list[Changed]:
    """Return what is not as it was when the job was measured: plugins as workers offer them, and the data."""
    info = catalog.require_ready(dataset)
    live = catalog.live_workers(session, settings)
    changed = []
    for name, version in binding_versions(job).items():
        kind, _, plugin = name.partition(":")
        offered = live.versions(name)
        if not offered or None in offered:
            stored = catalog.find_plugin(session, kind, plugin)
            offered = {stored.version if stored is not None else version}
        if version not in offered:
            changed.append(Changed(name, version, ", ".join(sorted(filter(None, offered)))))
    if dataset.fingerprint != job.dataset_fingerprint:
        now = f"{dataset.fingerprint} ({info['train']['size']} training items)"
        changed.append(Changed(f"dataset:{dataset.name}", job.dataset_fingerprint, now))
    return changed


def _refuse_mixing(job: Job, changed: Sequence[Changed], anew: bool) -> None:
    """Refuse to measure the rest of a job with something else than what it was begun with."""
    if not changed or anew or not job.cells_done:
        return
    on_data = changed[-1].what.startswith("dataset:")
    told = "; ".join(
        f"{one.what} has fingerprint {one.now}, and {one.measured_with} when the job was measured"
        if one.what.startswith("dataset:")
        else f"{one.what} is version {one.now}, and was {one.measured_with} when the job was measured"
        for one in changed
    )
    because = (
        " Subsets are drawn from the whole training split, so that no cell of other data, be it more of the same, is "
        "the same measurement."
    )
    raise Conflict(
        f"The rest would be measured with something else than the {job.cells_done} cells that there are: {told}."
        f"{because if on_data else ''} Bring back what was there before; or submit a new job, and compare the two; or "
        f"ask again with start_anew=true, which drops the {job.cells_done} cells and measures all of it with what is "
        "there now.",
        code="dataset_changed" if on_data else "plugin_changed",
    )


def _start_anew(session: Session, job: Job, spec: JobSpec, changed: Sequence[Changed], settings: Settings) -> None:
    prepared = _prepared_anew(session, spec, settings)
    job.spec = prepared.spec.model_dump(mode="json")
    job.dataset_id = prepared.dataset.id
    job.dataset_fingerprint, job.dataset_info = str(prepared.dataset.fingerprint), None
    job.plugin_versions = {key: plugin.version for key, plugin in prepared.plugins.items()}
    job.metrics = {name: metric.model_dump(mode="json") for name, metric in prepared.metrics.items()}
    job.device = prepared.device
    lease.start_anew(session, job, prepared.steps, [vars(one) for one in changed])


def _prepared_anew(session: Session, spec: JobSpec, settings: Settings) -> Prepared:
    try:
        return prepare(session, spec, settings)
    except Invalid as error:
        detail = f"The job can no longer be run as it is: {error.detail}. Submit a new one."
        raise Conflict(detail, code="job_outdated", errors=error.errors) from error
