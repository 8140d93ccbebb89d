"""Job throughput of two slots against one: the same jobs through the service, turn by turn, from POST to completed.

Both services are up and warm all the time; only one has work. With fewer than two idle cores the ratio says more of the
machine than of the service: the load that it met is printed beside it.
"""

import argparse
import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from app.settings import Settings
from app.standalone.service import Standalone
from sufficiency import Client

DIGITS = {split: {"loader": "digits", "params": {"split": split}} for split in ("train", "test")}


def job(seed: int, epochs: int) -> dict[str, object]:
    """Return a study of 24 cells."""
    return {
        "model": {"name": "mlp"},
        "training": {"name": "sgd-classifier", "params": {"epochs": epochs, "batch_size": 16}},
        "evaluation": {"name": "classification"},
        "dataset": "digits",
        "reuse": False,
        "runs": 4,
        "substeps": 6,
        "seed": seed,
    }


def seconds_of(client: Client, body: dict[str, object]) -> float:
    """Return the seconds from POST to completed."""
    began = time.perf_counter()
    ended = client.wait(client.submit(body)["id"])
    assert ended["state"] == "completed", ended["error"]
    return time.perf_counter() - began


def main() -> None:
    """Print seconds a job, and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="jobs for each number of slots")
    parser.add_argument("--epochs", type=int, default=60, help="length of a cell")
    options = parser.parse_args()
    taken: dict[int, list[float]] = {1: [], 2: []}
    with ExitStack() as stack:
        clients = {}
        for slots in taken:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sufficiency-")))
            service = Standalone(Settings(), folder, port=0, slots=slots, announce=lambda _: None)
            service.start()
            stack.callback(service.stop)
            service.wait_ready()
            clients[slots] = stack.enter_context(Client(service.url))
            clients[slots].add_dataset("digits", **DIGITS)
            clients[slots].wait_dataset("digits")
            seconds_of(clients[slots], job(0, 1))  # trainers started, torch imported
        for turn in range(options.rounds):
            for slots, client in clients.items():
                seconds = seconds_of(client, job(turn, options.epochs))
                taken[slots].append(seconds)
                print(f"{slots} slot(s)   {seconds:6.1f} s   load {os.getloadavg()[0]:.2f}")
    one, two = (statistics.median(times) for times in taken.values())
    print(f"median {one:.1f} s with 1 slot, {two:.1f} s with 2: ratio {one / two:.2f} × on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
