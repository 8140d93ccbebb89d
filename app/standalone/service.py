"""The whole service on one machine: both servers, the API and a worker, from start to stop."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from app.access.exposure import is_loopback
from app.interpreter import NoTrainer, check_trainer_python
from app.settings import Settings, WebhookAddresses
from app.standalone.children import Child, launched
from app.standalone.errors import StandaloneError
from app.standalone.leftovers import remember
from app.standalone.servers import EmbeddedServers, connected
from sufficiency import running
from sufficiency.settings import default_data_dir

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2


class Standalone:
    """The whole service on one machine.

    Parameters
    ----------
    settings : Settings
        Everything but where the servers are; the API and the worker get the same.
    data_dir : Path, optional
        Where databases, logs and, unless the settings name data roots, data lie.
    host, port : optional
        Where the API listens; the settings' unless given. Port 0 picks a free one.
    slots : int, optional
        Trainers of the worker; the settings' unless given.
    announce : callable, optional
        Gets each message to the user, a line.
    """

    def __init__(
        self,
        settings: Settings,
        data_dir: Path | None = None,
        host: str | None = None,
        port: int | None = None,
        slots: int | None = None,
        *,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        self.servers = EmbeddedServers(data_dir or default_data_dir())
        self.data_dir = self.servers.data_dir
        self.host = settings.host if host is None else host
        self.port = settings.port if port is None else port
        self._settings = settings.model_copy(update={"slots": settings.slots if slots is None else slots})
        self._announce = announce or _print
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._programs: list[Child] = []

    @property
    def url(self) -> str:
        """The API's address, known once started."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def start(self) -> None:
        """Begin to start everything and return at once; `wait_ready` waits.

        Raises
        ------
        StandaloneError
            When the data directory or the port is taken, or trainers cannot run.
        """
        try:
            check_trainer_python(self._settings)
        except NoTrainer as error:
            raise StandaloneError(str(error)) from error
        self.servers.acquire()
        try:
            self.port = free_port(self.host, self.port)
        except StandaloneError:
            self.servers.stop()
            raise
        # One thread starts, watches and stops the children: the kernel ends them with the thread that made them.
        self._thread = threading.Thread(target=self._live, name="standalone", daemon=True)
        self._thread.start()

    def wait_ready(self, timeout: float = 180) -> None:
        """Wait until the API answers and the worker has advertised its plugins.

        Raises
        ------
        StandaloneError
            When that does not happen.
        """
        deadline = time.monotonic() + timeout
        while not self._ready.wait(0.05):
            if self._ended.is_set():
                raise StandaloneError(str(self._error or "stopped before it was ready")) from self._error
            if time.monotonic() > deadline:
                words = "\n".join(f"{child.name}:\n{child.last_words()}" for child in self._programs)
                raise StandaloneError(f"not ready after {timeout:g} s\n{words}")

    def stop(self) -> None:
        """Stop worker, API, Redis and PostgreSQL, in that order, and wait until they have ended."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def run(self) -> None:
        """Run until SIGINT, SIGTERM or SIGHUP.

        Raises
        ------
        StandaloneError
            When the service cannot be started.
        """
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, lambda *_: self._stop.set()) for number in numbers}
        try:
            self.start()
            while not self._ended.wait(0.5):
                pass
            self.stop()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._error is not None:
            raise self._error

    def _live(self) -> None:
        try:
            self._announce(f"Starting in {self.data_dir}")
            database_url, redis_url = self.servers.start()
            env = self._environment(database_url, redis_url)
            _migrate(env)
            self._start_programs(env)
            self._watch()
        except BaseException as error:
            self._error = error
            logger.debug("the standalone ends", exc_info=error)
        finally:
            try:
                for child in [*self._programs, *self.servers.children]:
                    self._announce(f"Stopping {child.name}")
                    child.stop()
                running.forget(self.data_dir)
                self.servers.stop()
            finally:
                # Whatever has happened: who waits for the end must not hold the data directory for ever.
                self._ended.set()

    def _environment(self, database_url: str, redis_url: str) -> dict[str, str]:
        data = self.data_dir / "data"
        data.mkdir(exist_ok=True)
        sent = self._settings.upload_dir or self.data_dir / "uploads"
        sent.mkdir(parents=True, exist_ok=True)
        settings = self._settings.model_copy(
            update={
                "database_url": database_url,
                "redis_url": redis_url,
                "host": self.host,
                "port": self.port,
                "url": self.url,
                "data_roots": (*(self._settings.data_roots or (data,)), sent),
                "upload_dir": sent,
                "webhook_addresses": webhook_addresses(self._settings, self.host),
            }
        )
        env = {name: value for name, value in os.environ.items() if not name.startswith("SUFFICIENCY_")}
        return env | settings.environment() | {"PYTHONUNBUFFERED": "1"}

    def _start_programs(self, env: Mapping[str, str]) -> None:
        logs = self.data_dir / "logs"
        worker = Child(
            "worker",
            [sys.executable, "-P", "-m", "worker"],
            logs / "worker.log",
            env,
            stop_signals=[(signal.SIGTERM, 10)],
        )
        api = Child(
            "API",
            [sys.executable, "-P", "-m", "app", "serve"],
            logs / "api.log",
            env,
            stop_signals=[(signal.SIGTERM, 5)],
        )
        self._programs = [worker, api]  # in the order in which they are stopped
        for child in self._programs:
            child.start()
        remember(self.data_dir, [*self.servers.children, *self._programs])
        try:
            running.note(self.data_dir, self.url)
        except OSError as error:
            logger.warning("commands will need --data-dir: %s cannot be written (%s)", running.state_dir(), error)

    def _watch(self) -> None:
        worker, api = self._programs
        children = [*self.servers.children, *self._programs]
        answered = False
        while not self._stop.wait(POLL_SECONDS):
            if not answered and not api.alive:
                raise StandaloneError(f"the API {api.ending()}:\n{api.last_words()}")
            for child in children:
                if child.tend(self._announce):
                    remember(self.data_dir, children)
            if not answered:
                if _is_ready(self.url):
                    answered = True
                    self._announce(f"Sufficiency answers at {self.url} (Ctrl-C stops it)")
            elif not self._ready.is_set() and worker.process is not None and self._advertised(worker.process.pid):
                self._ready.set()
                self._announce("The worker is ready")

    def _advertised(self, pid: int) -> bool:
        """Return whether a worker has made itself known."""
        assert self.servers.run is not None, "the servers have been started"
        # A process of yesterday may have had the same number.
        known = "SELECT FROM worker WHERE pid = %s AND hostname = %s AND heartbeat_at > now() - interval '15 s'"
        try:
            with connected(self.servers.run) as connection:
                return connection.execute(known, [pid, socket.gethostname()]).fetchone() is not None
        except psycopg.Error:
            return False  # PostgreSQL is being started again


def free_port(host: str, port: int) -> int:
    """Return `port` if it can be listened on, or a free one for 0."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        raise StandaloneError(f"cannot listen on {host}:{port} ({error.strerror}): choose another --port") from error


def webhook_addresses(settings: Settings, host: str) -> WebhookAddresses:
    """Return whom webhooks may reach: this machine too where only who is on it can register one, unless told otherwise.

    Parameters
    ----------
    settings : Settings
        Of the standalone.
    host : str
        Where its API listens.
    """
    told = "webhook_addresses" in settings.model_fields_set
    return "loopback" if is_loopback(host) and not told else settings.webhook_addresses


def _migrate(env: Mapping[str, str]) -> None:
    """Bring the database to this version's schema, in a process that ends with what that takes in memory."""
    command = launched([sys.executable, "-P", "-m", "app", "migrate"], signal.SIGKILL, None)
    done = subprocess.run(command, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StandaloneError((done.stderr or done.stdout).strip())


def _is_ready(url: str) -> bool:
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _print(message: str) -> None:
    """Tell a user, if there still is one: where nobody reads any more, the service goes on, and ends in order."""
    try:
        print(message, flush=True)
    except (OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        with suppress(OSError, ValueError):  # what is left to be written goes there, also at the process's end
            os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
