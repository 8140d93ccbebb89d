"""A plugin that is tried: where it is, what it is built with, and what stands in the way."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from sufficiency.schemas.work import PluginDescription, PluginFailure
from sufficiency.testing.setting import Setting
from sufficiency.training.registry import Registry


class Trial:
    """One plugin and what it is tried with.

    Parameters
    ----------
    kind : str
        Of the plugin.
    name : str
        How findings call it.
    path : str
        Its ``module:attribute``.
    setting : Setting
        What it is tried with.
    """

    def __init__(self, kind: str, name: str, path: str, setting: Setting) -> None:
        self.kind, self.name, self.setting = kind, name, setting
        self.path = path
        self._kept: set[Callable[[Trial], None]] = set()

    @property
    def plugin(self) -> str:
        """Kind and name."""
        return f"{self.kind}:{self.name}"

    @property
    def failure(self) -> PluginFailure | None:
        """Why it cannot be loaded, if it cannot."""
        return next(iter(self._registry.errors), None)

    @property
    def description(self) -> PluginDescription:
        """It as the catalog shows it, where it can be loaded."""
        [described] = self._registry.describe()
        return described

    @property
    def target(self) -> Any:
        """The class, function or instance that it is."""
        return self._registry.target(self.kind, self.name)

    @property
    def tasks(self) -> list[str]:
        """What it says that it is for; none where it says nothing, or anything."""
        by = self.description.capabilities.get("tasks_by") or {}
        value = (self.setting.params or {}).get(by.get("param", ""))
        told = by["tasks"][value] if by and value in by["tasks"] else self.description.capabilities.get("tasks") or []
        return [] if "any" in told else list(told)

    def build(self) -> Any:
        """Build it, as the service does for each cell."""
        return self._registry.build(self.kind, self.name, self.setting.params or {}, context=self.setting.context)

    def tried_with(self, setting: Setting) -> "Trial":
        """Return the same plugin, tried with something else."""
        return Trial(self.kind, self.name, self.path, setting)

    def keep(self, rule: "Callable[[Trial], None]") -> None:
        """Hold it to a rule, once; what it breaks is raised each time."""
        if rule not in self._kept:
            rule(self)
            self._kept.add(rule)

    @cached_property
    def _registry(self) -> Registry:
        registry = Registry()
        registry.add(f"{self.kind}:{self.name}={self.path}")
        return registry
