"""A study that goes on: a dataset gets more items, its job goes on to them, and what was said before is scored."""

import time
from typing import Any

import httpx
import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.support.standalone import TINY, Service, follow, run


@pytest.fixture(scope="module")
def lots(service: Service) -> None:
    digits = load_digits()
    x, y = digits.data / 16, digits.target
    order = np.random.default_rng(1).permutation(len(y))
    for name, low, high in (("first", 0, 300), ("second", 300, 900), ("tested", 1200, 1797)):
        np.savez(service.data / f"{name}.npz", x=x[order[low:high]], y=y[order[low:high]])


def verified(client: httpx.Client, name: str) -> dict[str, Any]:
    while (dataset := dict(client.get(f"/datasets/{name}").json()))["status"] == "verifying":
        time.sleep(0.05)
    return dataset


def npz(name: str) -> dict[str, Any]:
    return {"loader": "npz", "params": {"path": f"{name}.npz"}}


def cells(client: httpx.Client, job_id: str) -> dict[tuple[Any, ...], float]:
    items = client.get(f"/jobs/{job_id}/measurements?view=cells&limit=10000").json()["items"]
    return {(i["run"], i["n"], i["metric"], i["class"]): i["value"] for i in items}


def test_a_job_goes_on_when_its_data_have_grown(service: Service, lots: None) -> None:
    client = service.client
    assert (
        client.post("/datasets", json={"name": "growing", "train": npz("first"), "test": npz("tested")}).status_code
        == 201
    )
    assert verified(client, "growing")["status"] == "ready"
    job = run(client, {**TINY, "dataset": "growing", "substeps": 5, "labels": {"test": "growing"}})
    before = cells(client, job["id"])
    told = client.get(f"/jobs/{job['id']}/project?n=900&metric=Accuracy").json()["metrics"]["Accuracy"][0]

    made = client.post("/datasets/growing/versions", json={"appended": npz("second")})
    assert (made.status_code, made.headers["Location"]) == (201, "/datasets/growing@2")
    grown = verified(client, "growing@2")
    assert (grown["status"], grown["version"], grown["continues"]) == ("ready", 2, "growing"), grown
    assert grown["info"]["train"]["sizes"] == [300, 900]
    assert client.post("/datasets/growing/versions", json={"appended": npz("second")}).status_code == 200
    assert [one["name"] for one in client.get("/datasets/growing/versions").json()["items"]] == ["growing", "growing@2"]

    extended = client.post(f"/jobs/{job['id']}/extend", json={"dataset": "growing@2"})
    assert extended.status_code == 202, extended.text
    body = extended.json()
    assert body["steps"][-1] == 900
    assert (body["spec"]["grown"], body["spec"]["dataset"]) == ([300], "growing@2")
    waiting = client.get(f"/forecasts?job={job['id']}&metric=Accuracy&scored=false").json()["items"]
    assert {one["n"] for one in waiting} == {n for n in body["steps"] if n > 300}
    follow(client, job["id"])
    done = client.get(f"/jobs/{job['id']}").json()
    assert (done["state"], done["error"]) == ("completed", None)
    after = cells(client, job["id"])
    assert {key: after[key] for key in before} == before, "what was measured stays as it was"
    assert {n for _, n, _, _ in after} == set(done["steps"])

    # A job of its own that goes through the same order measures the same at every size, those before the growth too.
    spec = {**TINY, "dataset": "growing@2", "schedule": sorted(done["steps"]), "grown": [300]}
    whole = cells(client, run(client, {key: value for key, value in spec.items() if key != "substeps"})["id"])
    assert {key: whole[key] for key in before} == before

    answer = client.get(f"/forecasts?job={job['id']}&metric=Accuracy&scored=true").json()
    scored = next(one for one in answer["items"] if one["n"] == 900)
    assert (scored["value"], scored["lower"], scored["upper"]) == (told["value"], told["lower"], told["upper"])
    came = np.mean([value for (_, n, metric, _), value in after.items() if (n, metric) == (900, "Accuracy")])
    assert scored["measured"] == pytest.approx(came)
    assert scored["text"].startswith("We said 0.")
    far = [one for one in answer["record"] if one["further_than"] == 2]
    assert [one["forecasts"] for one in far] == [1]

    kept = client.delete("/datasets/growing")
    assert (kept.status_code, kept.json()["code"]) == (
        409,
        "dataset_in_use" if "job" in kept.text else "dataset_continued",
    )
    assert client.delete(f"/jobs/{job['id']}").status_code == 204
    left = client.get("/forecasts?metric=Accuracy&scored=true").json()["items"]
    assert [(one["job_id"], one["measured"]) for one in left if one["n"] == 900][:1] == [(None, scored["measured"])]


@pytest.mark.parametrize(
    ("body", "status", "code", "where"),
    [
        ({}, 422, "invalid_request", "#"),
        ({"appended": npz("second"), "train": npz("second")}, 422, "invalid_request", "#"),
        ({"appended": {"loader": "nzp"}}, 422, "invalid_version", "#/appended/loader"),
        ({"appended": {"loader": "npz", "params": {"pth": 1}}}, 422, "invalid_version", "#/appended/params"),
    ],
    ids=["nothing", "both", "no such loader", "no such parameter"],
)
def test_a_version_that_makes_no_sense_is_refused(
    service: Service, lots: None, body: dict[str, Any], status: int, code: str, where: str
) -> None:
    client = service.client
    client.post("/datasets", json={"name": "refusing", "train": npz("first"), "test": npz("tested")})
    assert verified(client, "refusing")["status"] == "ready"
    answer = client.post("/datasets/refusing/versions", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["errors"][0]["pointer"].startswith(where)


def test_data_that_do_not_go_on_from_the_jobs_are_refused_and_lose_nothing(service: Service, lots: None) -> None:
    client = service.client
    for name, train in (("one", "first"), ("other", "second")):
        client.post("/datasets", json={"name": name, "train": npz(train), "test": npz("tested")})
        assert verified(client, name)["status"] == "ready"
    job = run(client, {**TINY, "dataset": "one", "runs": 1, "schedule": [30, 60, 120]})
    refused = client.post(f"/jobs/{job['id']}/extend", json={"dataset": "other"})
    assert (refused.status_code, refused.json()["code"]) == (409, "dataset_changed")
    assert "POST /datasets/{name}/versions" in refused.json()["detail"]
    assert client.get(f"/jobs/{job['id']}").json()["progress"]["cells_done"] == 3
    assert client.post("/datasets/none/versions", json={"appended": npz("second")}).status_code == 404
