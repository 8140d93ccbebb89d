"""The log as machines read it."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from app.observability.logging import AccessLog, JsonFormatter, JsonLines, configure_logging, name_request, request_id
from app.observability.metrics import RequestMetrics
from app.web.identification import Noted

ACCESS = "uvicorn.access"


def _asked(raw_path: bytes) -> dict[str, Any]:
    query = b"n=1&n=2"
    return {
        "client": ("127.0.0.1", 5),
        "method": "GET",
        "raw_path": raw_path,
        "query_string": query,
        "http_version": "1.1",
    }


@contextmanager
def configured(*others: logging.Handler) -> Iterator[io.StringIO]:
    """Log as the service does for machines, and into other handlers besides; in a test, whose own handlers go then."""
    handler, stream, access, before = JsonLines(), io.StringIO(), logging.getLogger(ACCESS), logging.root.handlers
    handler.setStream(stream)
    handler.addFilter(name_request)
    level, token = access.level, request_id.set("mine")
    try:
        logging.root.handlers = [handler, *others]
        access.setLevel(logging.INFO)
        yield stream
    finally:
        logging.root.handlers = before
        access.setLevel(level)
        request_id.reset(token)


@pytest.mark.parametrize(
    "raw", [b"/jobs/1/curves", b'/a"b\\c', b"/caf\xc3\xa9", b"/\x01"], ids=["plain", "quoted", "raw", "bare"]
)
def test_a_request_s_line_is_the_one_that_logging_writes(raw: bytes) -> None:
    with configured() as stream:
        AccessLog().tell(_asked(raw), 200)
        [line] = stream.getvalue().splitlines()
        quick = json.loads(line)
        logging.getLogger(ACCESS).info("%s", quick["message"])
        slow = json.loads(stream.getvalue().splitlines()[1])
    assert quick["message"] == f'127.0.0.1:5 - "GET {raw.decode("latin-1")}?n=1&n=2 HTTP/1.1" 200'
    assert list(quick) == list(slow)
    assert quick | {"time": ""} == slow | {"time": ""}
    assert len(quick["time"]) == len(slow["time"])


def test_no_record_is_made_of_a_request_that_only_the_log_hears_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.Logger, "makeRecord", lambda *args, **more: pytest.fail("a record"))
    with configured() as stream:
        AccessLog().tell(_asked(b"/jobs"), 200)
        assert len(stream.getvalue().splitlines()) == 1


def test_whoever_else_listens_hears_of_requests(caplog: pytest.LogCaptureFixture) -> None:
    with configured(caplog.handler) as stream:
        AccessLog().tell(_asked(b"/jobs"), 404)
        assert [record.getMessage()[-4:] for record in caplog.records] == [" 404"]
        assert len(stream.getvalue().splitlines()) == 1


def test_who_asked_for_less_hears_of_no_request() -> None:
    with configured() as stream:
        logging.getLogger(ACCESS).setLevel(logging.WARNING)
        AccessLog().tell(_asked(b"/jobs"), 200)
        assert stream.getvalue() == ""


def test_a_stream_that_takes_nothing_ends_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    with configured() as stream:
        stream.close()
        AccessLog().tell(_asked(b"/jobs"), 200)


def test_a_process_without_standard_error_serves_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    before = logging.root.handlers
    monkeypatch.setattr(sys, "stderr", None)
    with configured():
        try:
            logging.root.handlers = []
            configure_logging()
            AccessLog().tell(_asked(b"/jobs"), 200)
        finally:
            logging.root.handlers = before


def test_a_request_that_ends_in_a_mistake_is_logged_once() -> None:
    async def mistaken(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["raw_path"] == b"/late":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("no")

    async def nothing(*_: Any) -> Any:
        return {}

    registry = CollectorRegistry()
    noted = Noted(mistaken, RequestMetrics(registry), AccessLog())
    with configured() as stream:
        for path in b"/soon", b"/late":
            with pytest.raises(RuntimeError):
                asyncio.run(noted({"type": "http", "headers": [], **_asked(path)}, nothing, nothing))
        said = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert [one.split()[-1] for one in said] == ["500", "200"]


def test_a_record_is_a_line_of_json_with_what_was_passed_along() -> None:
    logger = logging.getLogger("tests.log")
    try:
        raise ValueError("no")
    except ValueError as error:
        record = logger.makeRecord(
            logger.name, logging.WARNING, __file__, 1, "unit %s", ("u1",), (ValueError, error, None), extra={"job": "j"}
        )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["message"], entry["job"]) == ("warning", "unit u1", "j")
    assert "ValueError: no" in entry["exception"]
    assert entry["time"].endswith("+00:00")
