"""A client that does not read is not waited for; one that reads slowly is."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from app.web.connections import Connection
from sufficiency.schemas.limits import ADDRESS_BYTES, HEAD_BYTES
from sufficiency.schemas.problems import ProblemDetails

PART = b"x" * 100_000
PARTS = 200


class Talker:
    """An application that sends more than the system's buffers hold, and notes how that ended."""

    def __init__(self) -> None:
        self.begun, self.ended = threading.Event(), threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        self.begun.set()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for left in range(PARTS, 0, -1):
                await send({"type": "http.response.body", "body": PART, "more_body": left > 1})
        finally:
            self.ended.set()


@contextmanager
def served(app: Talker) -> Iterator[tuple[str, int]]:
    """The application behind the service's own kind of connection."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=Connection, log_config=None, lifespan="off"))
    thread = threading.Thread(target=asyncio.run, args=[server.serve([listening])])
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        server.should_exit = True
        thread.join()


def asked(address: tuple[str, int]) -> socket.socket:
    client = socket.create_connection(address, timeout=60)
    client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    return client


def test_a_client_that_does_not_read_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.connections.LONGEST_STALL_SECONDS", 1)
    talker = Talker()
    with served(talker) as address, asked(address) as client:
        assert talker.begun.wait(60)
        assert talker.ended.wait(60)
        received = 0
        with suppress(ConnectionError):  # what the system's buffers held, then an end or an error
            while part := client.recv(1 << 20):
                received += len(part)
        assert received < len(PART) * PARTS


def test_a_client_that_reads_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.connections.LONGEST_STALL_SECONDS", 5)
    talker = Talker()
    with served(talker) as address, asked(address) as client:
        received = b""
        while len(received) < len(PART) * PARTS:
            part = client.recv(1 << 20)
            assert part
            received += part
        assert talker.ended.wait(60)


def test_a_head_that_cannot_be_read_is_refused_with_a_problem() -> None:
    talker = Talker()
    long = b"GET /?a=" + b"x" * ADDRESS_BYTES + b" HTTP/1.1\r\nHost: here\r\n\r\n"
    for head in (b"what is this\r\n\r\n", long):
        with served(talker) as address, socket.create_connection(address, timeout=60) as client:
            client.sendall(head)
            top, _, body = all_of(client).partition(b"\r\n\r\n")
        assert top.startswith(b"HTTP/1.1 400 ")
        assert b"Content-Type: application/problem+json" in top
        assert b"X-Content-Type-Options: nosniff" in top
        ProblemDetails.model_validate_json(body)
        assert json.loads(body)["code"] == "malformed_request"
    assert not talker.begun.is_set()


def test_a_head_without_an_end_is_not_taken_in_for_ever() -> None:
    talker = Talker()
    with served(talker) as address, socket.create_connection(address, timeout=60) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX-Long: ")
        sent = 0
        with suppress(ConnectionError):
            while sent < 100 * HEAD_BYTES:
                sent += client.send(b"x" * 8192)
        assert sent < 100 * HEAD_BYTES, "it was taken in"
    assert not talker.begun.is_set()


def test_a_head_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.connections.HEAD_SECONDS", 0.2)
    talker = Talker()
    with served(talker) as address:
        for begun in (b"", b"GET / HTTP/1.1\r\nHost: h"):
            with socket.create_connection(address, timeout=60) as client:
                client.sendall(begun)
                assert all_of(client) == b""
        with asked(address) as client:  # one that has come whole is answered, however long that takes
            assert len(all_of(client, enough=len(PART))) >= len(PART)


def test_one_connection_serves_requests_of_some_size_one_after_the_other() -> None:
    talker = Talker()
    with served(talker) as address, asked(address) as client:
        assert len(all_of(client, enough=len(PART) * PARTS)) >= len(PART) * PARTS
        for _ in range(3):
            client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nX-Long: " + b"x" * 50_000 + b"\r\n\r\n")
            assert len(all_of(client, enough=len(PART) * PARTS)) >= len(PART) * PARTS


def all_of(client: socket.socket, enough: int | None = None) -> bytes:
    received = b""
    while (enough is None or len(received) < enough) and (part := client.recv(1 << 20)):
        received += part
    return received
