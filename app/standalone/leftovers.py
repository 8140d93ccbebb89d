"""What a killed standalone left behind: which processes were its own is written down, and the next one ends them."""

import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from app.standalone.children import Child


def remember(data_dir: Path, children: Sequence[Child]) -> None:
    """Write down which processes belong to the data directory, for the one that comes after a crash."""
    rows = []
    for child in children:
        if child.process is not None:
            try:
                rows.append([child.process.pid, psutil.Process(child.process.pid).create_time()])
            except psutil.Error:
                continue  # ended already
    new = data_dir / "processes.json.new"
    new.write_text(json.dumps(rows))
    new.replace(data_dir / "processes.json")


def stop_leftovers(data_dir: Path) -> None:
    """End what a killed predecessor left running, and remove the locks that would keep PostgreSQL from starting.

    On Linux the kernel has ended it all already, or is about to; elsewhere this does it.
    """
    left = []
    try:
        rows = json.loads((data_dir / "processes.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        rows = []
    for pid, created in rows:
        try:
            process = psutil.Process(pid)
            if abs(process.create_time() - created) < 1:  # else the number is another process's by now
                left.append(process)
        except psutil.Error:
            continue
    postmaster = data_dir / "postgres" / "postmaster.pid"
    try:
        process = psutil.Process(int(postmaster.read_text().split()[0]))
        if process.name() == "postgres" and Path(process.cwd()) == postmaster.parent:
            left.append(process)
    except (FileNotFoundError, IndexError, ValueError, psutil.Error):
        pass  # none, or not ours
    for number, seconds in ((signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
        for process in left:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue
        deadline = time.monotonic() + seconds
        while (left := [process for process in left if _runs(process)]) and time.monotonic() < deadline:
            time.sleep(0.05)
    # PostgreSQL takes any living process with the noted number for itself, and a restarted container reuses numbers.
    postmaster.unlink(missing_ok=True)
    for lock in (data_dir / "run").glob(".s.PGSQL.*"):
        lock.unlink(missing_ok=True)
    (data_dir / "processes.json").unlink(missing_ok=True)


def _runs(process: psutil.Process) -> bool:
    try:
        # In a container whose first process reaps nobody, an ended process keeps its number for ever.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
