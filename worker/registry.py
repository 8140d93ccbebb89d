"""Finds the plugins, describes their parameters as JSON Schema, and builds them."""

import inspect
import re
import sys
import traceback
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points, packages_distributions, version
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

KINDS = ("model", "training", "evaluation", "reset", "dataset", "schedule")
GROUPS = {
    "sufficiency.models": "model",
    "sufficiency.training_strategies": "training",
    "sufficiency.evaluation_strategies": "evaluation",
    "sufficiency.reset_strategies": "reset",
    "sufficiency.datasets": "dataset",
    "sufficiency.schedules": "schedule",
}
INJECTED = ("input_shape", "num_classes")
_SPEC = re.compile(r"(?P<kind>[a-z]+):(?P<name>[^=]+)=(?P<module>[\w.]+):(?P<attribute>[\w.]+)")
_METHOD = {"training": "train", "evaluation": "evaluate", "schedule": "get_steps"}


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
    """What a plugin may be told of the dataset: the shape of one item, and the number of classes."""

    input_shape: tuple[int, ...]
    num_classes: int


@dataclass(frozen=True)
class PluginDescription:
    """A plugin as the catalog shows it."""

    kind: str
    name: str
    version: str
    summary: str
    params_schema: dict[str, Any]
    capabilities: dict[str, Any] = field(default_factory=dict)
    devices: list[str] = field(default_factory=lambda: ["cpu", "cuda"])


@dataclass(frozen=True)
class _Plugin:
    kind: str
    name: str
    target: Any

    @property
    def is_ready_made(self) -> bool:
        """Used as it is: an instance, or a function that is the reset strategy itself."""
        if inspect.isclass(self.target):
            return False
        return self.kind == "reset" or not inspect.isroutine(self.target)

    def params_model(self) -> type[BaseModel]:
        return _params_model(self.target) if not self.is_ready_made else _empty_model()


class Registry:
    """The plugins of this process, by kind and name."""

    def __init__(self) -> None:
        self._plugins: dict[tuple[str, str], _Plugin] = {}
        self.errors: list[dict[str, Any]] = []

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
        from worker.plugins import BUILT_IN

        registry = cls()
        for spec in BUILT_IN:
            registry._add_spec(spec)
        for group, kind in GROUPS.items():
            for point in entry_points(group=group):
                registry._add_spec(f"{kind}:{point.name}={point.value}")
        for spec in specs:
            registry._add_spec(spec)
        return registry

    def _add_spec(self, spec: str) -> None:
        try:
            match = _SPEC.fullmatch(spec.strip())
            if match is None or match["kind"] not in KINDS:
                raise ValueError(f"not of the form kind:name=module:attribute, with a kind of {', '.join(KINDS)}")
            target: Any = import_module(match["module"])
            for part in match["attribute"].split("."):
                target = getattr(target, part)
            plugin = _Plugin(match["kind"], match["name"].strip(), target)
            _check_shape(plugin)
            self._plugins[plugin.kind, plugin.name] = plugin
        except Exception as error:  # whatever somebody's module raises must not take the others along
            lines = traceback.format_exc().splitlines()[-5:]
            self.errors.append({"plugin": spec, "error": f"{type(error).__name__}: {error}", "traceback": lines})

    def describe(self) -> list[PluginDescription]:
        """Return what this process offers; a plugin whose signature cannot be read moves to `errors`."""
        described = []
        for key, plugin in sorted(self._plugins.items()):
            try:
                described.append(_describe(plugin))
            except Exception as error:
                self.errors.append({"plugin": f"{key[0]}:{key[1]}", "error": f"{type(error).__name__}: {error}"})
        return described

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
        try:
            checked = plugin.params_model().model_validate(dict(params))
        except ValidationError as error:
            first = error.errors()[0]
            at = "/".join(str(part) for part in first["loc"])
            raise PluginError(kind, name, "params", f"{kind}:{name} does not take {at!r}: {first['msg']}") from error
        if plugin.is_ready_made:
            return plugin.target
        arguments = {field: getattr(checked, field) for field in type(checked).model_fields}
        if context is not None:
            wanted = _signature(plugin.target).parameters
            arguments |= {key: getattr(context, key) for key in INJECTED if key in wanted}
        try:
            return plugin.target(**arguments)
        except Exception as error:
            message = f"{kind}:{name} could not be built: {type(error).__name__}: {error}"
            raise PluginError(kind, name, "build", message) from error


def _check_shape(plugin: _Plugin) -> None:
    method = _METHOD.get(plugin.kind)
    if method and not inspect.isroutine(plugin.target) and not callable(getattr(plugin.target, method, None)):
        raise TypeError(f"a {plugin.kind} plugin needs a method {method}()")
    if plugin.kind in ("reset", "dataset") and not callable(plugin.target):
        raise TypeError(f"a {plugin.kind} plugin must be callable")


def _describe(plugin: _Plugin) -> PluginDescription:
    schema = plugin.params_model().model_json_schema()
    schema.pop("title", None)
    for entry in schema.get("properties", {}).values():
        entry.pop("title", None)
    declared = getattr(plugin.target, "metric_properties", None)
    capabilities = {"metrics": dict(declared)} if plugin.kind == "evaluation" and declared else {}
    return PluginDescription(
        kind=plugin.kind,
        name=plugin.name,
        version=_version(plugin.target),
        summary=_summary(plugin.target),
        params_schema=schema,
        capabilities=capabilities,
        devices=["cpu"] if plugin.kind in ("dataset", "schedule") else ["cpu", "cuda"],
    )


def _summary(target: Any) -> str:
    documented = target if inspect.isclass(target) or inspect.isroutine(target) else type(target)
    # Only its own words: nn.Module's docstring says nothing of somebody's model.
    own = documented.__dict__.get("__doc__") if inspect.isclass(documented) else documented.__doc__
    return inspect.cleandoc(own or "").split("\n\n")[0].replace("\n", " ")


def _version(target: Any) -> str:
    module = getattr(target, "__module__", None) or type(target).__module__
    top = module.split(".")[0]
    if distributions := _distributions().get(top):
        return version(distributions[0])
    return str(getattr(sys.modules.get(module), "__version__", "0"))


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def _signature(target: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(target)


_STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())


def _empty_model() -> type[BaseModel]:
    return create_model("Params", __config__=_STRICT)


def _params_model(target: Callable[..., Any]) -> type[BaseModel]:
    """Derive a model of the parameters from the constructor's signature; what JSON cannot say becomes Any."""
    constructor = target.__init__ if inspect.isclass(target) else target
    try:
        hints = typing.get_type_hints(constructor, include_extras=True)
    except Exception:  # annotations that name what is not imported
        hints = {}
    described = _param_docs(target)
    fields: dict[str, Any] = {}
    for name, parameter in _signature(target).parameters.items():
        if name in INJECTED or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        annotation = _speakable(hints.get(name, Any))
        if default is not ... and not _is_json(default):
            annotation, default = Any, None
        fields[name] = (annotation, Field(default, description=described.get(name)))
    return create_model("Params", __config__=_STRICT, **fields)


def _speakable(annotation: Any) -> Any:
    try:
        create_model("Probe", __config__=_STRICT, x=(annotation, ...)).model_json_schema()
    except Exception:
        return Any
    return annotation


def _is_json(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_json(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


def _param_docs(target: Any) -> dict[str, str]:
    """Read the "Parameters" section of a numpydoc docstring."""
    lines = inspect.cleandoc(getattr(target, "__doc__", None) or "").splitlines()
    docs: dict[str, str] = {}
    names: list[str] = []
    inside = False
    for line, following in pairwise([*lines, ""]):
        if following and set(following.strip()) == {"-"}:
            inside = line.strip() == "Parameters"
            names = []
        elif inside and line and not line.startswith(" ") and set(line) != {"-"}:
            names = [name.strip().lstrip("*") for name in line.split(":")[0].split(",")]
        elif inside and line.startswith(" "):
            for name in names:
                docs[name] = f"{docs.get(name, '')} {line.strip()}".strip()
    return docs
