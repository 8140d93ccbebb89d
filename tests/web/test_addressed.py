"""What an address and a body say is taken as it is said, or refused: nothing is passed over, nothing guessed at."""

import json
from typing import Any

import pytest

from tests.support.service import Service, pointers, problem

JSON = {"Content-Type": "application/json"}
SPEC: dict[str, Any] = {}


def operations() -> list[tuple[str, str]]:
    from app.openapi import specification

    paths = json.loads(specification())["paths"]
    return [(method.upper(), path) for path, found in paths.items() for method in found]


@pytest.mark.parametrize(("method", "path"), operations(), ids=lambda value: str(value))
def test_no_operation_passes_over_a_parameter_that_it_does_not_know(standing: Service, method: str, path: str) -> None:
    nothing = "019ab0c4-5b7a-7cc2-9d2e-0f6a1b2c3d4e"
    address = path.replace("{kind}", "svg").replace("{name}", "small").replace("{", "").replace("}", "")
    for name in ("job_id", "webhook_id", "delivery_id", "forecast_id", "key_id"):
        address = address.replace(name, nothing)
    # A file is sent as it is; all else is JSON.
    sent: dict[str, Any] = {"json": {}}
    if "/uploads/" in path and method == "PUT":
        sent = {"content": b"", "headers": {"Content-Type": "application/octet-stream"}}
    told = problem(standing.client.request(method, f"{address}?dryrum=true", **sent), 422)
    assert "dryrum" in pointers(told)


def test_a_misspelt_dry_run_queues_nothing(standing: Service) -> None:
    told = problem(standing.client.post("/jobs?dryrun=true", json=standing.spec()), 422, "invalid_request")
    assert told["errors"] == [{"pointer": "dryrun", "detail": "there is no such parameter; nearest: dry_run"}]
    assert standing.client.get("/jobs").json()["items"] == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=1_0", "must be a whole number, not '1_0'"),
        ("limit=%205", "must be a whole number, not ' 5'"),
        ("limit=%D9%A5", "must be a whole number"),
        ("limit=5.0", "must be a whole number"),
        ("limit=1e1", "must be a whole number"),
        ("limit=5&limit=6", "may be given only once, not 2 times"),
    ],
)
def test_numbers_are_written_as_numbers(standing: Service, query: str, words: str) -> None:
    [error] = problem(standing.client.get(f"/jobs?{query}"), 422)["errors"]
    assert error["pointer"] == "limit"
    assert error["detail"].startswith(words)


@pytest.mark.parametrize("written", ["1", "yes", "on", "True", "t", ""])
def test_truth_is_written_true_or_false(standing: Service, written: str) -> None:
    [error] = problem(standing.client.post(f"/jobs?dry_run={written}", json=standing.spec()), 422)["errors"]
    assert error["detail"] == f"must be true or false, not {written!r}"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"runs": "2"}, "#/runs"),
        ({"runs": True}, "#/runs"),
        ({"runs": 2.5}, "#/runs"),
        ({"seed": "7"}, "#/seed"),
        ({"priority": False}, "#/priority"),
        ({"schedule": ["10", 20]}, "#/schedule/0"),
        ({"metrics": {"A": {"bounds": ["0", 1]}}}, "#/metrics/A/bounds/0"),
        ({"labels": {"a": 5}}, "#/labels/a"),
    ],
    ids=str,
)
def test_nothing_is_taken_for_what_it_is_not(standing: Service, changes: dict[str, Any], pointer: str) -> None:
    refused = standing.client.post("/jobs?dry_run=true", json=standing.spec(**changes))
    assert pointer in pointers(problem(refused, 422))
    fine = standing.spec(runs=2, metrics={"A": {"bounds": [0, None]}})
    assert standing.client.post("/jobs?dry_run=true", json=fine).status_code == 200


def test_a_key_that_is_there_twice_is_refused(standing: Service) -> None:
    body = json.dumps(standing.spec())[:-1] + ', "runs": 3, "labels": {"a": "1", "a": "2"}}'
    told = problem(standing.client.post("/jobs?dry_run=true", content=body, headers=JSON), 422)
    assert "the key 'runs' twice" in told["detail"]
    assert "the key 'a' twice" in told["detail"]
