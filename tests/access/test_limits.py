"""How often one may ask, how much a project may have, and how many streams it may have open."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.access.limits import Buckets
from app.db.tables import Dataset, Project, Share
from app.units.output import Written, keep_output
from tests.access.conftest import Guarded, guard
from tests.support.service import problem

HOOK = "https://hooks.example.org/"


def test_a_bucket_gives_what_it_holds_and_fills_evenly() -> None:
    now = [1000.0]
    buckets = Buckets(60, clock=lambda: now[0])
    taken = [buckets.take("ada") for _ in range(60)]
    assert [one.left for one in taken] == list(range(59, -1, -1))
    assert not any(one.wait for one in taken)
    refused = buckets.take("ada")
    assert (refused.left, refused.wait) == (0, 1.0)
    assert buckets.take("bob").left == 59, "each has a bucket of its own"
    now[0] += refused.wait
    assert buckets.take("ada").wait == 0, "who waits as long as told is let in"
    assert buckets.take("ada").wait == 1.0
    now[0] += 3600
    assert buckets.take("ada").left == 59, "it does not overflow"
    assert buckets.headers(buckets.take("ada")) == {
        "RateLimit-Policy": '"requests";q=60;w=60',
        "RateLimit": '"requests";r=58;t=2',
    }


@pytest.fixture
def hurried(fresh_database: str, redis_url: str, tmp_path: Path) -> Iterator[Guarded]:
    yield from guard(fresh_database, redis_url, tmp_path, rate_limit=5)


def test_who_asks_too_often_is_told_when_to_come_back(hurried: Guarded) -> None:
    made = [hurried.ask(hurried.bootstrap, "POST", "/keys", json={"name": n, "scope": "read"}) for n in ("a", "b")]
    key, other = (one.json()["key"] for one in made)
    answers = [hurried.ask(key, "GET", "/jobs") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == [f"r={n}" for n in (4, 3, 2, 1, 0, 0)]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"requests";q=5;w=60'}
    refused = problem(answers[-1], 429, "too_many_requests")
    assert answers[-1].headers["retry-after"] in {"11", "12"}
    assert "follow its events" in refused["detail"]
    assert hurried.ask(other, "GET", "/jobs").status_code == 200
    for _ in range(8):
        assert hurried.ask(None, "GET", "/livez").status_code == 200
        problem(hurried.ask("suf_" + "b" * 43, "GET", "/jobs"), 401)


def limit(guarded: Guarded, project: str, **quotas: float | None) -> dict[str, Any]:
    changed = guarded.ask(guarded.bootstrap, "PATCH", f"/projects/{project}", json={"quotas": quotas})
    assert changed.status_code == 200, changed.text
    told: dict[str, Any] = changed.json()
    return told


def test_a_project_has_no_more_jobs_and_cells_than_it_may(guarded: Guarded) -> None:
    key = guarded.key("write")["key"]
    told = limit(guarded, "default", open_jobs=2)
    assert (told["quotas"]["open_jobs"], told["usage"]["open_jobs"]) == (2, 0)
    spec = guarded.service.spec()
    jobs = [guarded.ask(key, "POST", "/jobs", json=spec) for _ in range(3)]
    assert [job.status_code for job in jobs] == [201, 201, 429]
    assert "may have 2 of open_jobs" in problem(jobs[2], 429, "quota_exceeded")["detail"]
    assert guarded.ask(key, "POST", "/jobs?dry_run=true", json=spec).status_code == 200
    first = jobs[0].json()["id"]
    assert guarded.ask(key, "POST", f"/jobs/{first}/cancel").status_code == 202
    limit(guarded, "default", cells=20)
    third = guarded.ask(key, "POST", "/jobs", json=spec)
    assert "may have 20 of cells" in problem(third, 429, "quota_exceeded")["detail"], "8 of each of three"
    problem(guarded.ask(key, "POST", f"/jobs/{first}/extend", json={"runs": 9}), 429, "quota_exceeded")
    assert guarded.ask(key, "DELETE", f"/jobs/{first}").status_code == 204
    assert guarded.ask(key, "POST", "/jobs", json=spec).status_code == 201
    usage = guarded.ask(key, "GET", "/projects/default").json()["usage"]
    assert (usage["open_jobs"], usage["cells"]) == (2, 16)
    guarded.project("other")
    other = guarded.key("write", "other")["key"]
    assert guarded.ask(other, "POST", "/webhooks", json={"url": HOOK, "events": ["job.failed"]}).status_code == 201


def test_who_has_too_much_already_may_still_make_less_of_it(guarded: Guarded) -> None:
    key = guarded.key("write")["key"]
    jobs = [guarded.ask(key, "POST", "/jobs", json=guarded.service.spec()).json()["id"] for _ in range(3)]
    limit(guarded, "default", open_jobs=1, datasets=0, webhooks=0)
    for job in jobs[:2]:
        assert guarded.ask(key, "POST", f"/jobs/{job}/cancel").status_code == 202
    problem(guarded.ask(key, "POST", f"/jobs/{jobs[0]}/retry"), 429, "quota_exceeded")
    hook = {"url": HOOK, "events": ["job.failed"]}
    problem(guarded.ask(key, "POST", "/webhooks", json=hook), 429, "quota_exceeded")
    limit(guarded, "default", open_jobs=None, webhooks=None)
    assert guarded.ask(key, "POST", f"/jobs/{jobs[0]}/retry").status_code == 202
    assert guarded.ask(key, "POST", "/webhooks", json=hook).status_code == 201


def test_a_project_that_has_used_its_seconds_takes_on_no_more_work(guarded: Guarded) -> None:
    key = guarded.key("write")["key"]
    job = guarded.ask(key, "POST", "/jobs", json=guarded.service.spec()).json()["id"]
    limit(guarded, "default", slot_seconds=3.5)
    assert guarded.ask(key, "POST", "/jobs", json=guarded.service.spec()).status_code == 201
    guarded.service.work(job)
    assert guarded.ask(key, "GET", "/projects/default").json()["usage"]["slot_seconds"] == 4.0
    refused = guarded.ask(key, "POST", "/jobs", json=guarded.service.spec())
    assert "slot_seconds" in problem(refused, 429, "quota_exceeded")["detail"]
    assert guarded.ask(key, "GET", f"/jobs/{job}/project?n=5000").status_code == 200
    limit(guarded, "default", slot_seconds=None, values=5)
    problem(guarded.ask(key, "POST", "/jobs", json=guarded.service.spec()), 429, "quota_exceeded")


def test_two_at_the_same_moment_have_no_more_than_one_after_the_other(guarded: Guarded) -> None:
    key = guarded.key("write")["key"]
    limit(guarded, "default", open_jobs=3)
    found: list[int] = []

    def submit() -> None:
        found.append(
            guarded.service.client.post(
                "/jobs", json=guarded.service.spec(), headers={"Authorization": f"Bearer {key}"}
            ).status_code
        )

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [201] * 3 + [429] * 5


def test_a_quota_that_is_none_is_refused(guarded: Guarded) -> None:
    for body in ({"quotas": {"jobs": 1}}, {"quotas": {"cells": -1}}, {"quotas": 5}, {"quota": {}}):
        problem(guarded.ask(guarded.bootstrap, "PATCH", "/projects/default", json=body), 422)
    problem(guarded.ask(guarded.bootstrap, "PATCH", "/projects/nowhere", json={}), 404, "project_not_found")


def test_streams_are_counted_while_they_are_open(guarded: Guarded) -> None:
    key = guarded.key("write")["key"]
    job = guarded.ask(key, "POST", "/jobs", json=guarded.service.spec()).json()["id"]
    guarded.ask(key, "POST", f"/jobs/{job}/cancel")
    limit(guarded, "default", streams=1)
    for _ in range(3):
        ended = guarded.ask(key, "GET", f"/jobs/{job}/events")
        assert "event: state" in ended.text, "an ended stream is no longer counted"
    limit(guarded, "default", streams=0)
    problem(guarded.ask(key, "GET", f"/jobs/{job}/events"), 429, "quota_exceeded")


def test_a_project_is_given_another_share_of_the_slots(guarded: Guarded) -> None:
    guarded.project("other")
    keys = {name: guarded.key("write", name)["key"] for name in ("default", "other")}

    def weigh(name: str, weight: Any, key: str = guarded.bootstrap) -> Any:
        return guarded.ask(key, "PATCH", f"/projects/{name}", json={"weight": weight})

    assert guarded.ask(keys["other"], "GET", "/projects/other").json()["weight"] == 1.0
    # With and without a job before it: the weight is there when the first one comes.
    assert guarded.ask(keys["default"], "POST", "/jobs", json=guarded.service.spec()).status_code == 201
    assert {weigh("default", 4).json()["weight"], weigh("other", 0.5).json()["weight"]} == {4.0, 0.5}
    with guarded.service.database.transaction() as session:
        shares = session.execute(select(Project.name, Share.device, Share.weight).join(Project)).all()
    assert {tuple(one) for one in shares} == {
        (name, device, weight) for name, weight in (("default", 4.0), ("other", 0.5)) for device in ("cpu", "cuda")
    }
    for weight in (0, -1, 0.001, 1000, "2", True, None):
        answer = weigh("default", weight)
        assert answer.status_code == (200 if weight is None else 422), (weight, answer.text)
    assert guarded.ask(guarded.bootstrap, "GET", "/projects/default").json()["weight"] == 4.0
    problem(weigh("other", 50, guarded.key("admin", "other")["key"]), 403)
    assert guarded.ask(guarded.bootstrap, "GET", "/projects/other").json()["weight"] == 0.5


def test_what_is_kept_of_output_and_pictures_is_counted_in_bytes(guarded: Guarded) -> None:
    key = guarded.key("write")["key"]

    def used() -> int:
        return int(guarded.ask(key, "GET", "/projects/default").json()["usage"]["kept_bytes"])

    job = guarded.ask(key, "POST", "/jobs", json=guarded.service.spec()).json()["id"]
    before = used()
    written = [Written(1, 0, 0, "a" * 1000), Written(1, 0, 1, "\u00e4" * 500), Written(1, 0, 2, "b" * 100)]
    for kept, most in ((2100, 10_000), (3200, 3200)):  # the oldest piece makes way for the newest
        with guarded.service.database.transaction() as session:
            keep_output(session, UUID(job), written, most)
        assert used() - before == kept
    with guarded.service.database.transaction() as session:
        session.execute(update(Dataset).values(preview=bytes(5000)))
    assert used() >= 5000 + 3200
    limit(guarded, "default", kept_bytes=4000)
    refused = guarded.ask(key, "POST", "/jobs", json=guarded.service.spec())
    assert "kept_bytes" in problem(refused, 429, "quota_exceeded")["detail"]
    limit(guarded, "default", kept_bytes=100_000)
    assert guarded.ask(key, "POST", "/jobs", json=guarded.service.spec()).status_code == 201
