"""Cells that could not be measured: said wherever the rest is answered, and tried again on demand."""

from typing import Any

import pytest

from sufficiency.answers.dataeval import SufficiencyOutput
from tests.support.events import follow
from tests.support.finished import extend, values
from tests.support.service import Service, power_law, problem

STEPS = [10, 20, 50, 100, 200, 400]
ERROR = {
    "code": "plugin_raised",
    "detail": "training:fit-estimator raised ValueError: Expected n_neighbors <= n_samples_fit, but n_neighbors = 15.",
    "where": {"phase": "training", "plugin": "training:fit-estimator"},
    "exception": "ValueError: Expected n_neighbors <= n_samples_fit, but n_neighbors = 15",
    "traceback": ["…"],
}


def with_gaps(service: Service, fails: set[tuple[int, int]], **spec: Any) -> str:
    """Return a completed job in which the cells (run, n) of `fails` could not be measured."""
    job_id: str = service.submit(schedule=STEPS, runs=2, **spec)["id"]
    go_on(service, job_id, fails)
    return job_id


def go_on(service: Service, job_id: str, fails: set[tuple[int, int]]) -> None:
    while service.client.get(f"/jobs/{job_id}").json()["state"] in ("queued", "running"):
        claimed, _ = service.claim(job_id)
        for cell in claimed.cells:
            if (cell.run, cell.n) in fails and cell.is_open:
                service.give_up(claimed, cell, {**ERROR, "where": {**ERROR["where"], **cell.place}})  # type: ignore[dict-item]
        left = [cell for cell in claimed.cells if cell.is_open and (cell.run, cell.n) not in fails]
        service.record(type(claimed)(**{**vars(claimed), "cells": left}))


def test_the_job_completes_and_says_what_is_missing_and_why(service: Service) -> None:
    job_id = with_gaps(service, {(0, 10), (1, 10), (1, 20)})
    job = service.client.get(f"/jobs/{job_id}").json()
    assert job["state"] == "completed"
    assert job["progress"] | {"eta_seconds": None} == {
        "cells_done": 9,
        "cells_not_measurable": 3,
        "cells_total": 12,
        "fraction": 1.0,
        "eta_seconds": None,
    }
    [warning] = [one for one in job["warnings"] if one["code"] == "cells_not_measurable"]
    assert warning["detail"].startswith("3 of 12 cells could not be measured, and the curves are without them. n = 10 ")
    for part in (
        "n = 20 (run 1)",
        "training:fit-estimator raised ValueError: Expected n_neighbors",
        "Retrying the job",
    ):
        assert part in warning["detail"]
    assert warning["places"][0] == {"run": 0, "step": 0, "n": 10}
    assert [reason["cells"] for reason in warning["reasons"]] == [3]
    for question in ("project?n=5000", "inv_project?target=0.99", "verdict", "curves"):
        answer = service.client.get(f"/jobs/{job_id}/{question}").json()
        assert answer["warnings"][0]["detail"] == warning["detail"], question


def test_results_are_those_of_the_rest(service: Service) -> None:
    job_id = with_gaps(service, {(0, 10), (1, 10), (1, 20)})
    items = service.client.get(f"/jobs/{job_id}/measurements").json()["items"]
    assert {(item["n"], item["runs"]) for item in items if item["metric"] == "Accuracy"} == {
        *((20, 1), (50, 2), (100, 2), (200, 2), (400, 2))
    }
    table = service.client.get(f"/jobs/{job_id}/export?format=csv").text.splitlines()
    assert len(table) == 1 + 9
    assert service.client.get(f"/jobs/{job_id}/plot.svg").status_code == 200
    exported = service.client.get(f"/jobs/{job_id}/export").json()
    assert exported["steps"] == [20, 50, 100, 200, 400]
    assert exported["measures"]["Accuracy"][1][0] is None
    assert exported["averaged_measures"]["Accuracy"][0] == exported["measures"]["Accuracy"][0][0]
    assert exported["warnings"][0]["code"] == "cells_not_measurable"
    frame = pytest.importorskip("polars") and SufficiencyOutput.of(exported).project([800])
    assert 0.9 < frame["Accuracy"][0] <= 1.0


def test_retry_tries_them_again_and_nothing_else(service: Service) -> None:
    job_id = with_gaps(service, {(0, 10), (1, 20)})
    before = values(service, job_id)
    answer = service.client.post(f"/jobs/{job_id}/retry")
    assert answer.status_code == 202
    job = answer.json()
    assert (job["state"], job["progress"]["cells_not_measurable"], job["warnings"]) == ("queued", 0, [])
    go_on(service, job_id, {(1, 20)})
    job = service.client.get(f"/jobs/{job_id}").json()
    assert (job["state"], job["progress"]["cells_done"], job["progress"]["cells_not_measurable"]) == (
        "completed",
        11,
        1,
    )
    after = values(service, job_id)
    assert {key: after[key] for key in before} == before
    assert [event.data.get("retried") for event in follow(service, job_id) if event.data.get("retried")] == [
        {"cells": 2}
    ]
    assert service.client.post(f"/jobs/{job_id}/retry").status_code == 202
    go_on(service, job_id, set())
    problem(service.client.post(f"/jobs/{job_id}/retry"), 409, "job_completed")


def test_a_run_that_had_to_leave_a_step_out_is_measured_anew_from_there(service: Service) -> None:
    job_id = with_gaps(service, {(0, 50)}, protocol="dataeval")
    before = {key: value for key, (value, _) in values(service, job_id).items()}
    assert service.client.post(f"/jobs/{job_id}/retry").status_code == 202
    kept = {(run, step) for run, step, *_ in values(service, job_id)}
    assert kept == {(0, 0), (0, 1), *((1, step) for step in range(6))}
    job = service.client.get(f"/jobs/{job_id}").json()
    assert (job["progress"]["cells_done"], job["progress"]["fraction"]) == (8, pytest.approx(810 / 1560))
    go_on(service, job_id, set())
    assert service.client.get(f"/jobs/{job_id}").json()["state"] == "completed"
    assert len(values(service, job_id)) == len(before) * 12 // 11


def test_a_job_with_gaps_is_extended_without_them(service: Service) -> None:
    job_id = with_gaps(service, {(0, 10)})
    job = extend(service, job_id, {"runs": 3}).json()
    assert (job["progress"]["cells_not_measurable"], job["progress"]["cells_total"]) == (1, 18)
    plan = service.client.get(f"/jobs/{job_id}").json()
    assert [one["code"] for one in plan["warnings"]] == ["cells_not_measurable"]
    go_on(service, job_id, set())
    job = service.client.get(f"/jobs/{job_id}").json()
    assert (job["state"], job["progress"]["cells_done"]) == ("completed", 17)


def test_a_failed_job_tries_all_of_them_again(service: Service) -> None:
    job_id = service.submit(schedule=STEPS, runs=2)["id"]
    go_on(service, job_id, {(run, n) for run in range(2) for n in STEPS})
    job = service.client.get(f"/jobs/{job_id}").json()
    assert (job["state"], job["error"]["code"]) == ("failed", "plugin_raised")
    assert service.client.post(f"/jobs/{job_id}/retry").status_code == 202
    go_on(service, job_id, set())
    job = service.client.get(f"/jobs/{job_id}").json()
    assert (job["state"], job["progress"]["cells_done"], job["warnings"]) == ("completed", 12, [])


def test_all_at_a_size_start_anew_too(service: Service) -> None:
    job_id = with_gaps(service, {(0, 10)})
    job = service.client.post(f"/jobs/{job_id}/retry?start_anew=true").json()
    assert (job["progress"]["cells_done"], job["progress"]["cells_not_measurable"]) == (0, 0)
    assert power_law(0, 0, 10)
