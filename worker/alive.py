"""Whether a worker lives, for who supervises it: its heart beats. Neither database nor broker is asked.

A worker that has lost Redis or PostgreSQL goes on with what it has and waits; to start it anew would only end that.
So what is looked at is a file that its heartbeat touches: ``python -I -m worker.alive [PID]``, by default process 1, as
in a container.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

SILENT_SECONDS = 120.0  # far beyond what a database that does not answer can hold up a beat


def sign_of_life(pid: int) -> Path:
    """Return the file that a worker touches."""
    return Path(tempfile.gettempdir()) / f"sufficiency-worker-{os.getuid()}-{pid}.alive"


def silence(pid: int) -> float:
    """Return the seconds since a worker's last sign of life; infinite where there is none."""
    try:
        return time.time() - sign_of_life(pid).stat().st_mtime
    except OSError:
        return float("inf")


def main(argv: list[str]) -> int:
    """Return 0 if the worker lives."""
    pid = int(argv[1]) if len(argv) > 1 else 1
    seconds = silence(pid)
    if seconds > SILENT_SECONDS:
        print(f"worker {pid} has given no sign of life for {seconds:.0f} s ({sign_of_life(pid)})")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
