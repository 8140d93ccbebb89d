"""What `sufficiency standalone` needs in memory while it waits, by process; and how soon it trains again after that.

    python -m bench.bench_rest            # the table
    python -m bench.bench_rest --json     # {"rest_mib": …, "parts": {…}, "first_cell_seconds": …}

The service runs as a user starts it, in a process of its own, with two slots; its trainers leave after two idle
seconds. Memory is each process's proportional set size: what it alone holds, and its share of what several hold.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from sufficiency import Client
from sufficiency.cli.own_service import own_service
from sufficiency.settings import Settings

IDLE_SECONDS = 2.0
SETTLE_SECONDS = 8.0
# The smallest job there is: what it takes is what a trainer takes to be there.
JOB = {
    "model": {"name": "mlp"},
    "training": {"name": "sgd-classifier", "params": {"epochs": 1}},
    "evaluation": {"name": "classification"},
    "dataset": "digits",
    "reuse": False,
    "schedule": [50],
    "runs": 1,
}
PARTS = {
    "sufficiency.training.trainer": "trainers",
    "-m worker": "worker",
    "redis": "Redis",
    "-m app serve": "API",
    "-m app standalone": "supervisor",
}


def parts_of(parent: psutil.Process) -> Counter[str]:
    """Return the bytes that a process and all it started hold, by part."""
    sizes: Counter[str] = Counter()
    for process in (parent, *parent.children(recursive=True)):
        try:
            command = " ".join(process.cmdline())
            part = next((name for words, name in PARTS.items() if words in command), "PostgreSQL")
            sizes[part] += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue  # a server process of PostgreSQL that has just ended
    return sizes


def main() -> None:
    """Start a service, let it rest, add up what it holds, and have it train one cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    os.environ |= {"SUFFICIENCY_TRAINER_IDLE_SECONDS": str(IDLE_SECONDS), "SUFFICIENCY_SLOTS": "2"}
    with (
        tempfile.TemporaryDirectory(prefix="sufficiency-") as directory,
        own_service(Path(directory), Settings(), lambda line: print(line, file=sys.stderr)) as service,
        Client(service.url) as client,
    ):
        splits = {split: {"loader": "digits", "params": {"split": split}} for split in ("train", "test")}
        client.add_dataset(name="digits", **splits)
        client.wait_dataset("digits")
        time.sleep(IDLE_SECONDS + SETTLE_SECONDS)
        sizes = parts_of(psutil.Process(service.process.pid))
        began = time.monotonic()
        ended = client.wait(client.submit(JOB)["id"])
        seconds = time.monotonic() - began
        assert ended["state"] == "completed", ended
    mib = {part: round(size / 2**20, 1) for part, size in sizes.most_common()}
    whole = round(sizes.total() / 2**20, 1)
    if arguments.json:
        print(json.dumps({"rest_mib": whole, "parts": mib, "first_cell_seconds": round(seconds, 2)}))
        return
    for part, size in mib.items():
        print(f"{part:<16} {size:7.1f} MiB")
    print(f"{'in all':<16} {whole:7.1f} MiB")
    print(f"a job of one cell, from there to its end: {seconds:.2f} s")


if __name__ == "__main__":
    main()
