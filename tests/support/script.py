"""Serves scripted answers over a real socket."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Script:
    """A server that gives these answers in turn: status, headers, body; and keeps what it was asked, and any JSON."""

    url: str
    answers: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)


@pytest.fixture
def script() -> Iterator[Script]:
    """A scripted server on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if body := self.rfile.read(int(self.headers.get("Content-Length") or 0)):
                scripted.bodies.append(json.loads(body))
            scripted.asked.append((f"{self.command} {self.path}", dict(self.headers)))
            status, headers, body = scripted.answers.pop(0)
            content = body.encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = True

        do_POST = do_GET
        do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scripted = Script(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield scripted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
