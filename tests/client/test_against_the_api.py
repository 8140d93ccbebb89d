"""The client against the real application; a hand-driven worker stands in for training."""

import json
import threading

import pytest

from sufficiency import ApiError, Client
from tests.support.listening import SPEC, HandWorker


def test_the_catalog(client: Client) -> None:
    assert client.ready()
    assert [p["name"] for p in client.plugins("model")] == ["mlp"]
    assert client.plugin("training", "sgd-classifier")["available"]
    assert client.workers()[0]["hostname"] == "lab"
    assert [d["name"] for d in client.datasets()] == ["digits"]


def test_a_job_submitted_twice_under_a_key_is_one(client: Client) -> None:
    first = client.submit(SPEC, idempotency_key="k")
    assert client.submit(SPEC, idempotency_key="k")["id"] == first["id"]
    with pytest.raises(ApiError) as refused:
        client.submit(SPEC | {"runs": 3}, idempotency_key="k")
    assert refused.value.status == 422
    client.cancel(first["id"])
    client.delete(first["id"])
    with pytest.raises(ApiError) as gone:
        client.job(first["id"])
    assert gone.value.status == 404


def test_a_dry_run_stores_nothing(client: Client, measured: str) -> None:
    before = [job["id"] for job in client.jobs()]
    assert client.submit(SPEC, dry_run=True)["cells"] == 10
    assert [job["id"] for job in client.jobs()] == before


def test_bad_fields_are_named(client: Client) -> None:
    with pytest.raises(ApiError) as refused:
        client.submit(SPEC | {"runs": 0, "modle": {}})
    assert {error["pointer"] for error in refused.value.errors} == {"#/runs", "#/modle"}


def test_events_while_it_runs(client: Client, worker: HandWorker) -> None:
    id = client.submit(SPEC)["id"]
    measuring = threading.Thread(target=worker.measure, args=(id, 0.02))
    measuring.start()
    events = list(client.events(id))
    measuring.join()
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert [event.data["state"] for event in events if event.type == "state"] == ["queued", "running", "completed"]
    assert sum(event.type == "cell" for event in events) == 10
    assert list(client.events(id, last_id=events[-2].id)) == events[-1:]


def test_answers(client: Client, measured: str) -> None:
    averages = client.measurements(measured)["items"]
    assert [item["n"] for item in averages if item["metric"] == "Accuracy"] == SPEC["schedule"]
    assert len(client.measurements(measured, "cells")["items"]) == 2 * 5 * 3
    law = {"method": "power_law"}
    projected = client.project(measured, [1000, 10_000], metric=["Accuracy"], **law)["metrics"]["Accuracy"]
    assert projected[1]["value"] == pytest.approx(1 - (2 * 10_000**-0.5 + 0.01) + 0.0005, abs=1e-3)
    answer = client.inv_project(measured, ["Accuracy:0.95"], **law)["metrics"]["Accuracy"][0]
    assert answer["status"] == "needs"
    assert answer["n"] == pytest.approx(2430, rel=0.02)
    [point] = client.project(measured, [1000], metric=["Accuracy"], level=0.8, of="one_training")["metrics"]["Accuracy"]
    assert point["lower"] < 1 - (2 * 1000**-0.5 + 0.01) < point["upper"]
    verdict = client.verdict(measured, min_gain=["Accuracy:0.001"], metric=["Accuracy"])["metrics"]
    assert [one["min_gain"] for one in verdict["Accuracy"]] == [0.001]
    assert {item["method"] for item in client.curves(measured, **law)["items"]} == {"power_law"}
    assert {item["metric"] for item in client.curves(measured)["items"]} == {"Accuracy", "Recall"}
    assert json.loads(client.export(measured))["steps"] == SPEC["schedule"]
    assert client.table(measured, "project", {"n": [1000]}).startswith("step,")
