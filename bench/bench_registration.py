"""How long a dataset waits to be verified beside a job that fills every slot, by the queue that its question goes to.

One service, one worker of one slot, and a job of cells that take the slot and none of the processor. Turn by turn a
dataset is registered, whose question goes to the lane of its own, and one whose message is put into the queue of the
units, where all questions went before there was a lane. The second waits until the slot is free.
"""

import argparse
import statistics
import time

import httpx
import psycopg

from app.settings import Settings
from bench.cluster import Cluster
from bench.sleeping import SPECS

DIGITS = {split: {"loader": "digits", "params": {"split": split}} for split in ("train", "test")}


def seconds_until_ready(api: httpx.Client, name: str, limit: float) -> float:
    """Return the seconds from now until a dataset is ready."""
    began = time.perf_counter()
    while (status := api.get(f"/datasets/{name}").json()["status"]) == "verifying":
        assert time.perf_counter() - began < limit, f"{name} still waits after {limit:.0f} s"
        time.sleep(0.05)
    assert status == "ready", api.get(f"/datasets/{name}").json()
    return time.perf_counter() - began


def main() -> None:
    """Print both waits of each turn, and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="datasets for each queue")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a cell, which is a unit")
    options = parser.parse_args()
    # No message is taken for lost: the sweeper would send it to the lane.
    settings = Settings(plugins=SPECS, resend_seconds=3600)
    waits: dict[str, list[float]] = {"lane": [], "units' queue": []}
    with Cluster(1, settings) as cluster:
        cluster.wait_ready()
        with httpx.Client(base_url=cluster.url, timeout=30, trust_env=False) as api:
            api.post("/datasets", json={"name": "first", **DIGITS}).raise_for_status()
            print(f"with the slot free: {seconds_until_ready(api, 'first', 120):.1f} s")
            for turn in range(options.rounds):
                for way, queue in (("lane", "questions"), ("units' queue", "cpu")):
                    job = {
                        "model": {"name": "mlp"},
                        "training": {"name": "sleepy", "params": {"seconds": options.seconds}},
                        "evaluation": {"name": "size"},
                        "dataset": "first",
                        "reuse": False,
                        "runs": 1,
                        "schedule": [100],
                    }
                    job_id = api.post("/jobs", json=job).raise_for_status().json()["id"]
                    while api.get(f"/jobs/{job_id}").json()["state"] == "queued":
                        time.sleep(0.05)
                    name = f"{queue}-{turn}"
                    if queue == "questions":
                        api.post("/datasets", json={"name": name, **DIGITS}).raise_for_status()
                    else:
                        ask_as_before(cluster, name)
                    waits[way].append(seconds_until_ready(api, name, 3 * options.seconds + 120))
                    print(f"{way:>13}   {waits[way][-1]:6.1f} s", flush=True)
                    while api.get(f"/jobs/{job_id}").json()["state"] == "running":
                        time.sleep(0.1)
    lane, units = (statistics.median(seconds) for seconds in waits.values())
    print(f"median {lane:.1f} s in the lane, {units:.1f} s behind cells of {options.seconds:g} s: {units / lane:.1f} ×")


def ask_as_before(cluster: Cluster, name: str) -> None:
    """Register a dataset as the API did before there was a lane: its message goes to the queue of the units."""
    with psycopg.connect(cluster.dsn) as connection:
        connection.execute(
            "WITH added AS (INSERT INTO dataset (name, train, test) "
            "SELECT %s, train, test FROM dataset WHERE name = 'first' RETURNING id) "
            "INSERT INTO outbox (task, subject, queue, priority) SELECT 'verify_dataset', id, 'cpu', 0 FROM added",
            (name,),
        )


if __name__ == "__main__":
    main()
