"""What small jobs wait beside a large one, and what sharing costs against first come, first served.

One service, two workers of one slot. A large job fills both; 20 small ones come, one after the other. All cells take
the same time and none of the processor. Turn by turn as the claim shares, and with a trigger that forgets what a job
has had, so that the order is that of arrival, as it was before. A wait is from POST to the first claim; throughput is
the cells' own time over the wall from the first POST to the last end.
"""

import argparse
import json
import statistics
import time
from typing import Any

import httpx
import psycopg

from app.settings import Settings
from bench.cluster import Cluster, wait_until
from bench.early import DIGITS
from bench.sleeping import SPECS

SMALL, SLOTS = 20, 2
_FORGET = """
CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.turn := 0; RETURN NEW; END $$;
CREATE TRIGGER forget BEFORE INSERT OR UPDATE ON job FOR EACH ROW EXECUTE FUNCTION forget();
"""
_REMEMBER = "DROP TRIGGER forget ON job; DROP FUNCTION forget();"


def body(seconds: float, runs: int, steps: int) -> dict[str, Any]:
    """Return a job of cells of nearly one size, so that each is a unit."""
    return {
        "model": {"name": "mlp"},
        "training": {"name": "sleepy", "params": {"seconds": seconds}},
        "evaluation": {"name": "size"},
        "dataset": "digits",
        "reuse": False,
        "runs": runs,
        "schedule": list(range(1000, 1000 + steps)),
    }


def measure(api: httpx.Client, cluster: Cluster, seconds: float) -> tuple[list[float], float]:
    """Return the waits of the small jobs, and the throughput."""
    began = time.perf_counter()
    jobs = [api.post("/jobs", json=body(seconds, 10, 8)).raise_for_status().json()["id"]]
    for _ in range(SMALL):
        time.sleep(1.6 * seconds)
        jobs.append(api.post("/jobs", json=body(seconds, 1, 2)).raise_for_status().json()["id"])
    ended = "SELECT count(*) FROM job WHERE id = ANY(%s::uuid[]) AND state = 'completed'"
    wait_until(lambda: cluster.query(ended, jobs) == [(len(jobs),)], 600, "all jobs complete")
    wall = time.perf_counter() - began
    waits = cluster.query(
        "SELECT extract(epoch FROM started_at - created_at)::float8 FROM job WHERE id = ANY(%s::uuid[])", jobs[1:]
    )
    return [wait for (wait,) in waits], (80 + 2 * SMALL) * seconds / (SLOTS * wall)


def main() -> None:
    """Print both ways, and what the targets are compared with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a cell")
    parser.add_argument("--json", action="store_true", help="print the medians as JSON")
    options = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {"shared": [], "first come": []}
    with Cluster(SLOTS, Settings(plugins=SPECS)) as cluster:
        cluster.wait_ready()
        with httpx.Client(base_url=cluster.url, timeout=30, trust_env=False) as api:
            api.post("/datasets", json={"name": "digits", **DIGITS}).raise_for_status()
            wait_until(lambda: api.get("/datasets/digits").json()["status"] == "ready", 120, "the data is read")
            for _ in range(options.rounds):
                for way, results in found.items():
                    as_before = way == "first come"
                    with psycopg.connect(cluster.dsn, autocommit=True) as connection:
                        if as_before:
                            connection.execute(_FORGET.encode())
                        waits, throughput = measure(api, cluster, options.seconds)
                        if as_before:
                            connection.execute(_REMEMBER.encode())
                    wait = statistics.median(waits) / options.seconds
                    results.append((wait, throughput))
                    if not options.json:
                        longest = max(waits) / options.seconds
                        print(
                            f"{way:>10}: median wait {wait:.2f} cells (longest {longest:.2f}), "
                            f"slots busy {throughput:.1%}",
                            flush=True,
                        )
    wait, throughput = (statistics.median(one) for one in zip(*found["shared"], strict=True))
    before = statistics.median(throughput for _, throughput in found["first come"])
    if options.json:
        print(json.dumps({"median_wait_cells": wait, "throughput_ratio": throughput / before}))
    else:
        print(f"throughput against first come: {throughput / before:.3f}")


if __name__ == "__main__":
    main()
