"""A browser, and the API behind a real socket that can be stopped and started again."""

import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn

from app.catalog.plugins import advertise
from app.db.engine import Database
from app.main import create_app
from app.settings import Settings
from tests.support.servers import Servers, new_database
from tests.support.service import PLUGINS, Service

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Live:
    """The API on a port of its own."""

    settings: Settings
    service: Service
    port: int
    _server: uvicorn.Server | None = field(default=None, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve, and return when it answers."""
        config = uvicorn.Config(
            create_app(self.settings), host="127.0.0.1", port=self.port, log_config=None, timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        transport = httpx.HTTPTransport(retries=10)
        with httpx.Client(transport=transport, timeout=60) as client:
            assert client.get(f"{self.url}/livez").status_code == 200

    def stop(self) -> None:
        """Be gone."""
        assert self._server is not None
        assert self._thread is not None
        self._server.should_exit = True
        self._thread.join()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def live(servers: Servers) -> Iterator[Live]:
    """The API with a catalog, a ready dataset and a live worker's registration, for all tests of the module."""
    with new_database(servers) as url:
        settings = Settings(database_url=url, redis_url=servers.redis_url, sweep_seconds=3600)
        port = _free_port()
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Content-Type": "application/json"}, timeout=120
        ) as client:
            service = Service(client, Database(url), settings)  # type: ignore[arg-type]
            with service.database.transaction() as session:
                advertise(session, PLUGINS)
            running = Live(settings, service, port)
            try:
                running.start()
                service.dataset("small")
                yield running
            finally:
                running.stop()
                service.database.dispose()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium. Of the module, not the session: its event loop would be in the way of other tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()
