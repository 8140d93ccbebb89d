"""A job before it is stored: checked against catalog and dataset, what it leaves open filled in, and what it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.catalog.datasets import dataset_for_job, require_ready
from app.catalog.plugins import configure, declared_metrics, load_plugins
from app.catalog.workers import live_workers
from app.curves.kinks import known_learner, met_on
from app.db.tables import Dataset, Plugin
from app.errors import Conflict, FieldError, Invalid, field_error, pointer, told
from app.jobs import repository
from app.jobs.combining import misfits
from app.jobs.waiting import needed_plugins, references
from app.settings import Settings
from sufficiency.answers.designing import faults_of, first_stage
from sufficiency.answers.warnings import doubts
from sufficiency.method.costs import step_costs
from sufficiency.method.kinks.between import drifts, warnings_between
from sufficiency.method.plan import plan_units, work
from sufficiency.method.schedule import ScheduleError, check_steps, geometric_steps
from sufficiency.schemas.spec import JobSpec, MetricSpec, PluginRef
from sufficiency.schemas.stopping import DesignView
from sufficiency.schemas.words import NEWEST_SAMPLING, EngineChoice, Scope

# Up to what priority who has a scope may put a job before the others of its project.
MOST_URGENT: dict[Scope, int] = {"read": 0, "write": 4, "admin": 9}


@dataclass(frozen=True)
class Prepared:
    """A job that has been checked against the catalog, as it is to be run.

    Attributes
    ----------
    spec : JobSpec
        With the plugins' defaults and the device filled in.
    steps : list of int or None
        None when a schedule plugin is to name them.
    learner : dict or None
        What the catalog tells of the model's estimators.
    """

    spec: JobSpec
    dataset: Dataset
    plugins: dict[str, Plugin]
    metrics: dict[str, MetricSpec]
    steps: list[int] | None
    device: str
    learner: dict[str, Any] | None


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
    kinks: list[dict[str, Any]]
    design: DesignView | None = None

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """What gives reason to doubt what it would measure."""
        dataset = self.prepared.dataset
        return [*doubts(dataset.name, (dataset.info or {}).get("warnings") or []), *self.kinks]


def plan(session: Session, spec: JobSpec, settings: Settings) -> Plan:
    """Return what a job would do, and store nothing."""
    prepared = prepare(session, spec, settings)
    waiting = live_workers(session, settings).why_waiting(
        needed_plugins(prepared.spec, prepared.dataset), prepared.device
    )
    dumped = prepared.spec.model_dump(mode="json")
    kinks = kinks_of(dumped, prepared.learner, require_ready(prepared.dataset), prepared.steps)
    if prepared.steps is None:
        return Plan(prepared, None, None, None, None, None, waiting, kinks)
    units = plan_units(
        prepared.steps, prepared.spec.runs, prepared.spec.protocol, stacked=prepared.spec.engine == "stacked"
    )
    items = sum(work(cells) for cells in units)
    rate = repository.seconds_per_item(session, dumped["model"], dumped["training"], prepared.device)
    return Plan(
        prepared,
        cells=sum(len(cells) for cells in units),
        units=len(units),
        training_items=items,
        sgd_steps=_sgd_steps(prepared.spec, prepared.steps),
        slot_seconds=rate * items if rate is not None else None,
        queued_reason=waiting,
        kinks=kinks,
        design=first_stage(prepared.spec, prepared.steps).design if prepared.spec.is_adaptive else None,
    )


def kinks_of(
    spec: Mapping[str, Any], learner: Mapping[str, Any] | None, info: Mapping[str, Any], steps: Sequence[int] | None
) -> list[dict[str, Any]]:
    """Return warnings of settings that change with the size: by a threshold between the steps, or with every item.

    Until a schedule plugin has named the steps, they may lie anywhere in the training split.
    """
    met = met_on(spec, learner, info)
    return [*warnings_between(met, steps or [1, int(info["train"]["size"])]), *drifts(met)]


def _sgd_steps(spec: JobSpec, steps: Sequence[int]) -> int | None:
    costs, unit = step_costs(spec.training.params, steps)
    return spec.runs * int(sum(costs)) if unit == "sgd_steps" else None


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
    known = load_plugins(session, ((field, ref.name) for field, ref in named))
    for field, ref in named:
        plugin, params, found = configure(session, field, ref.name, ref.params, (field,))
        errors.extend(found)
        configured[field] = PluginRef(name=ref.name, params=params)
        if plugin is not None:
            plugins[f"{field}:{ref.name}"] = plugin
    dataset, found = dataset_for_job(session, spec.dataset)
    errors.extend(found)
    if dataset is not None and dataset.status == "ready" and len(plugins) == len(named):
        errors.extend(misfits(session, configured, plugins, dataset, settings))
    if errors:
        raise invalid(errors)
    assert dataset is not None
    assert len(known) == len(named)
    steps = _steps(spec, dataset, settings)
    metrics = declared_metrics(plugins[f"evaluation:{spec.evaluation.name}"]) | spec.metrics
    device = _device(session, spec, dataset, settings)
    filled: dict[str, Any] = {"device": device, "sampling": spec.sampling or NEWEST_SAMPLING}
    filled["engine"] = _engine(spec, plugins, device)
    full = spec.model_copy(update={**configured, **filled})
    if faults := faults_of(full, steps, metrics):
        raise invalid([field_error(pointer(*path), detail) for path, detail in faults])
    if full.is_adaptive:
        full = full.model_copy(update={"plan": "adaptive"})
    learner = known_learner(plugins[f"model:{spec.model.name}"].capabilities, full.model.params)
    return Prepared(full, dataset, plugins, metrics, steps, device, learner)


def prepare_anew(session: Session, spec: JobSpec, settings: Settings) -> Prepared:
    """Check a job that was accepted once, as it would be submitted today.

    Raises
    ------
    Conflict
        When today it would be refused.
    """
    try:
        return prepare(session, spec, settings)
    except Invalid as error:
        detail = f"The job can no longer be run as it is: {error.detail}. Submit a new one."
        raise Conflict(detail, code="job_outdated", errors=error.errors) from error


def require_priority(priority: int, scope: Scope) -> None:
    """Refuse a priority that the scope of who submits does not reach.

    Raises
    ------
    Invalid
    """
    most = MOST_URGENT[scope]
    if priority > most:
        detail = f"{priority} takes scope admin; with {scope} it is at most {most}"
        raise invalid([field_error("#/priority", detail)])


def invalid(errors: Sequence[FieldError], code: str = "invalid_job") -> Invalid:
    """Return the problem of bad fields."""
    return Invalid(told(errors), code=code, errors=errors)


def _steps(spec: JobSpec, dataset: Dataset, settings: Settings) -> list[int] | None:
    info = require_ready(dataset)
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
    live = live_workers(session, settings)
    needed = needed_plugins(spec, dataset)
    if not live.has_device("cuda") or (not live.able(needed, "cuda") and live.able(needed, "cpu")):
        return "cpu"
    return "cuda"


def _engine(spec: JobSpec, plugins: Mapping[str, Plugin], device: str) -> EngineChoice:
    """Return how the cells are gone through: on a GPU by stacks, where model and training say that they allow it.

    On a CPU stacks are slower. A choice that is left open all the way to the trainer is the sequential engine.
    """
    if spec.engine != "auto" or device == "cpu":
        return spec.engine
    parts = plugins[f"model:{spec.model.name}"], plugins[f"training:{spec.training.name}"]
    allowed = spec.protocol == "independent" and all(part.capabilities.get("stacks") is True for part in parts)
    allowed &= not spec.model.params.get("dropout")  # what is drawn for several models at once is drawn otherwise
    return "stacked" if allowed else "auto"
