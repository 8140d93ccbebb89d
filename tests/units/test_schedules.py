"""Whatever happens to units, in whatever order: what the API answers in the end is right."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.schedules import Asked, World, truth, world

MOVES = {
    ("queued", "running"),
    ("queued", "cancelled"),
    ("running", "completed"),
    ("running", "failed"),
    ("running", "cancelling"),
    ("cancelling", "cancelled"),
}


def events_of(client: httpx.Client, job_id: str) -> list[tuple[int, str, dict[str, Any]]]:
    """Return all events of a job that has ended."""
    found = []
    for block in client.get(f"/jobs/{job_id}/events").text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if "id" in lines:
            found.append((int(lines["id"]), lines["event"], httpx.Response(200, text=lines["data"]).json()))
    return found


def faults(client: httpx.Client, asked: Asked, job: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a job, by what the API answers and what was done for it alone."""
    events = events_of(client, asked.job_id)
    rows = client.get(f"/jobs/{asked.job_id}/measurements", params={"view": "cells"}).json()["items"]
    if [number for number, _, _ in events] != list(range(1, len(events) + 1)):
        yield f"the numbers of its events: {[number for number, _, _ in events]}"
    states = [data["state"] for _, kind, data in events if kind == "state"]
    if states[-1:] != [job["state"]] or events[-1][1] != "state":
        yield f"it is {job['state']}, and its events end with {events[-1:]}"
    if wrong := set(zip(["queued", *states], states, strict=False)) - MOVES - {("queued", "queued")}:
        yield f"it moved {wrong}"
    cells = Counter((data["run"], data["step"]) for _, kind, data in events if kind == "cell")
    if set(cells.values()) - {1}:
        yield f"cells are told more than once: {cells}"
    if [data["cells_done"] for _, kind, data in events if kind == "cell"] != list(range(1, len(cells) + 1)):
        yield "the counts of its cell events have a gap"
    measured = Counter((row["run"], row["step"]) for row in rows)
    if measured != cells or set(measured) != asked.recorded:
        yield f"measured {measured}, told {cells}, acknowledged {asked.recorded}"
    if wrong_values := [row for row in rows if row["value"] != truth(row["n"], row["run"])]:
        yield f"values of who had no right to say them: {wrong_values}"
    progress = job["progress"]
    if progress["cells_done"] != len(cells):
        yield f"it counts {progress}"
    match job["state"]:
        case "completed" if progress["cells_done"] != progress["cells_total"] or asked.cancelled:
            yield f"it is completed, with {progress}, cancelled: {asked.cancelled}"
        case "cancelled" if not asked.cancelled:
            yield "it is cancelled, and nobody asked for that"
        case "failed" if not (asked.raised or asked.hurt >= 3) or asked.cancelled:
            yield f"it failed: {job['error']}"
        case "queued" | "running" | "cancelling":
            yield f"it is {job['state']} for ever"


def judged(world: World, seed: int, jobs: int) -> Counter[str]:
    """Play a schedule, and return how its jobs ended."""
    played = world.play(seed, jobs)
    views = {job["id"]: job for job in world.client.get("/jobs", params={"limit": 100}).json()["items"]}
    for asked in played:
        found = list(faults(world.client, asked, views[asked.job_id]))
        assert not found, "\n".join([f"job {asked.job_id}", *found, *world.told])
    return Counter(views[asked.job_id]["state"] for asked in played)


@pytest.fixture
def playground(fresh_database: str) -> Iterator[World]:
    with world(fresh_database) as made:
        yield made


def test_a_hundred_histories(playground: World) -> None:
    ends: Counter[str] = Counter()
    for seed in range(5):
        ends += judged(playground, seed, 20)
    assert ends.total() == 100
    assert min(ends[state] for state in ("completed", "failed", "cancelled")) >= 1, ends


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(50))
def test_a_hundred_thousand_histories(playground: World, part: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Two thousand in each part, so that several processes share them, and what is broken off has shown something."""
    ends: Counter[str] = Counter()
    for seed in range(100 * part + 10, 100 * part + 110):
        ends += judged(playground, seed, 20)
    with capsys.disabled():
        print(f"\n{ends.total()} histories of jobs ended: {dict(ends)}")
    assert ends.total() == 2000
