"""A receiver on a real socket, and the API as it is shipped, allowed to call it."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from app.db.engine import Database
from tests.support.command_line import nobody
from tests.support.service import Service, running

__all__ = ["nobody"]

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Receiver:
    """An endpoint: what it was sent, and what it answers, by default 204.

    `got` is set anew at every message; `hold` lets a message wait for its answer.
    """

    url: str = ""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    hold: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, count: int, seconds: float = 20.0) -> list[tuple[dict[str, str], bytes]]:
        """Return the messages once there are so many."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.received) >= count, seconds), self.received
            return list(self.received)


@pytest.fixture
def receivers() -> Iterator[Callable[[], Receiver]]:
    """Start endpoints, each on a free port."""
    stops: list[Callable[[], None]] = []

    def start() -> Receiver:
        receiver = Receiver()
        receiver.hold.set()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with receiver.arrived:
                    receiver.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
                    status, headers, content = receiver.answers.pop(0) if receiver.answers else (204, {}, b"")
                    receiver.arrived.notify_all()
                receiver.hold.wait(30)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:
                return None

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                return None  # the caller hung up, as tests make it do

        server = Server(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"

        def stop() -> None:
            receiver.hold.set()
            server.shutdown()
            server.server_close()
            thread.join()

        stops.append(stop)
        return receiver

    yield start
    for stop in stops:
        stop()


@pytest.fixture
def receiver(receivers: Callable[[], Receiver]) -> Receiver:
    """One endpoint."""
    return receivers()


@pytest.fixture
def service(fresh_database: str, redis_url: str) -> Iterator[Service]:
    """The running API, which may call this machine's loopback."""
    with running(fresh_database, redis_url, webhook_addresses="loopback", webhook_timeout_seconds=5.0) as service:
        yield service


@pytest.fixture
def database(service: Service) -> Database:
    """The database behind it."""
    return service.database
