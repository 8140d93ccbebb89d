"""Builds what a job or a dataset names; what is wrong with it is said as a fault."""

from typing import Any

from sufficiency.schemas.spec import PluginRef
from sufficiency.training.faults import Fault, fault
from sufficiency.training.registry import DatasetContext, PluginError, Registry


def build(registry: Registry, kind: str, ref: PluginRef, *, context: DatasetContext | None = None) -> Any:
    """Build a plugin.

    Raises
    ------
    Fault
        When it is not there, or does not take its parameters.
    """
    name = f"{kind}:{ref.name}"
    try:
        return registry.build(kind, ref.name, ref.params, context=context)
    except PluginError as error:
        code = "plugin_unavailable" if error.phase == "find" else "plugin_raised"
        where = {"plugin": name, "phase": error.phase}
        raise Fault(fault(code, str(error), where, exception=error.__cause__ or error)) from error
