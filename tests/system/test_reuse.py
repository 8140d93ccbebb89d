"""No cell twice: what a job of the project has measured, another takes over, with the service as shipped."""

import csv
import io
import py_compile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access.keys import new_secret
from app.settings import Settings
from app.standalone.service import Standalone
from tests.support.external import ROOT
from tests.support.standalone import JSON, TINY, follow, register, run

SHARED: dict[str, Any] = {**{name: value for name, value in TINY.items() if name != "reuse"}, "runs": 2, "substeps": 4}
TRAINING = """
import torch
from helper_of_mine import LR


class Mine:
    \"\"\"Trains with one step, and counts nothing.\"\"\"

    def train(self, model, dataset, indices):
        x = torch.stack([torch.as_tensor(dataset[i][0]) for i in indices]).flatten(1)
        y = torch.stack([torch.as_tensor(dataset[i][1]) for i in indices]).argmax(1)
        optimiser = torch.optim.SGD(model.parameters(), lr=LR)
        for _ in range(3):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimiser.step()
"""
PLUGINS = ("training:mine=training_of_mine:Mine", "training:sealed=sealed_of_mine:Mine")


@dataclass(frozen=True)
class Keyed:
    """A running service with keys, and where its plugins are."""

    standalone: Standalone
    client: httpx.Client
    plugins: Path


@pytest.fixture(scope="module")
def keyed() -> Iterator[Keyed]:
    """API, worker with two slots, PostgreSQL and Redis; `digits` is ready in both of its projects."""
    with tempfile.TemporaryDirectory(prefix="sufficiency-") as directory:
        folder = Path(directory)
        plugins = folder / "plugins"
        plugins.mkdir()
        (plugins / "helper_of_mine.py").write_text("LR = 0.1\n")
        (plugins / "training_of_mine.py").write_text(TRAINING)
        source = folder / "sealed_of_mine.py"
        source.write_text(TRAINING)
        py_compile.compile(str(source), str(plugins / "sealed_of_mine.pyc"), doraise=True)
        (folder / "key").write_text(new_secret())
        settings = Settings(
            access="keys", bootstrap_key_file=folder / "key", plugins=PLUGINS, plugin_path=(plugins, ROOT)
        )
        standalone = Standalone(settings, folder / "service", port=0, slots=2)
        standalone.start()
        try:
            standalone.wait_ready()
            headers = {**JSON, "Authorization": f"Bearer {(folder / 'key').read_text()}"}
            with httpx.Client(base_url=standalone.url, headers=headers, timeout=120, trust_env=False) as client:
                digits({"client": client})
                yield Keyed(standalone, client, plugins)
        finally:
            standalone.stop()


def digits(of: dict[str, httpx.Client]) -> None:
    split = {"loader": "digits", "params": {"split": "train"}}
    info = register(of["client"], "digits", split, {"loader": "digits", "params": {"split": "test"}})
    assert info["status"] == "ready", info


@pytest.fixture(scope="module")
def first(keyed: Keyed) -> dict[str, Any]:
    """The study that the others repeat."""
    job = run(keyed.client, SHARED)
    assert (job["state"], job.get("reused")) == ("completed", None)
    return job


def values(client: httpx.Client, job: dict[str, Any]) -> dict[tuple[Any, ...], Any]:
    items = client.get(f"/jobs/{job['id']}/measurements", params={"view": "cells", "limit": 10000}).json()["items"]
    return {(one["run"], one["n"], one["metric"], one["class"]): one["value"] for one in items}


def origins(client: httpx.Client, job: dict[str, Any]) -> dict[tuple[int, int], str | None]:
    items = client.get(f"/jobs/{job['id']}/cells").json()["items"]
    return {(one["run"], one["step"]): one.get("reused_from") for one in items}


def test_a_repeated_study_is_taken_over_and_says_so_everywhere(keyed: Keyed, first: dict[str, Any]) -> None:
    client = keyed.client
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


def test_no_reuse_measures_it_and_gets_the_same(keyed: Keyed, first: dict[str, Any]) -> None:
    job = run(keyed.client, {**SHARED, "reuse": False})
    assert (job.get("reused"), job["spec"]["reuse"]) == (None, False)
    assert set(origins(keyed.client, job).values()) == {None}
    assert values(keyed.client, job) == values(keyed.client, first)


def test_a_widened_study_measures_only_what_is_new(keyed: Keyed, first: dict[str, Any]) -> None:
    job = run(keyed.client, {**SHARED, "runs": 3})
    assert (job["progress"]["cells_done"], job["reused"]["cells"]) == (12, 8)
    assert {run for (run, _), origin in origins(keyed.client, job).items() if origin is None} == {2}
    alone = run(keyed.client, {**SHARED, "runs": 3, "reuse": False})
    assert values(keyed.client, job) == values(keyed.client, alone)


def test_another_seed_or_parameter_shares_nothing(keyed: Keyed, first: dict[str, Any]) -> None:
    slower = {"name": "sgd-classifier", "params": {"lr": 0.05, "epochs": 3, "batch_size": 16}}
    for change in ({"seed": 1}, {"training": slower}, {"protocol": "dataeval"}):
        assert run(keyed.client, {**SHARED, **change}).get("reused") is None, change


def test_an_extension_takes_over(keyed: Keyed, first: dict[str, Any]) -> None:
    client = keyed.client
    short = run(client, {**SHARED, "runs": 1, "reuse": False, "labels": {"a": "b"}})
    assert client.post(f"/jobs/{short['id']}/extend", json={"runs": 2}).status_code == 202
    assert follow(client, short["id"])[-1]["data"]["state"] == "completed"
    assert client.get(f"/jobs/{short['id']}").json().get("reused") is None, "it has said that it wants none"
    begun = run(client, {**SHARED, "seed": 7, "runs": 1})
    wide = run(client, {**SHARED, "seed": 7, "runs": 2, "reuse": False})
    assert client.post(f"/jobs/{begun['id']}/extend", json={"runs": 2}).status_code == 202
    assert follow(client, begun["id"])[-1]["data"]["state"] == "completed"
    extended = client.get(f"/jobs/{begun['id']}").json()
    assert extended["reused"]["cells"] == 4
    assert set(origins(client, extended).values()) == {None, wide["id"]}
    assert values(client, extended) == values(client, wide)


def test_an_adaptive_job_takes_over_stage_by_stage(keyed: Keyed) -> None:
    client = keyed.client
    spec = {**SHARED, "seed": 3, "runs": 4, "substeps": 5, "stop_when": {"width": 1e-9}}
    grid = run(client, {**{name: value for name, value in spec.items() if name != "stop_when"}})
    job = run(client, spec)
    assert (job["state"], job["design"]["stopped"]) == ("completed", "grid")
    assert job["reused"]["cells"] == job["progress"]["cells_done"] == 20
    assert (job["design"]["spent"], job["design"]["saved"]) == (0.0, 1.0)
    assert values(client, job) == values(client, grid)


def test_a_changed_line_of_source_is_another_plugin(keyed: Keyed) -> None:
    client, spec = keyed.client, {**SHARED, "training": {"name": "mine"}}
    one = run(client, spec)
    assert run(client, spec)["reused"]["cells"] == 8
    (keyed.plugins / "helper_of_mine.py").write_text("LR = 0.2\n")
    changed = run(client, spec)
    assert (changed["state"], changed.get("reused")) == ("completed", None)
    assert values(client, changed) != values(client, one)
    (keyed.plugins / "helper_of_mine.py").write_text("LR = 0.1\n")
    back = run(client, spec)
    assert (back["reused"]["cells"], values(client, back)) == (8, values(client, one))


def test_a_plugin_without_source_is_never_shared(keyed: Keyed) -> None:
    spec = {**SHARED, "training": {"name": "sealed"}}
    made = [run(keyed.client, spec) for _ in range(2)]
    assert [(job["state"], job.get("reused")) for job in made] == [("completed", None)] * 2
    assert values(keyed.client, made[0]) == values(keyed.client, made[1])


def test_another_project_gets_nothing_and_learns_nothing(keyed: Keyed, first: dict[str, Any]) -> None:
    assert keyed.client.post("/projects", json={"name": "other"}).status_code == 201
    with httpx.Client(
        base_url=keyed.standalone.url,
        headers={**dict(keyed.client.headers), "Sufficiency-Project": "other"},
        timeout=120,
        trust_env=False,
    ) as client:
        digits({"client": client})
        job = run(client, SHARED)
        assert (job["state"], job.get("reused")) == ("completed", None)
        assert run(client, SHARED)["reused"]["cells"] == 8
        assert values(client, job) == values(keyed.client, first)


def test_what_was_taken_over_outlives_its_source(keyed: Keyed) -> None:
    client, spec = keyed.client, {**SHARED, "seed": 11}
    source, copy = run(client, spec), run(client, spec)
    before = values(client, copy)
    assert client.delete(f"/jobs/{source['id']}").status_code == 204
    assert (values(client, copy), set(origins(client, copy).values())) == (before, {source["id"]})
    third = run(client, spec)
    assert (third["reused"]["cells"], set(origins(client, third).values())) == (8, {source["id"]})


def test_starting_anew_measures(keyed: Keyed, first: dict[str, Any]) -> None:
    job = run(keyed.client, SHARED)
    assert keyed.client.post(f"/jobs/{job['id']}/retry?start_anew=true").status_code == 202
    assert follow(keyed.client, job["id"])[-1]["data"]["state"] == "completed"
    anew = keyed.client.get(f"/jobs/{job['id']}").json()
    assert (anew.get("reused"), anew["spec"]["reuse"]) == (None, False)
