"""Holds plugins to the contract, rule by rule."""

import unittest
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from sufficiency.testing.findings import Advice, Broken, Finding
from sufficiency.testing.found import found_plugins
from sufficiency.testing.rules import Rule, name_of, needed_before, rules_of
from sufficiency.testing.seeding import as_in_a_trainer
from sufficiency.testing.setting import Setting, sample_setting
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


def plugin_checks(target: str, kind: str | None = None, setting: Setting | None = None) -> list[PluginCheck]:
    """Return every check of a plugin, or of all plugins of a module.

    Parameters
    ----------
    target : str
        ``module:attribute``, or a module, in which everything that looks like a plugin is checked.
    kind : str, optional
        Of the plugin, where it cannot be told by its methods.
    setting : Setting, optional
        What to try it with; sixty random images of three classes by default.

    Raises
    ------
    LookupError
        When there is no such module or attribute, or nothing in it that looks like a plugin.
    """
    checks: list[PluginCheck] = []
    for name, path, its_kind in found_plugins(target, kind):
        trial = Trial(its_kind, name, path, setting or sample_setting())
        checks += [PluginCheck(trial, rule) for rule in rules_of(its_kind)]
    return checks


def check_module(target: str, kind: str | None = None, setting: Setting | None = None) -> list[Finding]:
    """Check a plugin, or all plugins of a module; the parameters and errors are those of `plugin_checks`."""
    findings: list[Finding] = []
    for check in plugin_checks(target, kind, setting):
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
