"""What workers offer, and what datasets they found to be whole."""

import difflib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import pydantic
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable
from sqlalchemy import func
from sqlalchemy.orm import Session

from app.catalog import repository
from app.db.tables import Dataset, Plugin, Worker
from app.errors import Conflict, FieldError, Invalid, NotFound, field_error, pointer
from app.queue.outbox import enqueue
from app.settings import Settings
from sufficiency.schemas.datasets import NewDataset, SplitRule
from sufficiency.schemas.spec import MetricSpec

logger = logging.getLogger(__name__)

NO_VERSIONS: Mapping[str, str] = {}


@dataclass(frozen=True)
class LiveWorkers:
    """What the workers that were heard of lately can do, between them and each.

    Attributes
    ----------
    workers : tuple of Worker
    leases : mapping
        How many units a worker holds, by its id.
    missing : mapping
        Of "kind:name", the package that it lacks and what to do.
    """

    workers: tuple[Worker, ...]
    leases: Mapping[UUID, int]
    missing: Mapping[str, str] = field(default_factory=dict)

    def slots(self, workers: Iterable[Worker]) -> tuple[int, int]:
        """Return how many slots of the workers are free, and how many they have."""
        slots = {worker.id: worker.slots for worker in workers}
        busy = sum(min(self.leases.get(id, 0), count) for id, count in slots.items())
        return sum(slots.values()) - busy, sum(slots.values())

    def why_no_slot(self, able: Sequence[Worker]) -> str | None:
        """Return that all slots of the workers that could take some work are busy, or None where one is free."""
        free, every = self.slots(able)
        if free:
            return None
        busy = "the one that could take it is" if every == 1 else f"all {every} that could take it are"
        return f"waiting for a free slot: {busy} busy"

    def offers(self, plugin: str) -> bool:
        """Return whether any of them offers "kind:name"."""
        return any(plugin in worker.plugins for worker in self.workers)

    def versions(self, plugin: str) -> set[str | None]:
        """Return in which versions they offer "kind:name"; None is that of a worker too old to tell."""
        return {(worker.versions or {}).get(plugin) for worker in self.workers if plugin in worker.plugins}

    def able(self, plugins: Iterable[str], device: str, versions: Mapping[str, str] = NO_VERSIONS) -> list[Worker]:
        """Return those that each offer the device and all of the plugins, in the versions that are named."""
        wanted = set(plugins)
        return [
            worker
            for worker in self.workers
            if device in worker.devices
            and wanted <= set(worker.plugins)
            and all((worker.versions or {}).get(plugin, version) == version for plugin, version in versions.items())
        ]

    def has_device(self, device: str) -> bool:
        """Return whether any of them trains on the device."""
        return any(device in worker.devices for worker in self.workers)

    def why_waiting(self, plugins: Sequence[str], device: str, versions: Mapping[str, str] = NO_VERSIONS) -> str | None:
        """Return what keeps work that needs the plugins from being taken, or None when a worker could take it.

        Parameters
        ----------
        plugins : sequence of str
            Each "kind:name".
        device : {"cpu", "cuda"}
        versions : mapping
            Of those plugins that must be of one version, which.
        """
        if not self.workers:
            return "no worker is running"
        lacking = [plugin for plugin in plugins if not self.offers(plugin)]
        if lacking:
            remedies = [f"; {self.missing[plugin]}" for plugin in lacking if plugin in self.missing]
            return f"no live worker offers plugin {', '.join(lacking)}{''.join(remedies)}"
        if not self.has_device(device):
            return f"no live worker for device {device}"
        for plugin, version in versions.items():
            offered = self.versions(plugin)
            if offered and not offered & {version, None}:
                others = ", ".join(sorted(filter(None, offered)))
                return (
                    f"no live worker offers plugin {plugin} in version {version}, with which the job was begun, but "
                    f"in {others}; bring that version back, or cancel the job and retry it with start_anew"
                )
        if not self.able(plugins, device, versions):
            which = "in the job's versions " if versions else ""
            return f"no live worker for device {device} offers {which}all of {', '.join(plugins)}"
        return None


def live_window(settings: Settings) -> timedelta:
    """Return how long after its last heartbeat a worker still counts as live."""
    return timedelta(seconds=max(30.0, 3 * settings.heartbeat_seconds))


def live_workers(session: Session, settings: Settings) -> LiveWorkers:
    """Return the workers that were heard of lately."""
    workers = tuple(worker for worker, _ in repository.find_workers(session, live_window(settings)))
    return LiveWorkers(workers, repository.leases(session) if workers else {}, repository.missing_packages(session))


def all_workers(session: Session) -> list[tuple[Worker, float]]:
    """Return every worker that has not been forgotten, with the seconds since it was last heard."""
    return repository.find_workers(session)


def advertise(session: Session, plugins: list[dict[str, Any]]) -> None:
    """Write what a worker has into the catalog.

    Parameters
    ----------
    plugins : list of dict
        Each with kind, name, version, summary, params_schema, capabilities and devices.
    """
    # In one order, so that workers that start together do not wait for each other in a circle.
    keys = ("kind", "name", "version", "summary", "params_schema", "capabilities", "devices")
    rows = sorted(({key: plugin[key] for key in keys} for plugin in plugins), key=lambda p: (p["kind"], p["name"]))
    if rows:
        repository.upsert_plugins(session, rows)


def list_plugins(session: Session, kind: str | None, after: tuple[str, str] | None, limit: int) -> list[Plugin]:
    """Return plugins by kind and name."""
    return repository.find_plugins(session, kind, after=after, limit=limit)


def get_plugin(session: Session, kind: str, name: str) -> Plugin:
    """Return one plugin of the catalog."""
    plugin = repository.get_plugin(session, kind, name)
    if plugin is None:
        raise NotFound(_unknown(session, kind, name), code="plugin_not_found")
    return plugin


def find_plugin(session: Session, kind: str, name: str) -> Plugin | None:
    """Return one plugin of the catalog, or None."""
    return repository.get_plugin(session, kind, name)


def load_plugins(session: Session, references: Iterable[tuple[str, str]]) -> list[Plugin]:
    """Return those of the (kind, name) that are in the catalog, and have them at hand for whoever asks for one next."""
    return repository.get_plugins(session, list(references))


def _unknown(session: Session, kind: str, name: str) -> str:
    known = [plugin.name for plugin in repository.find_plugins(session, kind)]
    if not known:
        return f"No {kind} plugin is called {name!r}: no worker has offered any {kind} plugin yet. Start a worker."
    return f"No {kind} plugin is called {name!r}; {nearest(name, known)}."


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the known names that are like a name, or the first of them all."""
    if close := difflib.get_close_matches(name, known, n=3, cutoff=0.5):
        return f"nearest: {', '.join(close)}"
    more = f" and {len(known) - 10} more" if len(known) > 10 else ""
    return f"known: {', '.join(list(known)[:10])}{more}"


def configure(
    session: Session, kind: str, name: str, params: Mapping[str, Any], where: tuple[str, ...], *, key: str = "name"
) -> tuple[Plugin | None, dict[str, Any], list[FieldError]]:
    """Check a reference to a plugin against the catalog and fill in the defaults of its parameters.

    Parameters
    ----------
    where : tuple of str
        Place of the reference in the request's body.
    key : str
        Field of the reference that holds the plugin's name.

    Returns
    -------
    plugin : Plugin or None
        None when there is none of that name.
    params : dict
        With the defaults.
    errors : list of FieldError
        What is wrong with it.
    """
    plugin = repository.get_plugin(session, kind, name)
    if plugin is None:
        return None, dict(params), [field_error(pointer(*where, key), _unknown(session, kind, name))]
    try:
        validator = _validator(json.dumps(plugin.params_schema))
        full = with_defaults(plugin.params_schema, params)
        return plugin, full, _params_errors(validator, full, (*where, "params"))
    except (SchemaError, Unresolvable) as error:
        # The plugin's fault, not the client's; but it is the client who can do without the plugin.
        detail = f"The {kind} plugin {name!r} has parameters that nobody can check: {error.__class__.__name__}."
        return plugin, dict(params), [field_error(pointer(*where, key), detail)]


def declared_metrics(evaluation: Plugin) -> dict[str, MetricSpec]:
    """Return how the metrics of an evaluation read, as far as it says so in a way that can be understood."""
    declared: dict[str, MetricSpec] = {}
    for name, properties in (evaluation.capabilities.get("metrics") or {}).items():
        try:
            declared[name] = MetricSpec.model_validate(properties)
        except pydantic.ValidationError:
            logger.warning("evaluation %s declares metric %s as %r: ignored", evaluation.name, name, properties)
    return declared


def with_defaults(schema: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with the schema's defaults for those that are not given."""
    defaults = {
        name: deepcopy(field["default"])
        for name, field in schema.get("properties", {}).items()
        if isinstance(field, dict) and "default" in field
    }
    return defaults | dict(params)


@lru_cache(maxsize=512)
def _validator(schema: str) -> Draft202012Validator:
    """Return the validator of a schema, written as JSON, that is one: to check the schema itself takes the longest.

    Raises
    ------
    SchemaError
    """
    parsed = json.loads(schema)
    Draft202012Validator.check_schema(parsed)
    # An empty registry: a reference in a schema must not make the API fetch anything.
    return Draft202012Validator(parsed, registry=Registry())


def _params_errors(validator: Draft202012Validator, params: dict[str, Any], where: tuple[str, ...]) -> list[FieldError]:
    errors: list[FieldError] = []
    for error in sorted(validator.iter_errors(params), key=lambda e: [str(p) for p in e.absolute_path]):
        errors.extend(_field_errors(error, (*where, *error.absolute_path)))
    return errors


def _field_errors(error: ValidationError, place: tuple[str | int, ...]) -> list[FieldError]:
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        schema = error.schema if isinstance(error.schema, Mapping) else {}
        known = sorted(schema.get("properties", {}))
        return [
            field_error(
                pointer(*place, name),
                f"no such parameter; {nearest(name, known)}" if known else "no such parameter; there is none",
            )
            for name in error.instance
            if name not in known
        ]
    if error.validator == "required" and isinstance(error.instance, dict):
        # One error a missing name: the message names it.
        name = error.message.split("'")[1] if "'" in error.message else ""
        return [field_error(pointer(*place, name), "is required")]
    message = error.message if len(error.message) <= 300 else f"{error.message[:300]}…"
    return [field_error(pointer(*place), message)]


def register_dataset(session: Session, new: NewDataset) -> tuple[Dataset, bool]:
    """Register a pair of splits and ask a worker to verify them.

    Returns
    -------
    dataset : Dataset
        As registered: each split with its loader and all parameters, and the `part` of a source that it is.
    created : bool
        False when the same dataset was registered already.
    """
    name = new.name
    errors: list[FieldError] = []
    splits: dict[str, dict[str, Any]] = {}
    for split, place, asked in new.references():
        _, params, found = configure(session, "dataset", asked.loader, asked.params, (place,), key="loader")
        splits[split] = {"loader": asked.loader, "params": params}
        if new.source is not None:
            splits[split]["part"] = {"name": split, **(new.split or SplitRule()).model_dump()}
        if new.standardise:
            splits[split]["standardise"] = True
        errors.extend(error for error in found if error not in errors)
    if errors:
        raise Invalid("; ".join(error["detail"] for error in errors), code="invalid_dataset", errors=errors)
    dataset = repository.insert_dataset(session, name, splits["train"], splits["test"])
    if dataset is not None:
        enqueue(session, "verify_dataset", dataset.id, "cpu")
        session.flush()
        return dataset, True
    existing = repository.get_dataset(session, name)
    if existing is None:
        raise Conflict(f"Dataset {name!r} is being deleted; try again.", code="dataset_exists")
    if (existing.train, existing.test) != (splits["train"], splits["test"]):
        raise Conflict(
            f"Dataset {name!r} is registered with other splits; choose another name, or delete it first.",
            code="dataset_exists",
        )
    return existing, False


def get_dataset(session: Session, name: str) -> Dataset:
    """Return one dataset."""
    dataset = repository.get_dataset(session, name)
    if dataset is None:
        raise NotFound(f"No dataset is called {name!r}; GET /datasets lists them.", code="dataset_not_found")
    return dataset


def dataset_preview(session: Session, name: str) -> tuple[bytes, str]:
    """Return a PNG of some of a dataset's items, and the fingerprint of what it shows.

    Raises
    ------
    NotFound
        When there is none, with the reason.
    """
    dataset = get_dataset(session, name)
    if dataset.preview is None:
        why = {
            "verifying": "no worker has verified it yet; wait until its status is ready",
            "invalid": "it is invalid; its error says why",
        }.get(dataset.status, "its items are not images; its info says what is in it")
        raise NotFound(f"There is no picture of dataset {name!r}: {why}.", code="preview_not_found")
    return dataset.preview, str(dataset.fingerprint)


def list_datasets(session: Session, after: str | None, limit: int) -> list[Dataset]:
    """Return datasets by name."""
    return repository.find_datasets(session, after=after, limit=limit)


def dataset_for_job(session: Session, name: str) -> tuple[Dataset | None, list[FieldError]]:
    """Return the dataset that a job is to be on, kept from being deleted until the transaction ends."""
    dataset = repository.get_dataset(session, name, lock="use")
    if dataset is not None:
        return dataset, []
    known = [d.name for d in repository.find_datasets(session, after=None, limit=1000)]
    hint = nearest(name, known) if known else "none is registered yet; register one with POST /datasets"
    return None, [field_error("#/dataset", f"No dataset is called {name!r}; {hint}.")]


def require_ready(dataset: Dataset) -> dict[str, Any]:
    """Return what is in a dataset.

    Raises
    ------
    Conflict
        When it is still being verified, or invalid.
    """
    if dataset.status == "verifying":
        raise Conflict(
            f"Dataset {dataset.name!r} is still being verified; wait until its status is ready.",
            code="dataset_not_ready",
        )
    if dataset.status == "invalid" or dataset.info is None:
        reason = (dataset.error or {}).get("detail", "it could not be read")
        raise Conflict(f"Dataset {dataset.name!r} is invalid: {reason}", code="dataset_invalid")
    return dataset.info


def verify_again(session: Session, name: str) -> Dataset:
    """Ask a worker to read a dataset anew, because its files have changed; one that is being verified is left to it."""
    get_dataset(session, name)
    dataset = repository.get_dataset(session, name, lock="change")
    if dataset is None:
        raise Conflict(f"Dataset {name!r} is being deleted.", code="dataset_gone")
    if dataset.status != "verifying":
        # What was found before stays until it is known what there is now: results of jobs are labelled with it.
        dataset.status, dataset.fingerprint, dataset.error = "verifying", None, None
        dataset.verified_at, dataset.attempts, dataset.sent_at = None, 0, func.now()
        enqueue(session, "verify_dataset", dataset.id, "cpu")
        session.flush()
        session.refresh(dataset)
    return dataset


def why_verifying(dataset: Dataset, live: LiveWorkers) -> str:
    """Return what a dataset that is to be verified waits for."""
    needed = loaders(dataset)
    able = live.able(needed, "cpu")
    reason = live.why_waiting(needed, "cpu") or live.why_no_slot(able)
    free, every = live.slots(able)
    return reason or f"waiting for a worker to read it: {free} of {every} slots are free"


def delete_dataset(session: Session, name: str) -> None:
    """Remove a dataset's registration; its files stay."""
    get_dataset(session, name)
    dataset = repository.get_dataset(session, name, lock="change")
    if dataset is None:
        return
    if jobs := repository.jobs_on(session, dataset.id):
        raise Conflict(
            f"{jobs} job{'s are' if jobs > 1 else ' is'} on dataset {name!r}; delete them first.",
            code="dataset_in_use",
        )
    session.delete(dataset)
    session.flush()


def loaders(dataset: Dataset) -> list[str]:
    """Return the plugins that read a dataset, as "kind:name"."""
    return sorted({f"dataset:{dataset.train['loader']}", f"dataset:{dataset.test['loader']}"})
