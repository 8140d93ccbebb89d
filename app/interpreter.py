"""Which Python the trainers run under, on which path they find plugins, and whether they can run there at all."""

import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

from app.settings import Settings
from sufficiency.extras import MissingExtra, install

OURS = "sufficiency"
CHECK_SECONDS = 60
# Run by the other interpreter, which may be of any version and have none of this.
QUESTION = """
import sys
if sys.version_info < (3, 11):
    sys.exit("it is Python %d.%d, and 3.11 or newer is needed" % sys.version_info[:2])
from importlib.metadata import version
from importlib.util import find_spec
import sufficiency.settings
print(version("sufficiency"), *(name for name in ("numpy", "torch") if find_spec(name) is None))
"""


class NoTrainer(Exception):
    """Why trainers cannot run, in a sentence that says what to do."""


def trainer_command(settings: Settings, *arguments: str) -> list[str]:
    """Return the command of an interpreter for trainers, which imports nothing from where it is started."""
    return [str(settings.trainer_python or sys.executable), "-P", *arguments]


def trainer_path(settings: Settings) -> str:
    """Return the PYTHONPATH of trainers: the plugins' directories, and what this process has unless it is another's."""
    own = os.environ.get("PYTHONPATH") if settings.trainer_python is None else None
    return os.pathsep.join([*map(str, settings.plugin_path), *([own] if own else [])])


def check_trainer_python(settings: Settings) -> None:
    """Hold the interpreter of trainers to what it needs: this version of the library, and what trains.

    Raises
    ------
    NoTrainer
        When it is not there, or lacks it.
    MissingExtra
        When it is this process's own, and cannot train.
    """
    if settings.trainer_python is None:
        if find_spec("torch") is None:
            raise MissingExtra("torch", "worker")
        return
    named = f"SUFFICIENCY_TRAINER_PYTHON is {settings.trainer_python}"
    try:
        asked = subprocess.run(
            trainer_command(settings, "-c", QUESTION),
            env={**os.environ, "PYTHONPATH": trainer_path(settings)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=CHECK_SECONDS,
        )
    except OSError as error:
        raise NoTrainer(f"{named}, which cannot be run ({error.strerror}): name a Python interpreter") from error
    except subprocess.TimeoutExpired as error:
        raise NoTrainer(f"{named}, which says nothing within {CHECK_SECONDS} s: name a Python interpreter") from error
    ours = version(OURS)
    remedy = f"there, run {install('worker', ours)}"
    if asked.returncode != 0:
        reason = (asked.stderr.strip().splitlines() or [f"exit status {asked.returncode}"])[-1]
        raise NoTrainer(f"{named}, in which {OURS} cannot be imported ({reason}): {remedy}")
    theirs, *missing = asked.stdout.split()
    if theirs != ours:
        raise NoTrainer(f"{named}, which has {OURS} {theirs}, and this is {ours}: {remedy}")
    if missing:
        raise NoTrainer(f"{named}, which has no {' and no '.join(missing)}: {remedy}")
