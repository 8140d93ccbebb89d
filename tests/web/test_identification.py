"""A request's id is in its answer and in each line that is logged for it."""

import json
import logging
import re

import pytest
from fastapi import Request

from app.observability.logging import JsonFormatter, TextFormatter, name_request, request_id
from app.web.identification import LONGEST, identified
from tests.support.service import Service, problem

NEW = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize("said", ["abc", "a-1_b.c:d/e+f=@~", "7" * LONGEST])
def test_a_client_s_id_is_kept(standing: Service, said: str) -> None:
    for path, status in (("/livez", 200), ("/jobs", 200), ("/nowhere", 404), ("/jobs/nonsense", 422)):
        answer = standing.client.get(path, headers={"X-Request-ID": said})
        assert (answer.status_code, answer.headers["X-Request-ID"]) == (status, said)


@pytest.mark.parametrize("said", [None, "", "two words", "a\x1b[31m", "é", '"', "a\tb"], ids=repr)
def test_what_is_no_plain_word_is_not(said: str | None) -> None:
    assert NEW.fullmatch(identified(said))


def test_a_long_one_is_cut(standing: Service) -> None:
    answer = standing.client.get("/livez", headers={"X-Request-ID": "x" * 1000})
    assert answer.headers["X-Request-ID"] == "x" * LONGEST
    first, second = (standing.client.get("/livez").headers["X-Request-ID"] for _ in range(2))
    assert first != second


def test_a_mistake_of_ours_is_named_too(service: Service) -> None:
    def broken(request: Request) -> None:
        raise RuntimeError("broken")

    service.client.app.add_api_route("/broken", broken)  # type: ignore[attr-defined]
    answer = service.client.get("/broken", headers={"X-Request-ID": "mine"})
    problem(answer, 500, "internal_error")
    assert answer.headers["X-Request-ID"] == "mine"


def test_each_line_of_the_log_names_its_request(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "app")
    caplog.handler.addFilter(name_request)
    job = service.client.post("/jobs", json=service.spec(), headers={"X-Request-ID": "mine"}).json()
    [record] = [one for one in caplog.records if "submitted" in one.getMessage()]
    assert json.loads(JsonFormatter().format(record))["request_id"] == "mine"
    assert json.loads(JsonFormatter().format(record))["message"] == f"job {job['id']} submitted"
    assert TextFormatter("%(message)s").format(record).endswith(" [request mine]")


def test_outside_of_a_request_there_is_none() -> None:
    record = logging.makeLogRecord({"msg": "alone"})
    assert request_id.get() is None
    assert name_request(record)
    assert "request_id" not in json.loads(JsonFormatter().format(record))
