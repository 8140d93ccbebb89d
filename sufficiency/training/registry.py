"""Finds the plugins, describes their parameters as JSON Schema, and builds them."""

import inspect
import json
import math
import re
import sys
import traceback
import typing
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache, partial
from importlib import import_module
from importlib.metadata import entry_points, packages_distributions, version
from importlib.util import find_spec
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, Optional

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from sufficiency import moved
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import PLUGIN_KINDS

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
    module: str

    @property
    def is_ready_made(self) -> bool:
        """Used as it is: an instance, or a function that is the reset strategy itself."""
        if inspect.isclass(self.target):
            return False
        return self.kind == "reset" or not (inspect.isroutine(self.target) or isinstance(self.target, partial))

    @cached_property
    def missing(self) -> str | None:
        """What to do where a package that it needs is not installed: its module names them in `REQUIRES`."""
        required = getattr(sys.modules.get(self.module), "REQUIRES", None)
        for package, remedy in dict(required or {}).items():
            if find_spec(package) is None:
                return f"{package} is not installed where the worker runs: {remedy}, and start the worker again"
        return None

    @cached_property
    def params_model(self) -> type[BaseModel]:
        """What the params are checked against."""
        return _params_model(self.target) if not self.is_ready_made else _empty_model()

    @cached_property
    def description(self) -> PluginDescription:
        """The plugin as the catalog shows it."""
        return _describe(self)


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
        from sufficiency.plugins import BUILT_IN

        registry = cls()
        for spec in BUILT_IN:
            registry.add(spec)
        for group, kind in GROUPS.items():
            for point in entry_points(group=group):
                registry.add(f"{kind}:{point.name}={point.module}:{point.attr}")
        for spec in specs:
            registry.add(spec)
        return registry

    def target(self, kind: str, name: str) -> Any:
        """Return the class, function or instance that a plugin is."""
        return self._plugins[kind, name].target

    def add(self, spec: str) -> None:
        """Load one plugin, ``kind:name=module:attribute``; what is wrong with it is added to `errors`."""
        try:
            match = _SPEC.fullmatch(spec.strip())
            if match is None or match["kind"] not in PLUGIN_KINDS:
                raise ValueError(
                    f"not of the form kind:name=module:attribute, with a kind of {', '.join(PLUGIN_KINDS)}"
                )
            target: Any = import_module(match["module"])
            for part in match["attribute"].split("."):
                target = getattr(target, part)
            plugin = _Plugin(match["kind"], match["name"].strip(), target, match["module"])
            _check_shape(plugin)
            # The catalog keeps it as JSON: what JSON cannot hold is told here, to whoever installed the plugin.
            json.dumps(asdict(plugin.description), allow_nan=False)
            self._plugins[plugin.kind, plugin.name] = plugin
        except (Exception, SystemExit) as error:  # whatever somebody's module does must not take the others along
            lines = traceback.format_exc().splitlines()[-5:]
            said = "; ".join(filter(None, (f"{type(error).__name__}: {error}", moved.hint(error))))
            self.errors.append({"plugin": spec, "error": said, "traceback": lines})

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
            faults = [f"{'/'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:5]]
            raise PluginError(kind, name, "params", f"{kind}:{name} refuses its params: {'; '.join(faults)}") from error
        if plugin.is_ready_made:
            return plugin.target
        # Only what was given: not every default can be said in JSON, and the constructor knows its own.
        fields = type(checked).model_fields
        arguments = {str(fields[key].alias): getattr(checked, key) for key in checked.model_fields_set}
        signature = inspect.signature(plugin.target)
        if context is not None:
            arguments |= {key: getattr(context, key) for key in INJECTED if key in signature.parameters}
        bound = inspect.BoundArguments(signature, OrderedDict(arguments))
        try:
            return plugin.target(*bound.args, **bound.kwargs)
        except Exception as error:
            message = f"{kind}:{name} could not be built: {type(error).__name__}: {error}"
            raise PluginError(kind, name, "build", message) from error


def _check_shape(plugin: _Plugin) -> None:
    method = _METHOD.get(plugin.kind)
    is_class = inspect.isclass(plugin.target)
    if method and (is_class or plugin.is_ready_made) and not callable(getattr(plugin.target, method, None)):
        raise TypeError(f"a {plugin.kind} plugin needs a method {method}()")
    if plugin.kind == "reset" and not callable(plugin.target):
        raise TypeError("a reset plugin must be callable")
    if plugin.kind == "dataset" and plugin.is_ready_made:
        needed = ("__len__", "__getitem__")
        if not all(callable(getattr(plugin.target, name, None)) for name in needed):
            raise TypeError("a dataset must have a length and items: __len__() and __getitem__()")


def _describe(plugin: _Plugin) -> PluginDescription:
    schema = plugin.params_model.model_json_schema()
    schema.pop("title", None)
    for entry in schema.get("properties", {}).values():
        entry.pop("title", None)
    declared = getattr(plugin.target, "metric_properties", None) if plugin.kind == "evaluation" else None
    metrics = {str(name): _metric(str(name), properties) for name, properties in dict(declared or {}).items()}
    return PluginDescription(
        kind=plugin.kind,
        name=plugin.name,
        version=_version(plugin.module),
        summary=_summary(plugin.target),
        params_schema=schema,
        capabilities=({"metrics": metrics} if metrics else {})
        | ({"missing": plugin.missing} if plugin.missing else {}),
        devices=["cpu"] if plugin.kind in ("dataset", "schedule") else ["cpu", "cuda"],
    )


def _metric(name: str, properties: Any) -> dict[str, Any]:
    try:
        return MetricSpec.model_validate(properties).model_dump(mode="json")
    except ValidationError as error:
        form = '{"direction": "maximize" or "minimize", "bounds": [low or None, high or None]}'
        raise TypeError(f"metric_properties[{name!r}] must be {form}: {error.errors()[0]['msg']}") from error


def _summary(target: Any) -> str:
    if isinstance(target, partial):
        target = target.func
    documented = target if inspect.isclass(target) or inspect.isroutine(target) else type(target)
    # Only its own words: nn.Module's docstring says nothing of somebody's model.
    own = documented.__dict__.get("__doc__") if inspect.isclass(documented) else documented.__doc__
    return inspect.cleandoc(own or "").split("\n\n")[0].replace("\n", " ")


def _version(module: str) -> str:
    """Return the nearest version: of the module, of a package that it is in, of the installed distribution."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if own := getattr(sys.modules.get(".".join(parts[:length])), "__version__", None):
            return str(own)
    distributions = _distributions().get(parts[0])
    return version(distributions[0]) if distributions else "0"


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


_STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())


def _empty_model() -> type[BaseModel]:
    return create_model("Params", __config__=_STRICT)


def _params_model(target: Callable[..., Any]) -> type[BaseModel]:
    """Derive a model of the parameters from the constructor's signature; what JSON cannot say becomes Any."""
    hints = _hints(target)
    described = _param_docs(target)
    fields: dict[str, Any] = {}
    for position, (name, parameter) in enumerate(inspect.signature(target).parameters.items()):
        if name in INJECTED or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        # Under an alias, since a parameter may be called what pydantic keeps for itself: copy, schema, _private.
        about: dict[str, Any] = {"alias": name, "description": described.get(name)}
        default = parameter.default
        annotation = _usable(hints.get(name, Any), default)
        if default is parameter.empty:
            about["default"] = ...
        elif _is_json(default):
            about["default"] = default
        else:
            about["default_factory"] = _left_to_the_constructor
        fields[f"p{position}"] = (annotation, Field(**about))
    return create_model("Params", __config__=_STRICT, **fields)


def _left_to_the_constructor() -> None:
    """Stand in for a default that JSON cannot say: it makes the parameter optional, and is never passed on."""


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    """Resolve the annotations that can be: each by itself, as one may name what only a type checker imports."""
    function = target.func if isinstance(target, partial) else target
    constructor: Any = inspect.unwrap(function.__init__ if inspect.isclass(function) else function)
    known = dict(getattr(constructor, "__globals__", {}))
    hints: dict[str, Any] = {}
    for name, annotation in getattr(constructor, "__annotations__", {}).items():
        one: Any = SimpleNamespace(__annotations__={name: annotation})
        try:
            hints |= typing.get_type_hints(one, globalns=known, include_extras=True)
        except Exception:  # whatever evaluating it raises: the parameter is then not annotated
            continue
    return hints


def _usable(annotation: Any, default: Any) -> Any:
    """Return the annotation if it has a JSON Schema and takes its own default, else the next wider one that does."""
    candidates: list[Any] = [annotation]
    if default is None:
        candidates.append(Optional[annotation])  # noqa: UP045  (an annotation need not know the operator)
    for candidate in candidates:
        try:
            probe = create_model("Probe", __config__=_STRICT, x=(candidate, ...))
            probe.model_json_schema()
            if _is_json(default):
                probe.model_validate({"x": default})
        except Exception:
            continue
        return candidate
    return Any


def _is_json(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_json(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


def _param_docs(target: Any) -> dict[str, str]:
    """Read the "Parameters" sections of the docstrings (numpydoc): a function's, or a class's and its constructor's."""
    if isinstance(target, partial):
        target = target.func
    sources = [target.__init__, target] if inspect.isclass(target) else [target]
    docs: dict[str, str] = {}
    for source in sources:
        docs |= _parameters_section(inspect.cleandoc(getattr(source, "__doc__", None) or ""))
    return docs


def _parameters_section(text: str) -> dict[str, str]:
    lines = text.splitlines()
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
