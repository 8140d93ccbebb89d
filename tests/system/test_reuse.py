"""No cell twice: what a job of the project has measured, another takes over, with the service as shipped."""

import csv
import io
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.mine import write_rate
from tests.support.standalone import JSON, TINY, Service, follow, guarded, register, run

# With a seed of its own: of what other tests have measured, nothing is taken over.
SHARED: dict[str, Any] = {name: value for name, value in TINY.items() if name != "reuse"} | {"seed": 100}


@pytest.fixture(scope="module")
def first(client: httpx.Client) -> dict[str, Any]:
    """The study that the others repeat."""
    job = run(client, SHARED)
    assert (job["state"], job.get("reused")) == ("completed", None)
    return job


def values(client: httpx.Client, job: dict[str, Any]) -> dict[tuple[Any, ...], Any]:
    items = client.get(f"/jobs/{job['id']}/measurements", params={"view": "cells", "limit": 10000}).json()["items"]
    return {(one["run"], one["n"], one["metric"], one["class"]): one["value"] for one in items}


def origins(client: httpx.Client, job: dict[str, Any]) -> dict[tuple[int, int], str | None]:
    items = client.get(f"/jobs/{job['id']}/cells").json()["items"]
    return {(one["run"], one["step"]): one.get("reused_from") for one in items}


def test_a_repeated_study_is_taken_over_and_says_so_everywhere(client: httpx.Client, first: dict[str, Any]) -> None:
    again = run(client, SHARED)
    assert (again["state"], again["progress"]["cells_done"]) == ("completed", 8)
    assert again["reused"]["cells"] == 8
    assert again["reused"]["training_items"] == 2 * sum(again["steps"])
    assert again["reused"]["seconds_saved"] > 0
    assert values(client, again) == values(client, first)
    assert set(origins(client, again).values()) == {first["id"]}
    told = client.get(f"/jobs/{again['id']}/measurements", params={"view": "cells"}).json()["items"]
    assert {one["reused_from"] for one in told} == {first["id"]}
    for address in ("cells", "measurements?view=cells"):
        text = client.get(f"/jobs/{again['id']}/{address}", headers={"Accept": "text/csv"}).text
        assert {row["reused_from"] for row in csv.DictReader(io.StringIO(text))} == {first["id"]}
    assert client.get(f"/jobs/{again['id']}/curves").json()["cells_reused"] == 8
    landed = [event["data"] for event in follow(client, again["id"], last=0) if event["type"] == "cell"]
    assert {event["reused_from"] for event in landed} == {first["id"]}
    assert landed[-1]["cells_done"] == 8
    ours, theirs = (client.get(f"/jobs/{one['id']}/project?n=5000").json()["metrics"] for one in (again, first))
    assert ours == theirs


def test_no_reuse_measures_it_and_gets_the_same(client: httpx.Client, first: dict[str, Any]) -> None:
    job = run(client, {**SHARED, "reuse": False})
    assert (job.get("reused"), job["spec"]["reuse"]) == (None, False)
    assert set(origins(client, job).values()) == {None}
    assert values(client, job) == values(client, first)


def test_a_widened_study_measures_only_what_is_new(client: httpx.Client, first: dict[str, Any]) -> None:
    job = run(client, {**SHARED, "runs": 3})
    assert (job["progress"]["cells_done"], job["reused"]["cells"]) == (12, 8)
    assert {run for (run, _), origin in origins(client, job).items() if origin is None} == {2}
    alone = run(client, {**SHARED, "runs": 3, "reuse": False})
    assert values(client, job) == values(client, alone)


def test_another_seed_or_parameter_shares_nothing(client: httpx.Client, first: dict[str, Any]) -> None:
    slower = {"name": "sgd-classifier", "params": {"lr": 0.05, "epochs": 3, "batch_size": 16}}
    for change in ({"seed": 101}, {"training": slower}, {"protocol": "dataeval"}):
        assert run(client, {**SHARED, **change}).get("reused") is None, change


def test_an_extension_takes_over(client: httpx.Client, first: dict[str, Any]) -> None:
    short = run(client, {**SHARED, "runs": 1, "reuse": False, "labels": {"a": "b"}})
    assert client.post(f"/jobs/{short['id']}/extend", json={"runs": 2}).status_code == 202
    assert follow(client, short["id"])[-1]["data"]["state"] == "completed"
    assert client.get(f"/jobs/{short['id']}").json().get("reused") is None, "it has said that it wants none"
    begun = run(client, {**SHARED, "seed": 107, "runs": 1})
    wide = run(client, {**SHARED, "seed": 107, "runs": 2, "reuse": False})
    assert client.post(f"/jobs/{begun['id']}/extend", json={"runs": 2}).status_code == 202
    assert follow(client, begun["id"])[-1]["data"]["state"] == "completed"
    extended = client.get(f"/jobs/{begun['id']}").json()
    assert extended["reused"]["cells"] == 4
    assert set(origins(client, extended).values()) == {None, wide["id"]}
    assert values(client, extended) == values(client, wide)


def test_an_adaptive_job_takes_over_stage_by_stage(client: httpx.Client) -> None:
    spec = {**SHARED, "seed": 103, "runs": 4, "substeps": 5, "stop_when": {"width": 1e-9}}
    grid = run(client, {**{name: value for name, value in spec.items() if name != "stop_when"}})
    job = run(client, spec)
    assert (job["state"], job["design"]["stopped"]) == ("completed", "grid")
    assert job["reused"]["cells"] == job["progress"]["cells_done"] == 20
    assert (job["design"]["spent"], job["design"]["saved"]) == (0.0, 1.0)
    assert values(client, job) == values(client, grid)


def test_a_changed_line_of_source_is_another_plugin(client: httpx.Client, service: Service) -> None:
    spec = {**SHARED, "training": {"name": "mine"}}
    one = run(client, spec)
    assert run(client, spec)["reused"]["cells"] == 8
    write_rate(service.mine, 0.2)
    changed = run(client, spec)
    assert (changed["state"], changed.get("reused")) == ("completed", None)
    assert values(client, changed) != values(client, one)


@pytest.mark.slow
def test_a_line_that_is_changed_back_is_the_plugin_of_before(client: httpx.Client, service: Service) -> None:
    spec = {**SHARED, "seed": 113, "training": {"name": "mine"}}
    made = []
    for rate in (0.3, 0.4, 0.3):
        write_rate(service.mine, rate)
        made.append(run(client, spec))
    assert [(job.get("reused") or {}).get("cells") for job in made] == [None, None, 8]
    assert values(client, made[2]) == values(client, made[0]) != values(client, made[1])


def test_a_plugin_without_source_is_never_shared(client: httpx.Client) -> None:
    spec = {**SHARED, "training": {"name": "sealed"}}
    made = [run(client, spec) for _ in range(2)]
    assert [(job["state"], job.get("reused")) for job in made] == [("completed", None)] * 2
    assert values(client, made[0]) == values(client, made[1])


def test_another_project_gets_nothing_and_learns_nothing(
    client: httpx.Client, service: Service, first: dict[str, Any], tmp_path: Path
) -> None:
    with guarded(service, tmp_path) as address:
        headers = {**JSON, "Authorization": f"Bearer {(tmp_path / 'bootstrap-key').read_text()}"}
        with httpx.Client(base_url=f"http://{address}", headers=headers, timeout=120, trust_env=False) as its:
            assert its.post("/projects", json={"name": "other"}).status_code == 201
            its.headers["Sufficiency-Project"] = "other"
            train, test = ({"loader": "digits", "params": {"split": split}} for split in ("train", "test"))
            assert register(its, "digits", train, test)["status"] == "ready"
            job = run(its, SHARED)
            assert (job["state"], job.get("reused")) == ("completed", None)
            assert run(its, SHARED)["reused"]["cells"] == 8
            assert values(its, job) == values(client, first)


def test_what_was_taken_over_outlives_its_source(client: httpx.Client) -> None:
    spec = {**SHARED, "seed": 111}
    source, copy = run(client, spec), run(client, spec)
    before = values(client, copy)
    assert client.delete(f"/jobs/{source['id']}").status_code == 204
    assert (values(client, copy), set(origins(client, copy).values())) == (before, {source["id"]})
    third = run(client, spec)
    assert (third["reused"]["cells"], set(origins(client, third).values())) == (8, {source["id"]})


def test_starting_anew_measures(client: httpx.Client, first: dict[str, Any]) -> None:
    job = run(client, SHARED)
    assert client.post(f"/jobs/{job['id']}/retry?start_anew=true").status_code == 202
    assert follow(client, job["id"])[-1]["data"]["state"] == "completed"
    anew = client.get(f"/jobs/{job['id']}").json()
    assert (anew.get("reused"), anew["spec"]["reuse"]) == (None, False)
