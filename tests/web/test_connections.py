"""A client that does not read is not waited for; one that reads slowly is."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from app.web.connections import Connection

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
