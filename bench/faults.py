"""How long faults hold up a job, with the settings as shipped: ``python -m bench.faults [--json FILE]``.

A cluster of one API, two workers of one slot, PostgreSQL and Redis runs a job of one unit (kill, terminate: until the
other worker has claimed it) or of many (Redis and PostgreSQL: the job's time less that of an undisturbed one).
"""

import argparse
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.settings import Settings
from bench.cluster import Cluster, wait_until
from bench.sleeping import SPECS
from sufficiency import Client

ROOT = Path(__file__).resolve().parents[1]
DIGITS = {
    "name": "digits",
    "train": {"loader": "digits", "params": {"split": "train"}},
    "test": {"loader": "digits", "params": {"split": "test"}},
}
SLEEPY: dict[str, Any] = {
    "model": {"name": "linear"},
    "training": {"name": "sleepy", "params": {"seconds": 0.5}},
    "evaluation": {"name": "size"},
    "dataset": "digits",
    "reuse": False,
}
ONE_UNIT = SLEEPY | {"runs": 1, "protocol": "dataeval", "schedule": list(range(10, 1210, 10))}
MANY_UNITS = SLEEPY | {"runs": 10, "schedule": [200, 400, 800, 1400]}


def resumed_after(cluster: Cluster, client: Client, number: signal.Signals) -> float:
    """Return how long a unit waits for another worker when its own gets a signal."""
    job_id = client.submit(ONE_UNIT)["id"]
    wait_until(lambda: client.job(job_id)["progress"]["cells_done"] >= 2, 120, "two cells")
    [(pid,)] = cluster.query("SELECT w.pid FROM unit u JOIN worker w ON w.id = u.worker_id WHERE u.job_id = %s", job_id)
    os.kill(pid, number)
    claimed = "SELECT 1 FROM unit WHERE job_id = %s AND attempt = 2"
    seconds = wait_until(lambda: bool(cluster.query(claimed, job_id)), 120, "a second claim", cluster.last_words)
    client.cancel(job_id)
    client.wait(job_id, 60)
    return seconds


def job_seconds(cluster: Cluster, client: Client, disturb: Callable[[], object] = lambda: None) -> float:
    """Return how long a job takes that is disturbed when a quarter of it is done."""
    began = time.monotonic()
    job_id = client.submit(MANY_UNITS)["id"]
    done = "SELECT 1 FROM job WHERE id = %s AND cells_done >= 10"
    wait_until(lambda: bool(cluster.query(done, job_id)), 120, "ten cells")
    disturb()

    def has_ended() -> bool:
        cluster.tend()
        try:
            return client.job(job_id)["state"] == "completed"
        except Exception:
            return False

    wait_until(has_ended, 300, "the job has completed", cluster.last_words)
    return time.monotonic() - began


def kill(cluster: Cluster, name: str) -> None:
    """Kill a program; the cluster starts it again."""
    pid = cluster.pid(name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    arguments = parser.parse_args()
    settings = Settings(plugins=SPECS, plugin_path=(ROOT,))
    figures: dict[str, float] = {}
    with Cluster(workers=2, settings=settings) as cluster, Client(cluster.url) as client:
        cluster.wait_ready()
        client.add_dataset(**DIGITS)
        client.wait_dataset("digits", 60)

        def note(what: str, seconds: float) -> None:
            figures[what] = round(seconds, 2)
            print(f"{what:60}{seconds:8.2f} s", flush=True)
            cluster.tend(after=0)
            cluster.wait_ready()

        print(f"a lease is {settings.lease_seconds:g} s, a heartbeat {settings.heartbeat_seconds:g} s")
        note("worker terminated: until another has its unit", resumed_after(cluster, client, signal.SIGTERM))
        killed = resumed_after(cluster, client, signal.SIGKILL)
        note("worker killed: until another has its unit", killed)
        note("worker killed: the same, less the lease", killed - settings.lease_seconds)
        usual = job_seconds(cluster, client)
        note("a job of 40 cells, undisturbed", usual)
        for what, disturb in {
            "Redis flushed": cluster.flush_redis,
            "Redis killed and started again": lambda: kill(cluster, "redis"),
            "PostgreSQL killed and started again": lambda: kill(cluster, "postgres"),
            "API killed and started again": lambda: kill(cluster, "api"),
        }.items():
            note(f"{what}: the job takes longer by", job_seconds(cluster, client, disturb) - usual)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
