"""Adaptive jobs through the service as shipped: what stops them, and what is refused."""

from typing import Any

import httpx
import pytest

from tests.support.service import pointers, problem
from tests.support.standalone import TINY, follow, run

STUDY: dict[str, Any] = {**TINY, "runs": 4, "substeps": 5}
NEVER = {"width": 1e-9}


def cells(client: httpx.Client, job: dict[str, Any]) -> dict[tuple[Any, ...], Any]:
    items = client.get(f"/jobs/{job['id']}/measurements", params={"view": "cells", "limit": 10000}).json()["items"]
    return {(one["run"], one["n"], one["metric"], one["class"]): one["value"] for one in items}


def stages(client: httpx.Client, job: dict[str, Any]) -> list[tuple[int, str | None]]:
    """Return how many cells each stage was given, and why the last one was none."""
    told = [event["data"] for event in follow(client, job["id"], last=0) if event["type"] == "design"]
    return [(one["cells"], one["stopped"]) for one in told]


def first_run(client: httpx.Client) -> float:
    """Return what the first stage costs, as a dry run says it."""
    answer = client.post("/jobs?dry_run=true", json={**STUDY, "stop_when": NEVER})
    assert answer.status_code == 200, answer.text
    return float(answer.json()["design"]["spent"])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"width": 0.9, "n": 2000}, "wide"),
        ({"target": 0.2, "n": 1000, "probability": 0.9}, "reaches 0.2"),
    ],
    ids=["width", "target"],
)
def test_it_stops_when_its_question_is_decided(client: httpx.Client, asked: dict[str, Any], words: str) -> None:
    job = run(client, {**STUDY, "stop_when": asked})
    design = job["design"]
    assert (job["state"], design["stopped"], design["stages"]) == ("completed", "decided", 1), job
    assert (job["progress"]["cells_done"], job["progress"]["cells_total"]) == (5, 5)
    assert design["saved"] == pytest.approx(0.75)
    assert words in design["detail"], design
    assert stages(client, job) == [(5, None), (0, "decided")]


def test_it_stops_when_its_budget_is_spent(client: httpx.Client) -> None:
    one = first_run(client)
    most = int(1.7 * one)
    job = run(client, {**STUDY, "stop_when": NEVER, "budget": {"sgd_steps": most}})
    design = job["design"]
    assert (job["state"], design["stopped"], design["unit"]) == ("completed", "budget", "sgd_steps")
    assert one < design["spent"] <= most
    assert 5 < job["progress"]["cells_done"] < 20
    smallest = min(job["steps"])
    assert design["spent"] + 3 * -(-smallest // 16) > most or (0, smallest) in {
        (r, n) for r, n, *_ in cells(client, job)
    }


def test_it_ends_at_the_grid_where_nothing_is_decided(client: httpx.Client) -> None:
    job = run(client, {**STUDY, "stop_when": NEVER})
    assert (job["state"], job["design"]["stopped"], job["design"]["saved"]) == ("completed", "grid", 0.0)
    counts = [count for count, _ in stages(client, job)]
    assert (counts[0], counts[-1], sum(counts)) == (5, 0, 20)
    whole = run(client, STUDY)
    assert "design" not in whole
    assert cells(client, job) == cells(client, whole), "in another order, and the same"


def test_a_grid_job_goes_on_with_a_question_and_an_adaptive_one_to_the_grid(client: httpx.Client) -> None:
    job = run(client, {**STUDY, "stop_when": {"width": 0.9, "n": 2000}})
    assert client.post(f"/jobs/{job['id']}/extend", json={"plan": "grid"}).status_code == 202
    assert follow(client, job["id"])[-1]["data"]["state"] == "completed"
    whole = client.get(f"/jobs/{job['id']}").json()
    assert (whole["progress"]["cells_done"], whole.get("design")) == (20, None)


@pytest.mark.parametrize(
    ("asked", "place", "words"),
    [
        ({"plan": "grid", "stop_when": NEVER}, "#/plan", "leave out one of them"),
        ({"plan": "grid", "budget": {"sgd_steps": 10**6}}, "#/plan", "leave out one of them"),
        ({"budget": {"sgd_steps": 1}}, "#/budget", "the first stage, a run, takes"),
        ({"budget": {"money": 0.001, "price": 10}}, "#/budget", "the first stage, a run, takes"),
        ({"budget": {"training_items": 10**6}}, "#/budget", "name sgd_steps"),
        ({"budget": {"sgd_steps": 10**6, "money": 5, "price": 1}}, "#/budget", "name one of"),
        ({"budget": {"money": 5}}, "#/budget", "belong together"),
        ({"stop_when": {"n": 1000}}, "#/stop_when", "name what is to hold"),
        ({"stop_when": {"width": 1.0}}, "#/stop_when/width", "met before anything is measured"),
        ({"stop_when": {"target": 1.5}}, "#/stop_when/target", "outside what the metric can take"),
        ({"stop_when": {"width": 0.1, "n": 10**9}}, "#/stop_when/n", "as far as answers go"),
        ({"stop_when": {"width": 0.1, "metric": "Speed"}}, "#/stop_when/metric", "measures no 'Speed'"),
        ({"stop_when": NEVER, "schedule": [20, 40]}, "#/stop_when", "can never be met"),
        ({"stop_when": NEVER, "protocol": "dataeval"}, "#/protocol", "take plan grid"),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value).replace(" ", "-"),
)
def test_what_contradicts_itself_or_can_never_be_is_refused(
    client: httpx.Client, asked: dict[str, Any], place: str, words: str
) -> None:
    before = client.get("/jobs").json()["items"][:1]
    body = problem(client.post("/jobs", json={**STUDY, **asked}), 422)
    assert place in pointers(body), body["errors"]
    assert words in next(error["detail"] for error in body["errors"] if error["pointer"] == place)
    assert client.get("/jobs").json()["items"][:1] == before


def test_all_that_is_wrong_is_told_at_once(client: httpx.Client) -> None:
    asked = {"stop_when": {"target": 1.5, "width": 2.0, "n": 10**9}, "budget": {"sgd_steps": 1}}
    body = problem(client.post("/jobs", json={**STUDY, **asked}), 422)
    assert {"#/stop_when/target", "#/stop_when/width", "#/stop_when/n", "#/budget"} <= set(pointers(body))


def test_an_extension_is_refused_alike(client: httpx.Client) -> None:
    job = run(client, {**STUDY, "stop_when": {"width": 0.9, "n": 2000}})
    for asked in ({"budget": {"sgd_steps": 1}}, {"plan": "grid", "stop_when": NEVER}):
        problem(client.post(f"/jobs/{job['id']}/extend", json=asked), 422)
