"""The main job from outside: register data, post a study, follow it, read its curve. Everything real, as shipped."""

import csv
import io
import json
import subprocess
import sys
import time
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.external import SHARED_DATA
from tests.support.standalone import TINY, Service, follow, register, run


@pytest.fixture(scope="module")
def finished(client: httpx.Client) -> dict[str, Any]:
    job = run(client, TINY | {"runs": 3, "substeps": 6})
    assert job["state"] == "completed", job
    return job


def test_the_curve_rises_and_answers_what_it_was_asked(client: httpx.Client, finished: dict[str, Any]) -> None:
    path = f"/jobs/{finished['id']}"
    averages = client.get(f"{path}/measurements", params={"view": "averages"}).json()["items"]
    accuracy = [row for row in averages if row["metric"] == "Accuracy"]
    assert [row["runs"] for row in accuracy] == [3] * 6
    assert accuracy[-1]["mean"] > 0.85 > accuracy[0]["mean"]
    largest = accuracy[-1]["n"]
    answer = client.get(f"{path}/project", params={"n": [2 * largest, 4 * largest], "metric": "Accuracy"}).json()
    assert answer["provisional"] is False
    values = [point["value"] for point in answer["metrics"]["Accuracy"]]
    assert accuracy[-1]["mean"] <= values[0] <= values[1] <= 1
    assert all(point["lower"] < point["value"] < point["upper"] for point in answer["metrics"]["Accuracy"])
    [measured] = client.get(f"{path}/project", params={"n": largest, "metric": "Accuracy"}).json()["metrics"][
        "Accuracy"
    ]
    assert measured["value"] == pytest.approx(accuracy[-1]["mean"], abs=1e-9)
    [verdict] = client.get(f"{path}/verdict", params={"metric": "Accuracy"}).json()["metrics"]["Accuracy"]
    p, items = accuracy[-1]["mean"], client.get("/datasets/digits").json()["info"]["test"]["size"]
    assert verdict["test_sd"] == pytest.approx((p * (1 - p) / items) ** 0.5)
    inverse = client.get(f"{path}/inv_project", params={"target": "Accuracy:0.8"}).json()["metrics"]["Accuracy"]
    assert inverse[0]["status"] == "reached"
    assert accuracy[0]["n"] <= inverse[0]["n"] <= largest


def test_a_loss_falls_and_its_inverse_knows_it(client: httpx.Client, finished: dict[str, Any]) -> None:
    path = f"/jobs/{finished['id']}"
    rows = client.get(f"{path}/measurements", params={"view": "averages"}).json()["items"]
    loss = [row["mean"] for row in rows if row["metric"] == "LogLoss"]
    assert loss[-1] < loss[0]
    middle = (loss[0] + loss[-1]) / 2
    items = client.get(f"{path}/inv_project", params={"target": f"LogLoss:{middle}"}).json()["metrics"]["LogLoss"]
    assert items[0]["status"] == "reached"


def test_classes_have_curves_of_their_own(client: httpx.Client, finished: dict[str, Any]) -> None:
    cells = client.get(f"/jobs/{finished['id']}/measurements", params={"view": "cells"}).json()["items"]
    recall = [row for row in cells if row["metric"] == "Recall"]
    assert len(recall) == 3 * 6 * 10
    assert all(row["class"] is None for row in cells if row["metric"] == "Accuracy")
    points = client.get(f"/jobs/{finished['id']}/project", params={"n": 5000, "metric": "Recall"}).json()
    assert len(points["metrics"]["Recall"]) == 10


def test_tables_come_as_csv(client: httpx.Client, finished: dict[str, Any]) -> None:
    path = f"/jobs/{finished['id']}"
    table = client.get(f"{path}/project", params={"n": [1000, 9000]}, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["step"] for row in rows] == ["1000", "9000"]
    assert {"Accuracy", "LogLoss", "Recall_0", "Recall_9"} <= set(rows[0])
    inverse = client.get(f"{path}/inv_project", params={"target": "Accuracy:1.0", "format": "csv"}).text
    assert next(csv.DictReader(io.StringIO(inverse)))["Accuracy"] == "-1"


def test_subsets_are_distinct_items_and_the_same_job_measures_the_same(
    client: httpx.Client, finished: dict[str, Any]
) -> None:
    again = run(client, TINY | {"runs": 3, "substeps": 6})
    keys = ("run", "step", "n", "n_unique", "metric", "class", "value")

    def table(job: dict[str, Any]) -> list[tuple[Any, ...]]:
        items = client.get(f"/jobs/{job['id']}/measurements", params={"view": "cells"}).json()["items"]
        return sorted(tuple(str(row[key]) for key in keys) for row in items)

    first = table(finished)
    assert all(row[2] == row[3] for row in first)
    assert first == table(again)


def test_another_seed_measures_something_else(client: httpx.Client, finished: dict[str, Any]) -> None:
    other = run(client, TINY | {"runs": 3, "substeps": 6, "seed": 1})
    path = "/jobs/{}/measurements?view=averages"
    assert client.get(path.format(other["id"])).json() != client.get(path.format(finished["id"])).json()


def test_the_dataeval_protocol_draws_with_replacement(client: httpx.Client) -> None:
    job = run(client, TINY | {"protocol": "dataeval"})
    assert job["state"] == "completed", job
    cells = client.get(f"/jobs/{job['id']}/measurements", params={"view": "cells"}).json()["items"]
    last = max(cells, key=lambda row: row["n"])
    assert 0.5 * last["n"] < last["n_unique"] < 0.75 * last["n"]


def test_events_can_be_resumed_without_gap_or_double(client: httpx.Client, finished: dict[str, Any]) -> None:
    everything = follow(client, finished["id"])
    assert [event["id"] for event in everything] == list(range(1, len(everything) + 1))
    assert follow(client, finished["id"], last=everything[4]["id"]) == everything[5:]
    cells = [event["data"] for event in everything if event["type"] == "cell"]
    assert [cell["cells_done"] for cell in cells] == list(range(1, 19))


def test_a_schedule_may_be_a_list(client: httpx.Client) -> None:
    job = run(client, TINY | {"schedule": [30, 60, 300]})
    assert job["state"] == "completed", job
    cells = client.get(f"/jobs/{job['id']}/measurements", params={"view": "cells"}).json()["items"]
    assert sorted({row["n"] for row in cells}) == [30, 60, 300]


def test_a_running_job_can_be_cancelled_and_retried(client: httpx.Client) -> None:
    spec = TINY | {"training": {"name": "sgd-classifier", "params": {"epochs": 400, "batch_size": 8}}, "runs": 4}
    job_id = client.post("/jobs", json=spec).json()["id"]
    with client.stream("GET", f"/jobs/{job_id}/events", timeout=60) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:") and json.loads(line[5:]).get("state") == "running":
                break
    began = time.monotonic()
    assert client.post(f"/jobs/{job_id}/cancel").status_code == 202
    assert follow(client, job_id)[-1]["data"]["state"] == "cancelled"
    assert time.monotonic() - began < 25
    assert client.post(f"/jobs/{job_id}/cancel").status_code == 409
    assert client.post(f"/jobs/{job_id}/retry").status_code == 202
    client.post(f"/jobs/{job_id}/cancel")
    assert follow(client, job_id)[-1]["data"]["state"] == "cancelled"
    assert client.delete(f"/jobs/{job_id}").status_code == 204
    assert client.get(f"/jobs/{job_id}").status_code == 404


@pytest.mark.parametrize(
    ("name", "arrays", "says"),
    [
        ("missing", None, "missing.npz"),
        ("truncated", b"PK\x03\x04 no zip at all", "truncated.npz"),
        ("negative", {"x": np.zeros((4, 3), np.float32), "y": np.array([0, 1, -1, 1])}, "label"),
        ("unequal", {"x": np.zeros((4, 3), np.float32), "y": np.array([0, 1])}, "unequal.npz"),
    ],
)
def test_a_bad_dataset_says_what_is_wrong(service: Service, name: str, arrays: Any, says: str) -> None:
    file = service.data / f"{name}.npz"
    if isinstance(arrays, bytes):
        file.write_bytes(arrays)
    elif arrays is not None:
        np.savez(file, **arrays)
    split = {"loader": "npz", "params": {"path": f"{name}.npz"}}
    dataset = register(service.client, name, split, split)
    assert dataset["status"] == "invalid"
    assert says in dataset["error"]["detail"]
    answer = service.client.post("/jobs", json=TINY | {"dataset": name})
    assert answer.status_code in (409, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_files_outside_the_data_roots_are_not_read(service: Service) -> None:
    (service.data / "way-out").symlink_to("/etc")
    for path in ("/etc/passwd", "../../etc/passwd", "way-out/passwd"):
        split = {"loader": "npz", "params": {"path": path}}
        dataset = register(service.client, f"outside{hash(path) % 1000}", split, split)
        assert dataset["status"] == "invalid"
        assert "root:" not in json.dumps(dataset)


def test_real_mnist_can_be_registered(service: Service) -> None:
    if not (SHARED_DATA / "mnist").exists():
        pytest.skip("the MNIST files are not beside the repository")
    split = {"path": "mnist", "split": "t10k"}
    dataset = register(
        service.client,
        "mnist-2500",
        {"loader": "idx", "params": {**split, "start": 0, "limit": 2500}},
        {"loader": "idx", "params": {**split, "start": 8000, "limit": 500}},
    )
    assert dataset["status"] == "ready", dataset
    assert dataset["info"]["input_shape"] == [1, 28, 28]


def cells(client: httpx.Client, job_id: str) -> dict[tuple[Any, ...], float | None]:
    items = client.get(f"/jobs/{job_id}/measurements", params={"view": "cells"}).json()["items"]
    return {(row["run"], row["n"], row["n_unique"], row["metric"], row["class"]): row["value"] for row in items}


@pytest.mark.parametrize("protocol", ["independent", "dataeval"])
def test_an_extended_job_equals_one_that_was_asked_for_at_once(client: httpx.Client, protocol: str) -> None:
    begun = run(client, TINY | {"protocol": protocol, "schedule": [30, 60, 120]})
    before = cells(client, begun["id"])
    answer = client.post(f"/jobs/{begun['id']}/extend", json={"runs": 3, "steps": [300]})
    assert answer.status_code == 202, answer.text
    assert follow(client, begun["id"])[-1]["data"] == {"state": "completed"}
    extended = cells(client, begun["id"])
    assert {key: extended[key] for key in before} == before
    whole = run(client, TINY | {"protocol": protocol, "schedule": [30, 60, 120, 300], "runs": 3})
    assert extended == cells(client, whole["id"])


def test_data_that_changed_are_read_anew_and_not_mixed(service: Service, client: httpx.Client) -> None:
    rng = np.random.default_rng(0)

    def write(items: int) -> None:
        y = np.arange(items) % 3
        np.savez(service.data / "grows.npz", x=(rng.normal(size=(items, 4)) + y[:, None]).astype(np.float32), y=y)

    write(120)
    split = {"loader": "npz", "params": {"path": "grows.npz"}}
    first = register(client, "grows", split, split)
    job = run(client, TINY | {"dataset": "grows", "schedule": [20, 60], "runs": 1})
    assert job["state"] == "completed", job
    before = cells(client, job["id"])
    write(240)
    assert client.post("/datasets/grows/verify").status_code == 202
    deadline = time.monotonic() + 60
    while (dataset := client.get("/datasets/grows").json())["status"] == "verifying":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert dataset["info"]["train"]["size"] == 240
    assert dataset["fingerprint"] != first["fingerprint"]
    refused = client.post(f"/jobs/{job['id']}/extend", json={"steps": [240]})
    assert (refused.status_code, refused.json()["code"]) == (409, "dataset_changed")
    assert cells(client, job["id"]) == before
    anew = client.post(f"/jobs/{job['id']}/extend?start_anew=true", json={"steps": [240]})
    assert anew.status_code == 202, anew.text
    events = follow(client, job["id"])
    assert events[-1]["data"] == {"state": "completed"}
    assert [event["data"]["cells"] for event in events if event["type"] == "discarded"] == [2]
    assert sorted({key[1] for key in cells(client, job["id"])}) == [20, 60, 240]


def test_the_doctor_finds_one_thing_wrong_in_the_end(service: Service, finished: dict[str, Any]) -> None:
    program = [
        sys.executable,
        "-m",
        "sufficiency.cli",
        "doctor",
        "--data-dir",
        str(service.standalone.data_dir),
    ]
    told = subprocess.run([*program, "--url", service.url], capture_output=True, text=True, check=False, timeout=300)
    assert (told.returncode, told.stderr) == (1, ""), told.stdout
    [wrong] = [line for line in told.stdout.splitlines() if line.startswith("WRONG")]
    assert "cannot offer model:does-not-import" in wrong, "one of the plugins that it was given is broken"
    assert told.stdout.endswith("1 thing is wrong.\n")
