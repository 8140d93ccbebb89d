"""For who writes plugins: the contract as checks, and a package to begin with."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sufficiency.testing.contract import (
        PluginCheck,
        check_module,
        parametrize_with_plugin_checks,
        plugin_checks,
    )
    from sufficiency.testing.findings import Finding
    from sufficiency.testing.setting import Setting, sample_setting

# Loaded when they are first used: they import torch, and who writes a package to begin with need not have it.
_HOME = {
    "Finding": "sufficiency.testing.findings",
    "PluginCheck": "sufficiency.testing.contract",
    "Setting": "sufficiency.testing.setting",
    "check_module": "sufficiency.testing.contract",
    "parametrize_with_plugin_checks": "sufficiency.testing.contract",
    "plugin_checks": "sufficiency.testing.contract",
    "sample_setting": "sufficiency.testing.setting",
}

__all__ = [
    "Finding",
    "PluginCheck",
    "Setting",
    "check_module",
    "parametrize_with_plugin_checks",
    "plugin_checks",
    "sample_setting",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
