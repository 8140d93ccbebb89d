"""The programs that a command becomes or starts, and what of PYTHONPATH each of them gets to see.

A user's own packages may be called like the service's, `app` among them. So the service runs without PYTHONPATH, which
it passes on to the processes that run plugins, and to no other; and nothing is imported from where it is started.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import sufficiency

PATH, PLUGIN_PATH = "PYTHONPATH", "SUFFICIENCY_PLUGIN_PATH"


def program(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module as this interpreter runs, but for where it is started (`-P`)."""
    dev = ("-X", "dev") if sys.flags.dev_mode else ()
    return [sys.executable, "-P", *dev, "-m", module, *arguments]


def service_environment(variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of the service's processes: PYTHONPATH is the plugins'.

    Only a directory that this library itself was found in stays: of `pip install --target`, or a checkout that
    `python -m sufficiency.cli` was started in.
    """
    home = Path(sufficiency.__file__).resolve().parents[1]
    given = _entries(variables.get(PATH))
    here = os.getcwd()
    start = [here] if sys.path[:1] in ([""], [here]) else []
    kept = [entry for entry in dict.fromkeys([*given, *start]) if Path(entry).resolve() == home]
    plugins = list(dict.fromkeys([*given, *_entries(variables.get(PLUGIN_PATH))]))
    changed = {name: value for name, value in variables.items() if name not in (PATH, PLUGIN_PATH)}
    changed |= {PATH: os.pathsep.join(kept)} if kept else {}
    return changed | ({PLUGIN_PATH: os.pathsep.join(plugins)} if plugins else {})


def plugin_environment(variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a process that imports plugins: what PYTHONPATH has, and the plugins' own path."""
    path = [*_entries(variables.get(PATH)), *_entries(variables.get(PLUGIN_PATH))]
    return {**variables, **({PATH: os.pathsep.join(path)} if path else {})}


def _entries(path: str | None) -> list[str]:
    """Return the directories of a path; an empty entry is the current one, as Python has it."""
    return [os.path.abspath(entry) for entry in path.split(os.pathsep)] if path else []
