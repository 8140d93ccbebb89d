"""Programs that run beside this one: started, started again, stopped, and ended with it."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

logger = logging.getLogger(__name__)

LONGEST_LOG_BYTES = 10_000_000
STEADY_SECONDS = 60.0  # a child that lived so long starts again without a penalty
LONGEST_BACKOFF_SECONDS = 30.0

# Runs before the child's program, in the child's process, which keeps its id: drops root, and asks the kernel for a
# signal when the parent ends. A `preexec_fn` would do both, but is not safe in a process with threads.
LAUNCHER = """
import ctypes, os, sys
parent, death_signal, uid, gid = map(int, sys.argv[1:5])
if uid >= 0:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, death_signal)
if os.getppid() != parent:
    sys.exit("the standalone has ended")
os.execv(sys.argv[5], sys.argv[5:])
"""


def launched(command: Sequence[str], death_signal: signal.Signals, account: tuple[int, int] | None) -> list[str]:
    """Return the command that runs `command` as `account`, and sends it the signal when this process ends."""
    numbers = (os.getpid(), int(death_signal), *(account or (-1, -1)))
    return [sys.executable, "-I", "-S", "-c", LAUNCHER, *map(str, numbers), *command]


@dataclass
class Child:
    """A program that runs beside this one, ends with it, and can be started again.

    Its parent, to the kernel, is the *thread* that called `start`: that thread must outlive it.
    """

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str]
    stop_signals: Sequence[tuple[signal.Signals, float]]  # each with the seconds that it is given
    death_signal: signal.Signals = signal.SIGKILL  # what it gets if this process dies
    account: tuple[int, int] | None = None  # uid and gid to run as; None: this process's own
    cwd: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    starts_again_at: float | None = field(default=None, init=False)
    _backoff: float = field(default=0.5, init=False)

    def start(self) -> None:
        """Start the program; its output is added to its log."""
        self._rotate()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                launched(self.command, self.death_signal, self.account),
                env=dict(self.env),
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then stops all in order
            )
        self.started_at = time.monotonic()
        self.starts_again_at = None

    @property
    def alive(self) -> bool:
        """Whether the program runs."""
        return self.process is not None and self.process.poll() is None

    def tend(self, announce: Callable[[str], None]) -> bool:
        """Start the program again if it has ended, later each time; return whether it was started now."""
        self._rotate()
        if self.alive or self.process is None:
            return False
        now = time.monotonic()
        if self.starts_again_at is None:
            lived = now - self.started_at
            self._backoff = 1.0 if lived > STEADY_SECONDS else min(2 * self._backoff, LONGEST_BACKOFF_SECONDS)
            self.starts_again_at = now + self._backoff
            announce(f"{self.name} {self.ending()}; starting it again in {self._backoff:.0f} s. {self.log} ends with:")
            announce(self.last_words(lines=1))
        elif now >= self.starts_again_at:
            self.start()
            return True
        return False

    def _rotate(self) -> None:
        """Put a log that has grown long aside, in place of the one before; the program goes on writing."""
        if self.log.exists() and self.log.stat().st_size > LONGEST_LOG_BYTES:
            # It holds the file itself, and adds at the end: so the contents go, not the file.
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)

    def ending(self) -> str:
        """Return how the program ended, as words."""
        code = self.process.returncode if self.process is not None else None
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def last_words(self, lines: int = 15) -> str:
        """Return the end of the program's log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """Ask the program to end, then make it, and wait until it has."""
        if self.process is None:
            return
        for number, seconds in self.stop_signals:
            if not self.alive:
                break
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                logger.warning("%s did not end within %g s of %s", self.name, seconds, number.name)
        if self.alive:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None
