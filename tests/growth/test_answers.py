"""Whatever a study has many of, an answer about twice as many costs no more than about twice the work."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.growth.counting import ask, hold_growth
from tests.growth.places import SPEC
from tests.support.service import Service

STEPS = [10, 40, 160, 640, 1000]
# What is asked of a study beside its id, by the part of the address that follows it.
ASKED = {
    "project": "?n=2000&n=5000",
    "inv_project": "?target=0.5",
    "gate": "?target=0.5",
    "decision": "?metric=Metric%200&price=0.1&value=100",
}
LEFT_OUT = {"events", "stream"}  # they go on until their feed turns, and are held to their own cost


def questions() -> list[str]:
    """Return every address of the API under a job that is only read."""
    found = []
    for path, operations in SPEC["paths"].items():
        last = path.rpartition("/")[2]
        if "get" in operations and path.startswith("/jobs/{job_id}") and last not in LEFT_OUT:
            asked = path.removeprefix("/jobs/{job_id}").strip("/").partition("/")[0]
            found.append(path.replace("{kind}", "svg") + ASKED.get(asked, ""))
    return [one for one in found if "{" not in one.replace("{job_id}", "")]


Measure = Callable[[int, int, int], list[tuple[str, int, float | None]]]


def of_metrics(count: int) -> Measure:
    return lambda run, step, n: [(f"Metric {k}", -1, 1 - (1 + 0.01 * k) * n**-0.5) for k in range(count)]


def of_classes(count: int) -> Measure:
    return lambda run, step, n: [("Recall", k, 1 - (1 + 0.01 * k) * n**-0.5) for k in range(count)]


def handed_in(metrics: int = 1, classes: int = 0, runs: int = 2, steps: int = 5) -> dict[str, Any]:
    # Of one range, however many: the ticks of a figure depend on it.
    sizes = [10 + 990 * k // (steps - 1) for k in range(steps)]
    named = [f"c{k}" for k in range(classes)] or [None]
    values = [
        {"n": n, "run": run, "metric": f"Metric {k}", "value": 1 - (1 + 0.01 * k) * n**-0.5, "class": name}
        for n in sizes
        for run in range(runs)
        for k in range(metrics)
        for name in named
    ]
    return {"measured": {"values": values}}


# What there are twice as many of; the smallest number of them.
SHAPES: dict[str, tuple[Callable[[int], dict[str, Any]], int]] = {
    "metrics": (lambda k: handed_in(metrics=k), 4),
    "classes": (lambda k: handed_in(classes=k), 4),
    "runs": (lambda k: handed_in(runs=k), 8),
    # Past eighteen a curve is looked at twice, which is no growth: all three are.
    "steps": (lambda k: handed_in(steps=k), 20),
}


@pytest.fixture(scope="module")
def completed(standing: Service) -> Callable[[str, int], str]:
    """Make a completed job of a shape, once."""

    @cache
    def made(shape: str, size: int) -> str:
        answer = standing.client.post("/jobs", json=SHAPES[shape][0](size))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    return made


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("question", questions())
def test_of_a_completed_job(standing: Service, completed: Callable[[str, int], str], shape: str, question: str) -> None:
    def asked(size: int) -> None:
        answer = ask(standing.client.app, "GET", question.replace("{job_id}", completed(shape, size)))
        assert answer.status in (200, 409), answer.body[:300]

    for size in (1, 2, 4):
        completed(shape, size * SHAPES[shape][1])
    hold_growth(asked, SHAPES[shape][1], f"{question} of {shape}", slack=3000)


@pytest.mark.parametrize("measure", [of_metrics, of_classes], ids=["metrics", "classes"])
@pytest.mark.parametrize("question", ["/jobs/{job_id}", "/jobs", "/jobs/{job_id}/measurements"])
def test_of_a_running_job(standing: Service, measure: Callable[[int], Measure], question: str) -> None:
    jobs = {}
    for size in (50, 100, 200):
        jobs[size] = str(standing.submit(schedule=STEPS, runs=2, labels={"of": f"{measure.__name__} {size}"})["id"])
        standing.work(jobs[size], measure(size), units=1)

    def asked(size: int) -> None:
        address = question.replace("{job_id}", jobs[size])
        more = f"?label=of:{measure.__name__} {size}" if question == "/jobs" else ""
        assert ask(standing.client.app, "GET", (address + more).replace(" ", "%20")).status == 200

    hold_growth(asked, 50, question)


@pytest.mark.parametrize("list_of", ["jobs", "datasets", "webhooks"])
def test_a_list(standing: Service, list_of: str) -> None:
    """A page costs what is on it, and takes a few statements however many that are."""
    for k in range(24):
        if list_of == "jobs":
            standing.submit(labels={"k": str(k)})
        elif list_of == "datasets":
            standing.dataset(f"one-{k}")
        else:
            assert standing.client.post("/webhooks", json={"url": f"https://hooks.example.org/{k}"}).status_code == 201

    def asked(size: int) -> None:
        answer = ask(standing.client.app, "GET", f"/{list_of}?limit={size}")
        assert len(answer.json()["items"]) == size

    seen = hold_growth(asked, 6, list_of)
    assert max(one.statements for one in seen) - min(one.statements for one in seen) <= 3


@pytest.mark.parametrize("measure", [of_metrics, of_classes], ids=["metrics", "classes"])
def test_recording_a_cell_and_ending_a_job(standing: Service, measure: Callable[[int], Measure]) -> None:
    jobs = {size: [str(standing.submit(schedule=[10], runs=1)["id"]) for _ in range(2)] for size in (6, 12, 24)}

    def recorded(size: int) -> None:
        standing.work(jobs[size].pop(), measure(size))

    hold_growth(recorded, 6, "recording", slack=3000)
