"""What a trainer and its plugins write: the last of it for an error to quote, some for the log, most for the job."""

import logging
import os
import re
import select
import threading
import time
from collections import deque
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import IO

from sufficiency.schemas.plain import plain

logger = logging.getLogger("sufficiency.training.trainer")

TAIL_LINES = 40
LONGEST_LINE = 10_000
PART_BYTES = 1 << 16
SETTLE_SECONDS = 0.2
# A plugin that prints each batch is read whole; one that prints without end is cut, and keeps the worker from nothing.
KEPT_BYTES = (16_000.0, 256_000.0)  # a second, and at once
LOGGED_LINES = (10.0, 200.0)

Place = tuple[int | None, int | None]  # run and step
NOWHERE: Place = (None, None)

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.?)")
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if code != ord("\t")}


class Allowance:
    """How much may pass: so much a second, and more at once after a pause; once used up, a second's worth at a time."""

    def __init__(self, rate: float, most: float) -> None:
        self._rate, self._most = rate, most
        self._left, self._at = most, time.monotonic()
        self._used_up = False

    def has(self, amount: float) -> bool:
        """Take an amount, if it is there."""
        now = time.monotonic()
        self._left = min(self._most, self._left + self._rate * (now - self._at))
        self._at = now
        if self._left < (self._rate if self._used_up else amount):
            self._used_up = True
            return False
        self._used_up = False
        self._left -= amount
        return True


class Output:
    """Reads what a trainer writes, in a thread of its own, until its end.

    Attributes
    ----------
    tail : deque of str
        The last lines.
    """

    def __init__(self, name: str, stream: IO[bytes]) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._name = name
        self._stream = stream
        self._lock = threading.Lock()
        self._kept: list[tuple[Place, str]] = []
        self._marks: Mapping[bytes, Place] = {}
        self._place: Place = NOWHERE
        self._cut_lines = self._cut_bytes = 0
        self._unlogged = 0
        self._keeps, self._logs = Allowance(*KEPT_BYTES), Allowance(*LOGGED_LINES)
        self._is_idle = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"{name}-output", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout)

    def begin(self, marks: Mapping[bytes, Place]) -> None:
        """Forget what was written before, and be told the lines that say of which cell the following is.

        They are taken out. A plugin that writes one itself has what it writes put down to another cell of its own.
        """
        self.take()
        with self._lock:
            self._marks, self._place = dict(marks), NOWHERE

    def take(self) -> list[tuple[Place, str]]:
        """Return what was written since it was last asked, by cell: whole lines, without what is not for a reader."""
        self._settle()
        with self._lock:
            self._say_what_was_cut()
            lines, self._kept = self._kept, []
        return [(at, "\n".join(line for _, line in said)) for at, said in groupby(lines, itemgetter(0))]

    def _settle(self) -> None:
        """Have what was written before now be read: what a trainer says of a cell comes by another way."""
        until = time.monotonic() + SETTLE_SECONDS
        while self._thread.is_alive() and time.monotonic() < until:
            try:
                if self._is_idle.is_set() and not select.select([self._stream], [], [], 0)[0]:
                    return
            except (OSError, ValueError):  # it has just been closed
                return
            time.sleep(0.002)

    def _read(self) -> None:
        rest = b""
        with self._stream as stream:
            while True:
                self._is_idle.set()
                select.select([stream], [], [])
                self._is_idle.clear()
                part = os.read(stream.fileno(), PART_BYTES)
                if not part:
                    break
                rest = self._take_in(rest + part)
            self._take_in(rest + b"\n")

    def _take_in(self, part: bytes) -> bytes:
        """Take in lines, and return what has no end yet."""
        *lines, rest = part.split(b"\n")
        while len(rest) > LONGEST_LINE:
            lines.append(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        with self._lock:
            # Of a flood, the last lines are looked at and the others counted.
            skipped = max(0, len(lines) - TAIL_LINES) if self._cut_lines and not self._keeps.has(0) else 0
            self._cut_lines += skipped
            self._cut_bytes += sum(map(len, lines[:skipped])) + skipped
            for line in lines[:skipped]:
                self._is_mark(line)
            for line in lines[skipped:]:
                if self._is_mark(line):
                    continue
                for start in range(0, max(1, len(line)), LONGEST_LINE):
                    self._take_line(line[start : start + LONGEST_LINE])
        return rest

    def _is_mark(self, line: bytes) -> bool:
        """Go to the place that a line says, if it says one."""
        place = self._marks.get(line)
        if place is None:
            return False
        self._say_what_was_cut()
        self._place = place
        return True

    def _take_line(self, line: bytes) -> None:
        # A progress bar rewrites its line: only its last state is worth keeping.
        raw = line.decode("utf-8", "replace").rstrip().rpartition("\r")[2]
        text = plain(_ESCAPE.sub("", raw).translate(_CONTROLS))
        if not text:
            return
        self.tail.append(text)
        if not self._keeps.has(len(line) + 1):
            self._cut_lines += 1
            self._cut_bytes += len(line) + 1
            return
        self._say_what_was_cut()
        self._kept.append((self._place, text))
        if self._logs.has(1):
            if self._unlogged:
                logger.info("%s: … %d lines more, which are kept with their jobs", self._name, self._unlogged)
            self._unlogged = 0
            logger.info("%s: %s", self._name, text)
        else:
            self._unlogged += 1

    def _say_what_was_cut(self) -> None:
        if self._cut_lines:
            cut = f"{self._cut_lines:,} lines ({self._cut_bytes:,} bytes)"
            said = f"… {cut} left out: {KEPT_BYTES[0]:,.0f} bytes a second are kept"
            self._kept.append((self._place, said))
            logger.info("%s: %s", self._name, said)
            self._cut_lines = self._cut_bytes = 0
