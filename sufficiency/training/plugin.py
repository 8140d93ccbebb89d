"""A plugin in hand: what it is, whether it has the shape of its kind, and how the catalog shows it."""

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from typing import Any

from pydantic import BaseModel, ValidationError

from sufficiency.schemas.faults import worded
from sufficiency.schemas.plain import plain
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.work import PluginDescription
from sufficiency.training.declared import declared
from sufficiency.training.learners import known_of_plugin
from sufficiency.training.parameters import no_params_model, params_model

_METHOD = {"training": "train", "evaluation": "evaluate", "schedule": "get_steps"}


@dataclass(frozen=True)
class Plugin:
    """A plugin that has been imported.

    Attributes
    ----------
    target : object
        The class, function or instance that it is.
    module : str
        Where that was imported from.
    attribute : str
        By what name it stands there; empty of an object at hand.
    """

    kind: str
    name: str
    target: Any
    module: str
    attribute: str = ""

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
        for named, remedy in dict(required or {}).items():
            packages = (named,) if isinstance(named, str) else named  # one of several will do
            if all(find_spec(package) is None for package in packages):
                absent = f"{' or '.join(packages)} is not installed where the worker runs"
                return f"{absent}: {remedy}, and start the worker again"
        return None

    @cached_property
    def params_model(self) -> type[BaseModel]:
        """What the params are checked against."""
        return no_params_model() if self.is_ready_made else params_model(self.target)

    @cached_property
    def description(self) -> PluginDescription:
        """The plugin as the catalog shows it."""
        schema = self.params_model.model_json_schema()
        schema.pop("title", None)
        for entry in schema.get("properties", {}).values():
            entry.pop("title", None)
        measured = getattr(self.target, "metric_properties", None) if self.kind == "evaluation" else None
        metrics = {str(name): _metric(str(name), properties) for name, properties in dict(measured or {}).items()}
        return PluginDescription(
            kind=self.kind,
            name=self.name,
            version=_version(self.module),
            summary=_summary(self.target),
            params_schema=schema,
            capabilities=declared(self.kind, self.target)
            | ({"metrics": metrics} if metrics else {})
            | ({"missing": self.missing} if self.missing else {})
            | ({"learner": known} if self.kind == "model" and (known := known_of_plugin(self.target)) else {}),
            devices=["cpu"] if self.kind in ("dataset", "schedule") else ["cpu", "cuda"],
        )

    def check_shape(self) -> None:
        """Look whether it has what is called of its kind.

        Raises
        ------
        TypeError
            When it has not.
        """
        method = _METHOD.get(self.kind)
        is_class = inspect.isclass(self.target)
        if method and (is_class or self.is_ready_made) and not callable(getattr(self.target, method, None)):
            raise TypeError(f"a {self.kind} plugin needs a method {method}()")
        if self.kind == "reset" and not callable(self.target):
            raise TypeError("a reset plugin must be callable")
        if self.kind == "dataset" and self.is_ready_made:
            needed = ("__len__", "__getitem__")
            if not all(callable(getattr(self.target, name, None)) for name in needed):
                raise TypeError("a dataset must have a length and items: __len__() and __getitem__()")


def _metric(name: str, properties: Any) -> dict[str, Any]:
    try:
        return MetricSpec.model_validate(properties).model_dump(mode="json")
    except ValidationError as error:
        form = '{"direction": "maximize" or "minimize", "bounds": [low or None, high or None]}'
        raise TypeError(f"metric_properties[{name!r}] must be {form}: {worded(error.errors()[0])}") from error


def _summary(target: Any) -> str:
    if isinstance(target, partial):
        target = target.func
    documented = target if inspect.isclass(target) or inspect.isroutine(target) else type(target)
    # Only its own words: nn.Module's docstring says nothing of somebody's model.
    own = documented.__dict__.get("__doc__") if inspect.isclass(documented) else documented.__doc__
    return plain(inspect.cleandoc(own or "").split("\n\n")[0].replace("\n", " "))


def _version(module: str) -> str:
    """Return the nearest version: of the module, of a package that it is in, of the installed distribution."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if own := getattr(sys.modules.get(".".join(parts[:length])), "__version__", None):
            return str(own)
    names = distributions().get(parts[0])
    return version(names[0]) if names else "0"


@lru_cache(maxsize=1)
def distributions() -> Mapping[str, list[str]]:
    """Return the installed distributions of each package, read once."""
    return packages_distributions()
