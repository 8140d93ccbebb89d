"""Projects: what is in one is nobody else's, and names are each one's own."""

from typing import Any

import pytest
from sqlalchemy import text

from tests.access.conftest import Guarded
from tests.support.service import problem

SMALL = {
    "name": "small",
    "train": {"loader": "npz", "params": {"path": "other.npz"}},
    "test": {"loader": "npz", "params": {"path": "other.npz"}},
}
# Of a job that is gone
A_FORECAST = """
INSERT INTO forecast (project_id, study_id, dataset, model, metric, class_index, direction, n, n_observed, value, lower,
    upper, method_version)
SELECT id, uuidv7(), 'small', 'mlp', 'Accuracy', -1, 'maximize', 200, 100, 0.8, '{0.7,0.7,0.7}', '{0.9,0.9,0.9}', 1
FROM project WHERE name = 'other'
"""
HOOK = {"url": "https://hooks.example.org/mine", "events": ["job.queued", "job.cancelled"]}


@pytest.fixture
def keys(guarded: Guarded) -> dict[str, str]:
    """A writer in each of two projects."""
    guarded.project("other")
    return {project: guarded.key("write", project)["key"] for project in ("default", "other")}


def test_names_keys_and_addresses_are_each_project_s_own(guarded: Guarded, keys: dict[str, str]) -> None:
    own, other = keys["default"], keys["other"]
    assert guarded.ask(other, "GET", "/datasets").json()["items"] == []
    assert guarded.ask(other, "POST", "/datasets", json=SMALL).status_code == 201
    assert guarded.ask(own, "GET", "/datasets/small").json()["train"]["params"]["path"] == "small.npz"
    ready = {**SMALL, "name": "large"}
    assert guarded.ask(other, "POST", "/datasets", json=ready).status_code == 201
    assert guarded.ask(other, "DELETE", "/datasets/small").status_code == 204
    assert guarded.ask(own, "GET", "/datasets/small").status_code == 200
    assert {guarded.ask(key, "POST", "/webhooks", json=HOOK).status_code for key in (own, other)} == {201}
    values = [{"n": n, "metric": "Accuracy", "value": 1 - 1 / n} for n in (10, 20, 40)]
    measured = {"measured": {"dataset": "elsewhere", "values": values}}
    headers = {"Idempotency-Key": "once"}
    first = guarded.ask(own, "POST", "/jobs", json=measured, headers=headers)
    second = guarded.ask(other, "POST", "/jobs", json={**measured, "labels": {"a": "b"}}, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201), (first.text, second.text)
    assert guarded.ask(own, "POST", "/jobs", json=measured, headers=headers).json()["id"] == first.json()["id"]


def test_a_job_of_another_project_is_not_there(guarded: Guarded, keys: dict[str, str]) -> None:
    job = guarded.ask(keys["default"], "POST", "/jobs", json=guarded.service.spec()).json()["id"]
    guarded.service.work(job)
    for address in ("", "/events", "/project?n=5000", "/export", "/plot.svg", "/measurements", "/cells"):
        assert guarded.ask(keys["default"], "GET", f"/jobs/{job}{address}").status_code == 200
        said = problem(guarded.ask(keys["other"], "GET", f"/jobs/{job}{address}"), 404, "job_not_found")
        assert job in said["detail"]
    assert guarded.ask(keys["other"], "GET", "/jobs").json()["items"] == []
    problem(guarded.ask(keys["other"], "DELETE", f"/jobs/{job}"), 404, "job_not_found")
    assert guarded.ask(keys["default"], "DELETE", f"/jobs/{job}").status_code == 204


def test_webhooks_are_told_of_their_own_project_alone(guarded: Guarded, keys: dict[str, str]) -> None:
    hooks = {project: guarded.ask(key, "POST", "/webhooks", json=HOOK).json()["id"] for project, key in keys.items()}
    job = guarded.ask(keys["default"], "POST", "/jobs", json=guarded.service.spec()).json()["id"]
    guarded.ask(keys["default"], "POST", f"/jobs/{job}/cancel")

    def told(project: str) -> list[Any]:
        page = guarded.ask(keys[project], "GET", f"/webhooks/{hooks[project]}/deliveries").json()
        return [(delivery["type"], delivery["job_id"]) for delivery in page["items"]]

    assert told("default") == [("job.cancelled", job), ("job.queued", job)]
    assert told("other") == []
    problem(guarded.ask(keys["other"], "GET", f"/webhooks/{hooks['default']}/deliveries"), 404, "webhook_not_found")


def test_a_key_of_one_project_does_not_come_into_another(guarded: Guarded, keys: dict[str, str]) -> None:
    for project in ("other", "nowhere"):
        said = problem(guarded.ask(keys["default"], "GET", "/jobs", project), 404, "project_not_found")
        assert said["detail"].startswith(f"There is no project {project!r} for you")
    problem(guarded.ask(guarded.bootstrap, "GET", "/jobs", "nowhere"), 404, "project_not_found")
    assert [one["name"] for one in guarded.ask(keys["other"], "GET", "/projects").json()["items"]] == ["other"]


def test_a_project_goes_once_nothing_is_left_in_it(guarded: Guarded, keys: dict[str, str]) -> None:
    assert guarded.ask(keys["other"], "POST", "/datasets", json=SMALL).status_code == 201
    left = problem(guarded.ask(guarded.bootstrap, "DELETE", "/projects/other"), 409, "project_not_empty")
    assert "1 dataset;" in left["detail"]
    problem(guarded.ask(guarded.bootstrap, "DELETE", "/projects/default"), 409, "project_not_empty")
    assert guarded.ask(keys["other"], "DELETE", "/datasets/small").status_code == 204
    with guarded.service.database.transaction() as session:
        session.execute(text(A_FORECAST))
    for key, told in ((keys["default"], 0), (keys["other"], 1)):
        assert len(guarded.ask(key, "GET", "/forecasts").json()["items"]) == told
    assert guarded.ask(guarded.bootstrap, "DELETE", "/projects/other").status_code == 204
    problem(guarded.ask(keys["other"], "GET", "/jobs"), 401, "unauthenticated")
    problem(guarded.ask(guarded.bootstrap, "POST", "/projects", json={"name": "default"}), 409, "project_exists")


def test_members_are_written_down(guarded: Guarded, keys: dict[str, str]) -> None:
    for role in ("read", "write"):
        put = guarded.ask(guarded.bootstrap, "PUT", "/members/ada@example.org", "other", json={"role": role})
        assert (put.status_code, put.json()["role"]) == (200, role)
    listed = guarded.ask(guarded.bootstrap, "GET", "/members", "other").json()["items"]
    assert [(one["subject"], one["role"]) for one in listed] == [("ada@example.org", "write")]
    assert guarded.ask(guarded.bootstrap, "GET", "/members").json()["items"] == []
    problem(guarded.ask(keys["other"], "GET", "/members"), 403, "forbidden")
    assert guarded.ask(guarded.bootstrap, "DELETE", "/members/ada@example.org", "other").status_code == 204
    gone = guarded.ask(guarded.bootstrap, "DELETE", "/members/ada@example.org", "other")
    problem(gone, 404, "member_not_found")


def test_a_priority_above_four_takes_an_admin_of_the_project(guarded: Guarded) -> None:
    write, admin = (guarded.key(scope)["key"] for scope in ("write", "admin"))
    urgent = guarded.service.spec(priority=5)
    said = problem(guarded.ask(write, "POST", "/jobs", json=urgent), 422, "invalid_job")
    assert said["errors"] == [{"pointer": "#/priority", "detail": "5 takes scope admin; with write it is at most 4"}]
    assert guarded.ask(write, "POST", "/jobs", json={**urgent, "priority": 4}).status_code == 201
    assert guarded.ask(admin, "POST", "/jobs", json=urgent).status_code == 201
