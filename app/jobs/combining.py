"""Whether what a job names goes together, and what would run in its place."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app.catalog.plugins import find_plugins
from app.catalog.workers import live_workers
from app.db.tables import Dataset, Plugin
from app.errors import FieldError, field_error, pointer
from app.settings import Settings
from sufficiency.method import combination
from sufficiency.method.combination import COMBINED, Part
from sufficiency.schemas.spec import PluginRef


def misfits(
    session: Session,
    configured: Mapping[str, PluginRef],
    plugins: Mapping[str, Plugin],
    dataset: Dataset,
    settings: Settings,
) -> list[FieldError]:
    """Return what does not go together of model, strategies and dataset, each with the nearest combination that does.

    Parameters
    ----------
    configured : mapping from str to PluginRef
        By field, with the defaults of their parameters.
    plugins : mapping from str to Plugin
        By ``field:name``.
    """
    task = (dataset.info or {}).get("task")
    if not isinstance(task, str):
        return []
    parts = {
        field: Part.described(field, ref.name, plugins[f"{field}:{ref.name}"].capabilities, ref.params)
        for field, ref in configured.items()
        if field in COMBINED
    }
    found = combination.misfits(parts, task, dataset.name)
    if not found:
        return []
    live = live_workers(session, settings)
    known = find_plugins(session)
    # Of what no worker offers now, only where none offers anything: the job would wait then in any case.
    offered = [plugin for plugin in known if live.offers(f"{plugin.kind}:{plugin.name}")] or known
    candidates = [
        Part.described(
            *(plugin.kind, plugin.name, plugin.capabilities, {}), needs=bool(plugin.params_schema.get("required"))
        )
        for plugin in offered
    ]
    instead = combination.nearest(parts, task, candidates)
    hint = f"; what would run: {', '.join(map(str, instead.values()))}" if instead else ""
    return [field_error(pointer(*misfit.place), f"{misfit.detail}{hint}.") for misfit in found]
