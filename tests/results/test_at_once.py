"""Kept answers go a short way: what they say, and who may have them, is what it is on the whole way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.access.operations import Need, need_of
from app.results.kept import KeptAnswers
from tests.access.conftest import Guarded, guard
from tests.support.finished import finished
from tests.support.service import Service, problem


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has come the whole way, in order."""
    came: list[str] = []
    real = KeptAnswers.__call__

    async def noted(self: KeptAnswers, scope: Any, *others: Any) -> None:
        if scope["type"] == "http":
            came.append(f"{scope['method']} {scope['path']}")
        await real(self, scope, *others)

    monkeypatch.setattr(KeptAnswers, "__call__", noted)
    return came


@pytest.fixture
def guarded(fresh_database: str, redis_url: str, tmp_path: Path) -> Iterator[Guarded]:
    yield from guard(fresh_database, redis_url, tmp_path)


@pytest.fixture
def hurried(fresh_database: str, redis_url: str, tmp_path: Path) -> Iterator[Guarded]:
    yield from guard(fresh_database, redis_url, tmp_path, rate_limit=5)


def _counted(service: Service, job_id: str) -> float:
    lines = service.client.get("/metrics").text.splitlines()
    labels = 'method="GET",route="/jobs/{job_id}/curves",status="200"'
    return sum(float(line.split()[-1]) for line in lines if f"requests_total{{{labels}}}" in line)


@pytest.mark.parametrize("known", [False, True], ids=["whole", "unchanged"])
def test_the_short_way_says_what_the_whole_way_says(service: Service, whole: list[str], known: bool) -> None:
    address = f"/jobs/{finished(service)}/curves"
    del whole[:]
    first = service.client.get(address, headers={"X-Request-ID": "mine"})
    headers = {"X-Request-ID": "mine", **({"If-None-Match": first.headers["etag"]} if known else {})}
    # A HEAD goes the whole way, and says what a GET says.
    asked = service.client.head(address, headers=headers)
    short = service.client.get(address, headers=headers)
    assert whole == [f"GET {address}"] * 2
    assert (short.status_code, dict(short.headers)) == (asked.status_code, dict(asked.headers))
    assert short.content == (b"" if known else first.content)
    assert known or dict(short.headers) == dict(first.headers)
    assert {"etag", "x-request-id", "content-security-policy", "x-content-type-options"} <= short.headers.keys()


def test_it_is_counted_like_any_other(service: Service, whole: list[str]) -> None:
    job_id = finished(service)
    for _ in range(3):
        assert service.client.get(f"/jobs/{job_id}/curves").status_code == 200
    assert whole.count(f"GET /jobs/{job_id}/curves") == 1
    assert _counted(service, job_id) == 3


def test_what_is_not_plain_goes_the_whole_way(service: Service, whole: list[str]) -> None:
    address = f"/jobs/{finished(service)}/curves"
    assert service.client.get(address).status_code == 200
    problem(service.client.get(address, headers={"Host": "evil.example"}), 421, "host_not_allowed")
    problem(service.client.request("GET", address, content=b"x" * 30_000), 413, "body_too_large")
    del whole[:]
    assert service.client.request("GET", address, content=b"{}").status_code == 200
    assert service.client.get(f"{address}?metric=Accuracy").status_code == 200
    assert service.client.get(address, headers={"Accept": "text/csv"}).status_code == 200
    assert len(whole) == 3


@pytest.mark.parametrize("operation", ["project", "inv_project", "verdict", "get_curves"])
def test_whoever_may_read_in_a_project_may_have_its_answers(standing: Service, operation: str) -> None:
    """The short way asks for no more than that."""
    operations = standing.client.app.state.door.operations  # type: ignore[attr-defined]
    path = f"/jobs/0198c0de-0000-7000-8000-000000000000/{operation.removeprefix('get_')}"
    found = operations.find("GET", path)
    assert found is not None
    assert found.route is not None
    assert need_of(found.name, "GET") == Need("read")


def test_an_answer_is_given_to_whoever_may_have_it_and_to_nobody_else(guarded: Guarded, whole: list[str]) -> None:
    address = f"/jobs/{finished(guarded.service)}/curves"
    reader = guarded.key("read")
    stranger = guarded.key("admin", guarded.project("other"))
    assert guarded.ask(reader["key"], "GET", address).status_code == 200
    del whole[:]
    assert guarded.ask(reader["key"], "GET", address).status_code == 200
    assert guarded.ask(guarded.bootstrap, "GET", address).status_code == 200
    assert whole == []
    problem(guarded.ask(None, "GET", address), 401)
    problem(guarded.ask("suf_" + "b" * 43, "GET", address), 401)
    problem(guarded.ask(stranger["key"], "GET", address), 404, "job_not_found")
    problem(guarded.ask(guarded.bootstrap, "GET", address, "other"), 404, "job_not_found")
    problem(guarded.ask(guarded.bootstrap, "GET", address, "nobodys"), 404)
    assert guarded.ask(guarded.bootstrap, "POST", f"/keys/{reader['id']}/revoke").status_code == 200
    problem(guarded.ask(reader["key"], "GET", address), 401, "key_revoked")


def test_a_kept_answer_is_counted_once_for_who_asks(hurried: Guarded, whole: list[str]) -> None:
    job = finished(hurried.service)
    key = hurried.key("read")["key"]
    address = f"/jobs/{job}/curves"
    answers = [hurried.ask(key, "GET", address) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == [f"r={n}" for n in (4, 3, 2, 1, 0, 0)]
    problem(answers[-1], 429, "too_many_requests")
    assert whole.count(f"GET {address}") == 1, "and who is refused comes no further than the gate"


def test_headers_of_several_lines_are_what_they_are_in_one(service: Service) -> None:
    address = f"/jobs/{finished(service)}/project?n=5000"
    both = [("Accept", "text/csv"), ("Accept", "application/json;q=0.5")]
    for _ in range(2):
        assert service.client.get(address, headers=both).headers["content-type"].startswith("text/csv")
        weighed = service.client.get(address, headers={"Accept": "application/json;q=0.5"})
        assert weighed.headers["content-type"] == "application/json"
    for others in ["*"], [weighed.headers["etag"], '"other"'], ['"other"', "W/" + weighed.headers["etag"]], ['"o", *']:
        asked = [("Accept", "application/json;q=0.5"), *(("If-None-Match", one) for one in others)]
        assert service.client.get(address, headers=asked).status_code == 304, others
        assert service.client.head(address, headers=asked).status_code == 304, others
