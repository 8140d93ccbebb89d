"""Finds the plugins and builds them."""

import inspect
import json
import re
import traceback
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from sufficiency import moved
from sufficiency.plugins import BUILT_IN
from sufficiency.schemas.faults import worded
from sufficiency.schemas.words import PLUGIN_KINDS
from sufficiency.schemas.work import PluginDescription, PluginFailure
from sufficiency.training.faults import describe, storable
from sufficiency.training.parameters import INJECTED, given
from sufficiency.training.plugin import Plugin

GROUPS = {
    "sufficiency.models": "model",
    "sufficiency.training_strategies": "training",
    "sufficiency.evaluation_strategies": "evaluation",
    "sufficiency.reset_strategies": "reset",
    "sufficiency.datasets": "dataset",
    "sufficiency.schedules": "schedule",
}
_SPEC = re.compile(r"(?P<kind>[a-z]+):(?P<name>[^=]+)=(?P<module>[\w.]+):(?P<attribute>[\w.]+)")


class PluginError(Exception):
    """A plugin that is not there, does not take its parameters, or cannot be built.

    Attributes
    ----------
    kind, name : str
    phase : {"find", "params", "build"}
    """

    def __init__(self, kind: str, name: str, phase: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.name, self.phase = kind, name, phase


@dataclass(frozen=True)
class DatasetContext:
    """What a plugin may be told of the dataset: the shape of one item, and the number of classes.

    The shape is empty where the items are not of one; `why` says so where that is known.
    """

    input_shape: tuple[int, ...]
    num_classes: int
    why: str = ""


class Registry:
    """The plugins of this process, by kind and name."""

    def __init__(self) -> None:
        self._plugins: dict[tuple[str, str], Plugin] = {}
        self.errors: list[PluginFailure] = []

    @classmethod
    def load(cls, specs: Iterable[str] = ()) -> "Registry":
        """Load the built-in plugins, those of installed packages, and those of the settings.

        Parameters
        ----------
        specs : iterable of str
            Each ``kind:name=module:attribute``. A later plugin of the same kind and name takes the earlier's place.

        Notes
        -----
        A plugin that cannot be loaded stands in `errors`, and the others are there all the same.
        """
        registry = cls()
        for spec in BUILT_IN:
            registry.add(spec)
        installed = entry_points()  # all of them at once: each look reads what every installed package says of itself
        for group, kind in GROUPS.items():
            for point in installed.select(group=group):
                registry.add(f"{kind}:{point.name}={point.module}:{point.attr}")
        for spec in specs:
            registry.add(spec)
        return registry

    def add(self, spec: str) -> None:
        """Load one plugin, ``kind:name=module:attribute``; what is wrong with it is added to `errors`."""
        try:
            plugin = _imported(spec)
            plugin.check_shape()
            # The catalog keeps it as JSON in UTF-8: what these cannot hold is told here, to whoever installed it.
            json.dumps(asdict(plugin.description), allow_nan=False, ensure_ascii=False).encode()
            self._plugins[plugin.kind, plugin.name] = plugin
        except (Exception, SystemExit) as error:  # whatever somebody's module does must not take the others along
            lines = [storable(line) for line in traceback.format_exc().splitlines()[-5:]]
            said = "; ".join(filter(None, (describe(error), moved.hint(error))))
            self.errors.append(PluginFailure(storable(spec), said, lines))

    def hold(self, kind: str, name: str, target: Any) -> None:
        """Have an object at hand as a plugin, in place of any other of its kind and name.

        Raises
        ------
        TypeError
            When it has not the shape of its kind.
        """
        module = getattr(target, "__module__", None) or type(target).__module__
        plugin = Plugin(kind, name, target, str(module))
        plugin.check_shape()
        self._plugins[kind, name] = plugin

    def plugin(self, kind: str, name: str) -> Plugin | None:
        """Return a plugin, or None where there is none of that name."""
        return self._plugins.get((kind, name))

    def names(self, kind: str) -> list[str]:
        """Return the names of the plugins of a kind."""
        return sorted(name for of_kind, name in self._plugins if of_kind == kind)

    def target(self, kind: str, name: str) -> Any:
        """Return the class, function or instance that a plugin is."""
        return self._plugins[kind, name].target

    def takes(self, kind: str, name: str, parameter: str) -> bool:
        """Return whether a plugin is there and has a parameter."""
        plugin = self._plugins.get((kind, name))
        return plugin is not None and any(one.alias == parameter for one in plugin.params_model.model_fields.values())

    def is_ours(self, kind: str, name: str) -> bool:
        """Return whether a plugin is there and is one of this program's own."""
        plugin = self._plugins.get((kind, name))
        return plugin is not None and bool(plugin.attribute) and plugin.module.startswith("sufficiency.")

    def version(self, kind: str, name: str) -> str:
        """Return the version of a plugin that is there."""
        return self._plugins[kind, name].description.version

    def describe(self) -> list[PluginDescription]:
        """Return what this process offers."""
        return [plugin.description for _, plugin in sorted(self._plugins.items())]

    def build(self, kind: str, name: str, params: Mapping[str, Any], *, context: DatasetContext | None = None) -> Any:
        """Return the plugin, built with its parameters.

        Parameters
        ----------
        context : DatasetContext, optional
            Given to constructors that have parameters `input_shape` or `num_classes`.

        Raises
        ------
        PluginError
        """
        plugin = self._plugins.get((kind, name))
        if plugin is None:
            raise PluginError(kind, name, "find", f"This worker has no {kind} plugin {name!r}.")
        if plugin.missing:
            raise PluginError(kind, name, "find", f"{kind}:{name} cannot be used: {plugin.missing}.")
        try:
            checked = plugin.params_model.model_validate(dict(params))
        except ValidationError as error:
            faults = [f"{'/'.join(map(str, fault['loc']))}: {worded(fault)}" for fault in error.errors()[:5]]
            raise PluginError(kind, name, "params", f"{kind}:{name} refuses its params: {'; '.join(faults)}") from error
        if plugin.is_ready_made:
            return plugin.target
        arguments = given(checked)
        signature = inspect.signature(plugin.target)
        if context is not None:
            asked = [key for key in INJECTED if key in signature.parameters]
            if "input_shape" in asked and not context.input_shape:
                if signature.parameters["input_shape"].default is inspect.Parameter.empty:
                    because = f" ({context.why})" if context.why else ""
                    message = (
                        f"{kind}:{name} asks for the shape of an item (input_shape), and the items of this dataset are "
                        f"no pairs (array, target) with arrays of one shape{because}; take a model that does not need "
                        "it, or have the dataset give such pairs"
                    )
                    raise PluginError(kind, name, "build", message)
                asked.remove("input_shape")
            arguments |= {key: getattr(context, key) for key in asked}
        bound = inspect.BoundArguments(signature, OrderedDict(arguments))
        try:
            return plugin.target(*bound.args, **bound.kwargs)
        except Exception as error:
            message = f"{kind}:{name} could not be built: {type(error).__name__}: {error}"
            raise PluginError(kind, name, "build", message) from error


def _imported(spec: str) -> Plugin:
    match = _SPEC.fullmatch(spec.strip())
    if match is None or match["kind"] not in PLUGIN_KINDS:
        raise ValueError(f"not of the form kind:name=module:attribute, with a kind of {', '.join(PLUGIN_KINDS)}")
    target: Any = import_module(match["module"])
    for part in match["attribute"].split("."):
        target = getattr(target, part)
    return Plugin(match["kind"], match["name"].strip(), target, match["module"], match["attribute"])
