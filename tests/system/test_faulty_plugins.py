"""What a user is told when a plugin misbehaves; and the service goes on."""

from typing import Any

import httpx
import pytest

from tests.support.standalone import TINY, run

COUNTING = TINY | {"training": {"name": "nothing"}, "schedule": [10, 40, 160, 640]}


@pytest.fixture(autouse=True)
def goes_on_afterwards(client: httpx.Client) -> Any:
    """Whatever a test did, both slots still work."""
    yield
    assert run(client, TINY | {"schedule": [20, 40]})["state"] == "completed"


@pytest.mark.parametrize(
    ("training", "code", "says"),
    [
        ("raises", "plugin_raised", "the learning rate of Raises is cursed"),
        pytest.param("exits", "attempts_exhausted", "2 times", marks=pytest.mark.slow),
        ("segfaults", "attempts_exhausted", "SIGSEGV"),
    ],
)
def test_a_training_that_goes_wrong_fails_the_job_and_is_quoted(
    client: httpx.Client,
    training: str,
    code: str,
    says: str,
) -> None:
    job = run(client, TINY | {"training": {"name": training}, "schedule": [20], "runs": 1})
    assert job["state"] == "failed"
    assert job["error"]["code"] == code
    assert says in job["error"]["detail"]
    assert job["error"]["where"]["run"] == 0
    assert job["error"]["where"]["n"] == 20


@pytest.mark.parametrize(("evaluation", "says"), [("words", "rather good"), ("list", "mapping")])
def test_an_evaluation_that_measures_nothing(client: httpx.Client, evaluation: str, says: str) -> None:
    job = run(client, COUNTING | {"evaluation": {"name": evaluation}})
    assert (job["state"], job["error"]["code"]) == ("failed", "invalid_metrics")
    assert says in job["error"]["detail"] or "numeric" in job["error"]["detail"]


def test_nan_everywhere_leaves_nothing_to_fit(client: httpx.Client) -> None:
    job = run(client, COUNTING | {"evaluation": {"name": "nan"}})
    assert job["state"] == "completed"
    assert "Accuracy" in str(job["warnings"])
    answer = client.get(f"/jobs/{job['id']}/project", params={"n": 5000})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"


def test_nan_somewhere_drops_those_cells_and_says_so(client: httpx.Client) -> None:
    job = run(client, COUNTING | {"evaluation": {"name": "sometimes-nan"}})
    assert job["state"] == "completed"
    assert "Accuracy" in str(job["warnings"])
    question = {"n": 2560, "method": "power_law"}
    [point] = client.get(f"/jobs/{job['id']}/project", params=question).json()["metrics"]["Accuracy"]
    assert point["value"] == pytest.approx(1 - 2560**-0.5, abs=1e-3)
    assert "missing_values" in str(client.get(f"/jobs/{job['id']}/project", params={"n": 2560}).json()["warnings"])


def test_metrics_that_come_and_go_are_reported(client: httpx.Client) -> None:
    job = run(client, COUNTING | {"evaluation": {"name": "changing"}})
    assert job["state"] == "completed"
    warned = str(job["warnings"])
    assert "Small" in warned
    assert "Large" in warned
    assert client.get(f"/jobs/{job['id']}/project", params={"n": 2560, "metric": "Accuracy"}).status_code == 200


def test_a_schedule_plugin_names_the_steps(client: httpx.Client) -> None:
    job = run(client, TINY | {"schedule": {"name": "thirds"}})
    assert job["state"] == "completed"
    cells = client.get(f"/jobs/{job['id']}/measurements", params={"view": "cells"}).json()["items"]
    assert sorted({row["n"] for row in cells}) == [166, 500, 1500]


def test_a_schedule_plugin_with_impossible_steps_is_refused(client: httpx.Client) -> None:
    job = run(client, TINY | {"schedule": {"name": "bad-steps"}})
    assert (job["state"], job["error"]["code"]) == ("failed", "schedule_invalid")


def test_a_plugin_that_does_not_import_is_shown_and_takes_no_other_along(client: httpx.Client) -> None:
    [worker] = client.get("/workers").json()["items"]
    assert "a_module_that_is_not_there" in str(worker)
    assert client.get("/plugins/training/raises").status_code == 200


def test_a_schedule_plugin_cannot_ask_for_more_cells_than_a_job_may_have(client: httpx.Client) -> None:
    job = run(client, TINY | {"schedule": {"name": "thirds"}, "runs": 10_000})
    assert (job["state"], job["error"]["code"]) == ("failed", "schedule_invalid")
    assert "30000 cells" in job["error"]["detail"]
