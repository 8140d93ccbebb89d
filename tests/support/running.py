"""A command in a process of its own, whose output is read as it comes."""

import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil


class Running:
    """A command in a process of its own, in a folder and an environment of the caller's choice."""

    def __init__(
        self, command: Sequence[str], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._silent = False
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                with self._news:
                    self.lines.append(line)
                    self._news.notify_all()
        with self._news:
            self._silent = True
            self._news.notify_all()

    @property
    def output(self) -> str:
        """All that it has written."""
        return "".join(self.lines)

    @property
    def url(self) -> str:
        """The first address that it has named."""
        return next(word for word in self.output.split() if word.startswith("http://"))

    def wait_for(self, words: str, seconds: float = 120) -> None:
        """Wait until it has written `words`; fail where it ends before that, or does not in time."""
        with self._news:
            self._news.wait_for(lambda: words in self.output or self._silent, seconds)
        assert words in self.output, self.output

    def wait(self, seconds: float) -> int:
        """Wait until it ends by itself, and return its exit status once all that it wrote has been read."""
        code = self.process.wait(seconds)
        self._reader.join(10)
        return code

    def family(self) -> list[psutil.Process]:
        """Return all the processes that it started, however deep."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals) -> int:
        """Send it a signal, and return its exit status."""
        self.process.send_signal(number)
        return self.wait(120)
