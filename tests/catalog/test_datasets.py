"""Datasets of one source, their pictures, and plugins that lack a package."""

from typing import Any

import pytest

from app.catalog.plugins import advertise
from app.catalog.verification import dataset_invalid, dataset_ready
from app.db.tables import Dataset
from sufficiency.schemas.work import SplitSource
from tests.support.service import INFO, PLUGINS, Service, pointers, problem

SOURCE = {"name": "one", "source": {"loader": "npz", "params": {"path": "all.npz"}}}


def test_one_source_becomes_two_parts_with_every_default_written_out(service: Service) -> None:
    rule = {"test_fraction": 0.25, "group_by": "patient"}
    created = service.client.post("/datasets", json=SOURCE | {"split": rule, "standardise": True})
    assert created.status_code == 201, created.text
    dataset = created.json()
    for name in ("train", "test"):
        assert dataset[name]["part"] == {"name": name, "seed": 0, "stratify": True, **rule, "rule": 2}
        assert dataset[name]["standardise"] is True
        assert dataset[name]["loader"] == "npz"
    again = service.client.post("/datasets", json=SOURCE | {"split": rule | {"seed": 0}, "standardise": True})
    assert (again.status_code, again.json()["id"]) == (200, dataset["id"])
    problem(service.client.post("/datasets", json=SOURCE | {"split": rule | {"seed": 1}}), 409, "dataset_exists")
    whole = service.client.post("/datasets", json=SOURCE | {"name": "two"}).json()
    assert whole["train"]["part"]["test_fraction"] == 0.2
    assert "standardise" not in whole["train"]


def test_a_source_that_was_registered_under_the_first_rule_is_the_same_and_keeps_it(service: Service) -> None:
    first = service.client.post("/datasets", json=SOURCE).json()
    with service.database.transaction() as session:
        old = session.get_one(Dataset, first["id"])
        for split in ("train", "test"):
            kept = getattr(old, split)
            part = {key: value for key, value in kept["part"].items() if key != "rule"}
            setattr(old, split, {**kept, "part": part})
    again = service.client.post("/datasets", json=SOURCE)
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert "rule" not in again.json()["train"]["part"]
    assert SplitSource.registered(again.json()["train"]).part.rule == 1


def test_what_looks_wrong_with_the_data_is_said_wherever_a_job_on_them_is(service: Service) -> None:
    doubt = {"code": "class_not_trained", "detail": "the training split has no item of 'hen'"}
    service.dataset("odd", info={**INFO, "warnings": [doubt]})
    told = {**doubt, "detail": f"Dataset odd: {doubt['detail']}.", "metric": None, "class": None, "dataset": "odd"}
    plan = service.client.post("/jobs?dry_run=true", json=service.spec(dataset="odd")).json()
    assert plan["warnings"] == [told]
    job = service.submit(dataset="odd")
    assert job["warnings"] == [told]
    assert service.client.get(f"/jobs/{job['id']}").json()["warnings"] == [told]
    assert service.client.get("/jobs").json()["items"][0]["warnings"] == [told]
    service.work(job["id"])
    verdict = service.client.get(f"/jobs/{job['id']}/verdict").json()
    assert told in verdict["warnings"]
    assert "data" not in {limit["code"] for limit in verdict["metrics"]["Accuracy"][0]["limits"]}
    # Another set under the name: what a job measured is what it is warned of.
    service.client.post("/datasets/odd/verify")
    with service.database.transaction() as session:
        dataset_ready(session, service.client.get("/datasets/odd").json()["id"], INFO, "sha256:other")
    assert service.client.get(f"/jobs/{job['id']}").json()["warnings"] == [told]
    assert service.client.post("/jobs?dry_run=true", json=service.spec(dataset="odd")).json()["warnings"] == []


def test_a_dataset_that_is_invalid_is_registered_again_under_its_name(service: Service) -> None:
    service.dataset("bad", status="invalid")
    body = {
        "name": "bad",
        "train": {"loader": "npz", "params": {"path": "bad.npz"}},
        "test": {"loader": "npz", "params": {"path": "test.npz"}},
    }
    first = service.client.get("/datasets/bad").json()
    same = service.client.post("/datasets", json=body)
    assert same.status_code == 200, same.text
    assert (same.json()["id"], same.json()["status"], same.json()["error"]) == (first["id"], "verifying", None)
    other = body | {"train": {"loader": "npz", "params": {"path": "other.npz"}}}
    problem(service.client.post("/datasets", json=other), 409, "dataset_exists")
    with service.database.transaction() as session:
        dataset_invalid(session, first["id"], {"code": "dataset_invalid", "detail": "bad.npz is not there."})
    anew = service.client.post("/datasets", json=other)
    assert anew.status_code == 201, anew.text
    assert anew.json()["train"]["params"] == {"path": "other.npz"}
    assert (anew.json()["status"], anew.json()["info"]) == ("verifying", None)
    with service.database.transaction() as session:
        dataset_ready(session, first["id"], INFO, "sha256:2")
    assert service.client.get("/datasets/bad").json()["status"] == "ready"
    # Jobs were measured on it before it became invalid: what they are on is not changed under them.
    job = service.submit(dataset="bad")
    service.client.post("/datasets/bad/verify")
    with service.database.transaction() as session:
        dataset_invalid(session, first["id"], {"code": "dataset_invalid", "detail": "other.npz is not there."})
    assert "1 job is on it" in problem(service.client.post("/datasets", json=body), 409, "dataset_exists")["detail"]
    assert service.client.post("/datasets", json=other).status_code == 200
    assert service.client.get(f"/jobs/{job['id']}").status_code == 200


SPLIT = SOURCE["source"]


@pytest.mark.parametrize(
    ("body", "says", "where"),
    [
        ({}, "give both `train` and `test`, or one `source`", "#"),
        ({"train": SPLIT}, "give both", "#"),
        ({"train": SPLIT, "test": SPLIT, "source": SPLIT}, "not both", "#"),
        ({"train": SPLIT, "test": SPLIT, "split": {}}, "there is none", "#"),
        ({"source": SPLIT, "split": {"test_fraction": 1}}, "must be below 1", "#/split/test_fraction"),
        ({"source": SPLIT, "split": {"fraction": 0.5}}, "", "#/split/fraction"),
        ({"source": {"loader": "npzz"}}, "npz", "#/source/loader"),
        ({"source": {"loader": "npz", "params": {"path": 3}}}, "string", "#/source/params/path"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused_where_it_does_not(
    service: Service, body: dict[str, Any], says: str, where: str
) -> None:
    refused = problem(service.client.post("/datasets", json={"name": "bad", **body}), 422)
    assert pointers(refused) == [where]
    assert says in str(refused)


def test_a_picture_is_served_when_a_worker_has_made_one(service: Service) -> None:
    created = service.client.post("/datasets", json=SOURCE).json()
    missing = problem(service.client.get("/datasets/one/preview.png"), 404, "preview_not_found")
    assert "no worker has verified it yet" in missing["detail"]
    with service.database.transaction() as session:
        dataset_ready(session, created["id"], INFO, "sha256:9", b"\x89PNG and more")
    answer = service.client.get("/datasets/one/preview.png")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content == b"\x89PNG and more"
    assert answer.headers["etag"] == '"sha256:9"'
    assert "images" in problem(service.client.get("/datasets/small/preview.png"), 404, "preview_not_found")["detail"]
    problem(service.client.get("/datasets/none/preview.png"), 404, "dataset_not_found")


def test_a_plugin_that_lacks_a_package_says_what_to_install(service: Service) -> None:
    remedy = "torchvision is not installed where the worker runs: pip install torchvision"
    lacking = next(p for p in PLUGINS if p["kind"] == "dataset" and p["name"] == "npz") | {
        "name": "torchvision",
        "capabilities": {"missing": remedy},
    }
    with service.database.transaction() as session:
        advertise(session, [lacking])
    service.worker(plugins=["dataset:npz"])
    shown = service.client.get("/plugins/dataset/torchvision").json()
    assert (shown["available"], shown["capabilities"]) == (False, {})
    assert remedy in shown["unavailable_reason"]
    assert service.client.get("/plugins/dataset/npz").json()["unavailable_reason"] is None
    created = service.client.post(
        "/datasets", json={"name": "tv", "source": {"loader": "torchvision", "params": {"path": "x"}}}
    ).json()
    assert remedy in created["queued_reason"]
