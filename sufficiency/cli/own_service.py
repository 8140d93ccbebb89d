"""A service of a command's own: a standalone that is started for it, and ends with it."""

import queue
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sufficiency.cli.programs import program, service_environment
from sufficiency.cli.strangers import refuse_strangers
from sufficiency.exits import CommandError
from sufficiency.settings import Settings

START_SECONDS = 180.0
STOP_SECONDS = 60.0  # all of its children at their slowest


@dataclass(frozen=True)
class OwnService:
    """A running standalone."""

    url: str
    process: subprocess.Popen[str]

    def wait(self) -> None:
        """Wait until it ends by itself."""
        self.process.wait()


@contextmanager
def own_service(data_dir: Path, settings: Settings, say: Callable[[str], object]) -> Iterator[OwnService]:
    """Run `sufficiency standalone` for the length of the block.

    Parameters
    ----------
    data_dir : Path
        Where it keeps its data.
    settings : Settings
        Which it shall have.
    say : callable
        Gets each line that it says.

    Raises
    ------
    CommandError
        When it does not start, or is not ready in time.
    """
    refuse_strangers()
    process = subprocess.Popen(
        program("app", "standalone", "--data-dir", str(data_dir), "--port", "0", "--until-input-ends"),
        env={**service_environment(), **settings.environment(["data_roots"])},
        stdin=subprocess.PIPE,  # its end is how the service learns of ours, be it SIGKILL
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C reaches this process alone, which has a job to cancel first
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    assert process.stdin is not None
    assert process.stdout is not None
    reader = threading.Thread(target=_read, args=(process.stdout, lines.put, say), name="own-service", daemon=True)
    reader.start()
    try:
        yield OwnService(_ready(lines, data_dir), process)
    finally:
        process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        reader.join(5)


def _ready(lines: "queue.SimpleQueue[str | None]", data_dir: Path) -> str:
    """Return its address, once its worker is ready."""
    url, said = "", ""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise CommandError(
                f"the service was not ready within {START_SECONDS:g} s",
                said,
                f"look into the logs in {data_dir / 'logs'}",
            ) from None
        if line is None:
            raise CommandError("the service did not start", do="correct what it says above, and try again")
        said = line
        if found := re.search(r" answers at (http://\S+)", line):
            url = found[1]
        elif line.startswith("The worker is ready"):
            return url


def _read(output: IO[str], keep: Callable[[str | None], object], say: Callable[[str], object]) -> None:
    with output:
        for line in output:
            say(line.rstrip("\n"))
            keep(line)
    keep(None)
