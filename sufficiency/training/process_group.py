"""Ends a process with all that it has started, at once; what takes away their semaphores is left to do so."""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

# multiprocessing's and joblib's, and torch's own: they end once nobody is left whom they clean up after. The worker's
# keeper, which runs by the standard library alone, has them too.
CLEANERS = (b"resource_tracker import main", b"torch_shm_manager")
_TURNS, _TURN_SECONDS = 100, 0.01


def end_process_group() -> NoReturn:
    """Die at once, whatever a plugin is doing, and take the others of this process's group along."""
    if os.getpgrp() == os.getpid():
        end_group(os.getpid())
    os._exit(1)


def end_group(group: int) -> None:
    """End a process group, all but who ends it and the cleaners.

    Where the system does not tell which processes there are, cleaners, and who ends it, are ended as well.
    """
    for _ in range(_TURNS if sys.platform == "linux" else 0):
        members = _members(group)
        for pid in members:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not members:
            return
        time.sleep(_TURN_SECONDS)
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def _members(group: int) -> list[int]:
    """Return the processes of a group that are to be ended."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with suppress(OSError):
                # After the name, which may hold anything, come state, parent and group.
                state, _, of = Path("/proc", entry, "stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
                if state != "Z" and int(of) == group:
                    command = Path("/proc", entry, "cmdline").read_bytes()
                    # Who leads the group is no cleaner, whatever it is called.
                    if int(entry) == group or not any(one in command for one in CLEANERS):
                        found.append(int(entry))
    return found
