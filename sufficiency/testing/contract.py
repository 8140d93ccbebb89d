"""Holds plugins to the contract, rule by rule."""

import unittest
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from sufficiency.testing.findings import Advice, Broken, Finding
from sufficiency.testing.fitting import fitting_setting
from sufficiency.testing.found import found_plugins
from sufficiency.testing.rules import UNTOLD, Rule, name_of, needed_before, rules_of
from sufficiency.testing.seeding import as_in_a_trainer
from sufficiency.testing.setting import Setting, for_tasks, sample_setting
from sufficiency.testing.trial import Trial
from sufficiency.training.faults import describe


class Untried(unittest.SkipTest):
    """A rule that cannot be tried before another is kept; test runners count it as skipped."""


@dataclass(frozen=True)
class PluginCheck:
    """One rule and the plugin that is held to it. Called, it is a test: it returns, or raises what is wrong."""

    trial: Trial
    rule: Rule

    @property
    def id(self) -> str:
        """How a test runner calls it, such as ``training:Adam-takes-an-item-twice``."""
        return f"{self.trial.plugin}-{name_of(self.rule).replace(' ', '-')}"

    def __call__(self) -> None:
        """Try it, calculating as a trainer does.

        Raises
        ------
        Broken
            With what was seen, and what to do.
        Untried
            When the plugin cannot be loaded or built, which another check says.

        Warns
        -----
        UserWarning
            Of what is allowed and still worth changing.
        """
        try:
            self._try()
        except Advice as advice:
            warnings.warn(f"{self.trial.plugin}: {name_of(self.rule)}: {advice}", stacklevel=2)

    def finding(self) -> Finding:
        """Try it, and return what was found.

        Raises
        ------
        Untried
            As when it is called.
        """
        plugin, rule = self.trial.plugin, name_of(self.rule)
        try:
            self._try()
        except Broken as broken:
            return Finding(plugin, rule, "failed", str(broken))
        except Advice as advice:
            return Finding(plugin, rule, "advice", str(advice))
        except Untried:
            raise
        except (Exception, SystemExit) as error:  # whatever somebody's plugin raises is a finding
            frame = error.__traceback__
            while frame is not None and frame.tb_next is not None:
                frame = frame.tb_next
            place = f" at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else ""
            return Finding(plugin, rule, "failed", f"It raised {describe(error)}{place}. Mend what raises.")
        return Finding(plugin, rule, "ok")

    def _try(self) -> None:
        with as_in_a_trainer():
            for needed in needed_before(self.rule):
                try:
                    self.trial.keep(needed)
                except Broken:
                    why = f"{self.trial.plugin} breaks the rule {name_of(needed)!r}"
                    raise Untried(f"{why}: nothing else of it can be tried") from None
            self.rule(self.trial)


def plugin_checks(
    target: str,
    kind: str | None = None,
    setting: Setting | None = None,
    *,
    params: Mapping[str, Any] | None = None,
) -> list[PluginCheck]:
    """Return every check of a plugin, or of all plugins of a module.

    Parameters
    ----------
    target : str
        ``module:attribute``, or a module, in which everything that looks like a plugin is checked.
    kind : str, optional
        Of the plugin, where it cannot be told by its methods.
    setting : Setting, optional
        What to try it with. By default random items that a model takes, of as many classes as it answers, and for what
        is no model the first network of the module; where there is none, sixty random images of three classes and a
        small network.
    params : mapping, optional
        Of the plugin, where there is no `setting`, which has them too.

    Raises
    ------
    LookupError
        When there is no such module or attribute, or nothing in it that looks like a plugin.
    """
    base = setting or sample_setting(params=params)
    trials = [Trial(its_kind, name, path, base) for name, path, its_kind in found_plugins(target, kind)]
    untold = [trial for trial in trials if ":" not in target and not base.params and _required(trial)]
    tried = [trial for trial in trials if trial not in untold]
    if setting is None:
        network = _network(target.partition(":")[0])
        tried = [_fitted(trial, network) for trial in tried]
    tried = [trial if trial.failure else trial.tried_with(for_tasks(trial.setting, trial.tasks)) for trial in tried]
    checks = [PluginCheck(trial, rule) for trial in tried for rule in rules_of(trial.kind)]
    return [*checks, *(PluginCheck(trial, UNTOLD) for trial in untold)]


def _required(trial: Trial) -> list[str]:
    return [] if trial.failure else list(trial.description.params_schema.get("required") or [])


def _network(module: str) -> Trial | None:
    """Return the first model of a module that is a network and can be had without parameters, and what it takes."""
    with suppress(LookupError):
        for name, path, kind in found_plugins(module, "model"):
            trial = Trial(kind, name, path, sample_setting())
            if not trial.failure and not _required(trial) and (fit := fitting_setting(trial)) is not None:
                return trial.tried_with(fit)
    return None


def _fitted(trial: Trial, network: Trial | None) -> Trial:
    """Have a model tried with items that it takes, and a strategy with the network beside it."""
    fit: Setting | None = None
    if trial.kind == "model" and not trial.failure:
        fit = network.setting if network is not None and network.path == trial.path else fitting_setting(trial)
    elif trial.kind in ("training", "evaluation", "reset") and network is not None:
        fit = replace(network.setting, model=network.build)
    return trial if fit is None else trial.tried_with(replace(fit, params=trial.setting.params))


def check_module(target: str, kind: str | None = None, setting: Setting | None = None) -> list[Finding]:
    """Check a plugin, or all plugins of a module; the parameters and errors are those of `plugin_checks`."""
    return findings_of(plugin_checks(target, kind, setting))


def findings_of(checks: Iterable[PluginCheck]) -> list[Finding]:
    """Try each, and return what was found; what cannot be tried for what was found before is left out."""
    findings: list[Finding] = []
    for check in checks:
        try:
            findings.append(check.finding())
        except Untried:  # what is in its way has been found
            continue
    return findings


def parametrize_with_plugin_checks(
    target: str, kind: str | None = None, setting: Setting | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Have pytest run a test once for each check of a plugin, or of all plugins of a module, under the check's id.

    The parameters and errors are those of `plugin_checks`.

    Examples
    --------
    >>> @parametrize_with_plugin_checks("mystudy")
    ... def test_the_plugins_keep_the_contract(check):
    ...     check()
    """
    import pytest

    return pytest.mark.parametrize("check", [pytest.param(c, id=c.id) for c in plugin_checks(target, kind, setting)])
