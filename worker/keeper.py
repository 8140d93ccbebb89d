"""Stands between a worker and a trainer: nothing that the trainer starts outlives it, whatever ends first.

Run by its path, with the standard library alone: ``python -I -S keeper.py PIPE UID GID TEMPORARY COMMAND…``. It starts
the command in a session of its own, as UID where that is not -1, and ends as it ended. When the pipe's other end is
closed, be it that the worker is gone, it ends it. What else it has started is ended with it, also where it has tried
to get away: to Linux, this process is the parent of all whose own have ended. At last, the temporary folder is removed.
"""

import ctypes
import os
import resource
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
LAST_SECONDS = 10.0  # for the kernel to end what has been killed
# Who take away semaphores and shared memory of others once all of those have ended, and then end themselves.
CLEANERS, CLEANERS_SECONDS = (b"resource_tracker import main", b"torch_shm_manager"), 2.0


def main(argv: Sequence[str]) -> None:
    """Keep a trainer, and end as it does."""
    pipe, uid, gid = map(int, argv[1:4])
    temporary, command = argv[4], argv[5:]
    os.set_inheritable(pipe, False)
    listen, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    asked_to_stop = []
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: asked_to_stop.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    keeper = os.getpid()
    trainer = os.fork()
    if trainer == 0:
        _become(command, keeper, uid, gid)
    for stream in (1, 2):  # whoever reads what the trainer writes is not to wait for this process
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    watched = [pipe, listen]
    while (status := _ended(trainer)) is None:
        readable = select.select(watched, [], [])[0]
        if listen in readable:
            os.read(listen, 512)
        if pipe in readable:
            watched = [listen]
            _kill(trainer)
        if asked_to_stop:
            asked_to_stop.clear()
            with suppress(ProcessLookupError):
                os.killpg(trainer, signal.SIGTERM)
    _kill(trainer)
    _end_all()
    shutil.rmtree(temporary, ignore_errors=True)
    _end_as(status)


def _become(command: Sequence[str], keeper: int, uid: int, gid: int) -> None:
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()  # a group of its own, to be killed as one
        if uid >= 0:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        # After that: another user's process is sent no signal that was asked for before.
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)
        os.execv(command[0], list(command))
    except OSError as error:
        print(f"the trainer cannot be started: {error}", file=sys.stderr)
    finally:
        os._exit(127)


def _ended(trainer: int) -> int | None:
    """Return how the trainer has ended, or None; whatever else has ended is let go."""
    status = None
    with suppress(ChildProcessError):
        while True:
            pid, code = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == trainer:
                status = code
    return status


def _kill(trainer: int) -> None:
    """End the trainer's group, all but the cleaners; a process that is stopped is ended as well."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(trainer, signal.SIGSTOP)  # at one moment, so that none of them starts another meanwhile
        # The trainer itself is none, whatever a plugin has it called.
        cleaners = [pid for pid in _those(lambda _, group: group == trainer) if pid != trainer and _cleans(pid)]
        if not cleaners:
            os.killpg(trainer, signal.SIGKILL)
            return
        for pid in _those(lambda _, group: group == trainer):
            _send(pid, signal.SIGCONT if pid in cleaners else signal.SIGKILL)


def _end_all() -> None:
    """End what is left: with each that ends, those that it has started become this process's."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < LAST_SECONDS:
        try:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        for pid in _those(lambda parent, _: parent == os.getpid()):
            if waited > CLEANERS_SECONDS or not _cleans(pid):
                _send(pid, signal.SIGKILL)
        time.sleep(0.002)


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _cleans(pid: int) -> bool:
    with suppress(OSError):
        command = Path("/proc", str(pid), "cmdline").read_bytes()
        return any(one in command for one in CLEANERS)
    return False


def _those(are_meant: Callable[[int, int], bool]) -> list[int]:
    """Return the processes that are meant, by their parent and their group; none where nobody says which there are."""
    found = []
    for entry in os.listdir("/proc") if sys.platform == "linux" else ():
        if entry.isdigit():
            with suppress(OSError):
                # After the name, which may hold anything, come state, parent and group.
                state, *numbers = (
                    Path("/proc", entry, "stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
                )
                if state != "Z" and are_meant(*map(int, numbers)):
                    found.append(int(entry))
    return found


def _end_as(status: int) -> None:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv)
