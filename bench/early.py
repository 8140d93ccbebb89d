"""When a job gives its first answer, its first over the whole range, and whether that costs time in the end.

One service, two workers of one slot, a job of 5 runs × 10 steps whose cells take time in proportion to their items and
none of the processor. Turn by turn in the order of the claim (run by run), and with the same cells by the largest
first, put into units as was done before. Shares are of the job's work and of its wall.
"""

import argparse
import json
import statistics
from typing import Any

import httpx
import psycopg

from app.settings import Settings
from bench.cluster import Cluster, wait_until
from bench.sleeping import SPECS

DIGITS = {split: {"loader": "digits", "params": {"split": split}} for split in ("train", "test")}
RUNS, STEPS = 5, 10

# The job's units made anew, as they were before: all cells by size, small ones together up to a hundredth of the work.
# A unit without work is in the order of its ordinal.
_LARGEST_FIRST = """
DO $$
DECLARE job uuid := '{job}'; one record; units uuid[]; place int := 0; filled bigint := 0; share numeric;
BEGIN
    SELECT array_agg(id ORDER BY ordinal) INTO units FROM unit WHERE job_id = job;
    SELECT 0.01 * sum(n) INTO share FROM cell WHERE job_id = job;
    FOR one IN SELECT run, step, n FROM cell WHERE job_id = job ORDER BY n DESC, run LOOP
        IF place = 0 OR filled + one.n > share THEN
            place := place + 1; filled := 0;
        END IF;
        filled := filled + one.n;
        UPDATE cell SET unit_id = units[place] WHERE job_id = job AND run = one.run AND step = one.step;
    END LOOP;
    UPDATE unit SET work = 0 WHERE job_id = job;
    DELETE FROM unit WHERE job_id = job AND NOT EXISTS (SELECT FROM cell WHERE cell.unit_id = unit.id);
END $$
"""


def body(seconds: float, runs: int, schedule: list[int] | None, priority: int = 0) -> dict[str, Any]:
    """Return a job whose cells take so many seconds an item."""
    return {
        "model": {"name": "mlp"},
        "training": {"name": "sleepy", "params": {"seconds": 0.0, "per_item": seconds}},
        "evaluation": {"name": "size"},
        "dataset": "digits",
        "reuse": False,
        "runs": runs,
        **({"substeps": STEPS} if schedule is None else {"schedule": schedule}),
        "priority": priority,
    }


def measure(cluster: Cluster, api: httpx.Client, seconds: float, largest_first: bool) -> dict[str, float]:
    """Return the seconds to each answer and to the end, from the first claim, and the work done by then."""
    # Both slots are taken until the job's units are as they are to be.
    hold = api.post("/jobs", json=body(0.02, 2, [100], priority=9)).raise_for_status().json()["id"]
    wait_until(lambda: len(held(cluster, hold)) == 2, 60, "both slots are taken")
    job = api.post("/jobs", json=body(seconds, RUNS, None)).raise_for_status().json()["id"]
    if largest_first:
        with psycopg.connect(cluster.dsn) as connection:
            connection.execute(_LARGEST_FIRST.format(job=job).encode())
    wait_until(lambda: api.get(f"/jobs/{job}").json()["state"] == "completed", 600, "the job completes")
    events = cluster.query(
        "SELECT type, data, extract(epoch FROM at)::float8 FROM event WHERE job_id = %s ORDER BY seq", job
    )
    begun = next(at for type, data, at in events if type == "state" and data["state"] == "running")
    told = [(data, at - begun) for type, data, at in events if type == "provisional"]
    first = next((data, at) for data, at in told if data["first"])
    whole = next(((data, at) for data, at in told if data["whole_runs"]), None)
    wall = events[-1][2] - begun
    reached = whole or ({"work_done": 1, "work_total": 1}, wall)
    return {
        "wall": wall,
        "first_seconds": first[1],
        "first_work": first[0]["work_done"] / first[0]["work_total"],
        "whole_seconds": reached[1],
        "whole_work": reached[0]["work_done"] / reached[0]["work_total"],
    }


def held(cluster: Cluster, job: str) -> list[Any]:
    """Return the units of a job that are in hand."""
    return cluster.query("SELECT id FROM unit WHERE job_id = %s AND state = 'leased'", job)


def main() -> None:
    """Print both orders, turn by turn, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--per-item", type=float, default=0.002, help="seconds a training item takes")
    parser.add_argument("--json", action="store_true", help="print the medians as JSON")
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {"run by run": [], "largest first": []}
    with Cluster(2, Settings(plugins=SPECS)) as cluster:
        cluster.wait_ready()
        with httpx.Client(base_url=cluster.url, timeout=30, trust_env=False) as api:
            api.post("/datasets", json={"name": "digits", **DIGITS}).raise_for_status()
            wait_until(lambda: api.get("/datasets/digits").json()["status"] == "ready", 120, "the data is read")
            for _ in range(options.rounds):
                for way, results in found.items():
                    one = measure(cluster, api, options.per_item, way == "largest first")
                    results.append(one)
                    if not options.json:
                        print(
                            f"{way:>13}: first answer after {one['first_seconds']:5.1f} s "
                            f"({one['first_work']:.1%} of the work), "
                            f"over the whole range {one['whole_seconds']:5.1f} s ({one['whole_work']:.1%}), "
                            f"all {one['wall']:5.1f} s",
                            flush=True,
                        )
    medians = {
        way: {name: statistics.median(one[name] for one in results) for name in results[0]}
        for way, results in found.items()
    }
    ratio = medians["run by run"]["wall"] / medians["largest first"]["wall"]
    if options.json:
        print(json.dumps({"wall_ratio": ratio, **medians}))
    else:
        print(f"wall, run by run against largest first: {ratio:.3f}")


if __name__ == "__main__":
    main()
