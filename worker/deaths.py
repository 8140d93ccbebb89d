"""How trainers are lost or run out of time, and what is said of it. Torch-free."""

import signal
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from sufficiency.training.faults import at_cell, fault

LONGEST_QUOTE = 500
_ADVICE = {
    "SIGKILL": "That is mostly the kernel's answer to too little memory: give the worker more, or make the model, the "
    "batches or the dataset smaller.",
    "SIGBUS": "That is mostly a memory-mapped file that was cut short while it was read: write a new version to "
    "another file, or give the shared memory of the machine more room.",
}


class TrainerLost(Exception):
    """The trainer process is not to be gone on with.

    Attributes
    ----------
    counts : bool
        Whether what was asked of it may be why.
    """

    counts = True

    @abstractmethod
    def error(self, where: Mapping[str, Any]) -> dict[str, Any]:
        """Return the error object of a loss that happened at `where`."""


class TrainerDied(TrainerLost):
    """The trainer process ended by itself or was killed.

    Attributes
    ----------
    returncode : int
        Its exit status; −s when signal s ended it.
    tail : list of str
        The last lines it wrote.
    """

    def __init__(self, returncode: int, tail: list[str]) -> None:
        super().__init__(f"trainer ended with status {returncode}")
        self.returncode = returncode
        self.tail = tail

    def error(self, where: Mapping[str, Any]) -> dict[str, Any]:
        """Return the error object of a death that happened at `where`."""
        at = at_cell(where)
        fatal = [line for line in self.tail if line.startswith("Fatal Python error")]
        last = f" Its last words: {(fatal or self.tail)[-1]}" if self.tail else ""
        if self.returncode < 0:
            name = signal_name(-self.returncode)
            advice = _ADVICE.get(name, "A plugin's native code has crashed: look at its output in the worker's log.")
            error = fault("trainer_killed", f"The trainer was killed by {name}{at}. {advice}{last}", where)
            error["signal"] = name
        else:
            detail = f"A plugin ended the trainer process with status {self.returncode}{at}; it must raise instead."
            error = fault("plugin_exited", detail + last, where)
            error["status"] = self.returncode
        if self.tail:
            error["traceback"] = [line[:LONGEST_QUOTE] for line in self.tail]
        return error


class TrainerConfused(TrainerLost):
    """The trainer process said what it was not asked, or another process said it, and it was ended for that.

    Parameters
    ----------
    what : str
        What it said.
    counts : bool
        False for what was left over from something that it had been asked before.
    """

    def __init__(self, what: str, *, counts: bool = True) -> None:
        super().__init__(f"trainer confused: {what}")
        self.what = what
        self.counts = counts

    def error(self, where: Mapping[str, Any]) -> dict[str, Any]:
        """Return the error object of a confusion that was noticed at `where`."""
        detail = (
            f"A plugin forked and both processes went on, so that the trainer was ended{at_cell(where)}: {self.what}. "
            "A plugin that forks must end the child with os._exit(), or start it by subprocess or multiprocessing."
        )
        return fault("trainer_confused", detail, where)


class TrainerChanged(TrainerLost):
    """The trainer process has other versions of plugins than the worker has made known, and was ended for that.

    Parameters
    ----------
    plugins : list of str
        Each "kind:name".
    """

    counts = False

    def __init__(self, plugins: list[str]) -> None:
        super().__init__(f"trainer with other plugins: {', '.join(plugins)}")
        self.plugins = plugins

    def error(self, where: Mapping[str, Any]) -> dict[str, Any]:
        """Return the error object of a change that was noticed at `where`."""
        detail = f"The plugins {', '.join(self.plugins)} were changed while the worker ran; it makes itself known anew."
        return fault("worker_error", detail, where)


def timed_out(limit: float, where: Mapping[str, Any], of: str = "cell") -> dict[str, Any]:
    """Return the error object of what took longer than `limit` seconds at `where`, which is the limit `of` a kind."""
    read = "The schedule" if where.get("phase") == "schedule" else "Reading the data"
    what = f"Run {where['run']}, step {where['step']} (n = {where['n']})" if "run" in where else read
    setting = f"SUFFICIENCY_{of.upper()}_TIMEOUT_SECONDS"
    return fault(f"{of}_timeout", f"{what} took longer than {limit:g} s. Make it cheaper, or raise {setting}.", where)


def signal_name(number: int) -> str:
    """Return a signal's name; real-time signals have only a number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
