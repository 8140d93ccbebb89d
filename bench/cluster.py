"""The whole service as processes of their own, started by the commands as shipped, and kept running as a host would."""

import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
import psutil
import psycopg
from sqlalchemy import make_url

from app.access.keys import new_secret
from app.db.migrate import upgrade
from app.settings import Settings
from app.standalone.children import Child
from app.standalone.servers import EmbeddedServers
from app.standalone.service import free_port
from sufficiency import Client

MARK = "TEST_CLUSTER_OF_SUFFICIENCY"  # in the environment of every process of a cluster, however deep


class Cluster:
    """PostgreSQL, Redis, one API and some workers of one slot; everything is started, tended and stopped by one thread.

    Parameters
    ----------
    workers : int
        How many.
    settings : Settings
        Of API and workers; where the servers and the API listen is filled in.
    """

    def __init__(self, workers: int, settings: Settings) -> None:
        self._settings = settings
        self._workers = workers
        self._scratch = tempfile.TemporaryDirectory(prefix="sufficiency-cluster-")
        self.directory = Path(self._scratch.name)
        self.servers = EmbeddedServers(self.directory / "servers")
        self.programs: dict[str, Child] = {}
        self.mark = uuid4().hex
        self.database_url = ""
        self.url = ""
        self.key: str | None = None  # with which it is asked, where it asks for one
        self._down_since: dict[str, float] = {}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _start(self) -> None:
        self.database_url, redis_url = self.servers.start()
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            # A killed process loses nothing that the kernel has; only a machine without power would.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        upgrade(self.database_url)
        port = free_port("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{port}"
        settings = self._settings.model_copy(
            update={
                "database_url": self.database_url,
                "redis_url": redis_url,
                "port": port,
                "url": self.url,
                "slots": 1,
                "device": "cpu",
            }
        )
        if settings.access == "keys":
            self.key = new_secret()
            file = self.directory / "bootstrap-key"
            file.write_text(self.key)
            settings = settings.model_copy(update={"bootstrap_key_file": file})
        self.settings = settings
        redis, postgres = self.servers.children
        self.programs = {"redis": redis, "postgres": postgres}
        self.add("api", [sys.executable, "-m", "sufficiency.cli", "serve"])
        for index in range(self._workers):
            self.add(f"worker-{index}", [sys.executable, "-m", "sufficiency.cli", "worker"])

    def add(self, name: str, command: list[str], **overrides: str) -> Child:
        """Start one more program of the service."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("SUFFICIENCY_")}
        env |= self.settings.environment()
        env |= {"PYTHONUNBUFFERED": "1", MARK: self.mark}
        child = Child(
            name, command, self.directory / f"{name}.log", env | overrides, stop_signals=[(signal.SIGTERM, 30)]
        )
        self.programs[name] = child
        child.start()
        return child

    @property
    def dsn(self) -> str:
        """PostgreSQL's address as psycopg reads it."""
        url = make_url(self.database_url).set(drivername="postgresql")
        return url.render_as_string(hide_password=False)

    def query(self, sql: str, *values: Any) -> list[Any]:
        """Return the rows of a query."""
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(sql.encode(), values).fetchall()

    @property
    def redis_socket(self) -> Path:
        """Redis' address."""
        return self.servers.data_dir / "run" / "redis.sock"

    def pid(self, name: str) -> int | None:
        """Return the number of a program's process, or None while it is down."""
        child = self.programs[name]
        return child.process.pid if child.alive and child.process is not None else None

    def trainers(self, name: str) -> list[int]:
        """Return the trainers of a worker."""
        found = []
        with suppress(psutil.Error):
            for keeper in psutil.Process(self.pid(name)).children():
                with suppress(psutil.Error):
                    trainers = [one for one in keeper.children() if "sufficiency.training.trainer" in one.cmdline()]
                    found += [trainer.pid for trainer in trainers[:1]]  # behind it, what it has started
        return found

    def family(self, name: str) -> list[int]:
        """Return a program's process and its children, which for PostgreSQL are its sessions."""
        pid = self.pid(name)
        if pid is None:
            return []
        with suppress(psutil.Error):
            return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        return [pid]

    def tend(self, after: float = 0.2) -> None:
        """Start again what has been down for so many seconds, as systemd or a container's restart policy would."""
        now = time.monotonic()
        for name, child in self.programs.items():
            if child.alive:
                self._down_since.pop(name, None)
            elif now - self._down_since.setdefault(name, now) >= after:
                if name == "redis":
                    self.redis_socket.unlink(missing_ok=True)
                child.start()
                del self._down_since[name]

    def flush_redis(self) -> bool:
        """FLUSHALL; False when Redis did not answer."""
        with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(self.redis_socket))
            connection.sendall(b"FLUSHALL\r\n")
            return connection.recv(16).startswith(b"+OK")
        return False

    @property
    def headers(self) -> dict[str, str]:
        """What a request says of who asks."""
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}

    def client(self, timeout: float = 30.0) -> Client:
        """Return the shipped client, for who asks."""
        return Client(self.url, timeout, key=self.key)

    def wait_ready(self, seconds: float = 120) -> None:
        """Wait until the API answers and knows every worker that runs; start what does not."""

        def ready() -> bool:
            self.tend()
            with suppress(httpx.HTTPError):
                answer = httpx.get(f"{self.url}/workers", headers=self.headers, timeout=5, trust_env=False)
                if answer.status_code == 200:
                    live = {worker["pid"] for worker in answer.json()["items"] if worker["live"]}
                    return {self.pid(name) for name in self.programs if name.startswith("worker")} <= live
            return False

        wait_until(ready, seconds, "API and workers are ready", self.last_words)

    def last_words(self, lines: int = 15) -> str:
        """Return the ends of all logs."""
        return "\n".join(f"--- {name}\n{child.last_words(lines)}" for name, child in self.programs.items())

    def mistakes(self) -> list[str]:
        """Return the tracebacks in the API's log: whatever is away, it must know it for that."""
        lines = (self.programs["api"].log).read_text(errors="replace").splitlines()
        return [line[-3000:] for line in lines if '"exception":' in line]

    def processes(self) -> list[psutil.Process]:
        """Return every living process that a program of the cluster has started, and the programs themselves."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def stop_programs(self) -> None:
        """Stop API and workers, as an operator would; the servers stay, and who tends them later starts all again."""
        for name, child in self.programs.items():
            if name not in ("redis", "postgres"):
                child.stop()

    def stop(self) -> None:
        """End everything, whatever state it is in."""
        for name in list(self.programs):
            for pid in self.family(name):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        self.stop_programs()
        self.servers.stop()
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        self._scratch.cleanup()


def wait_until(condition: Callable[[], bool], seconds: float, what: str, why: Callable[[], str] = str) -> float:
    """Wait for a condition and return how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, f"not within {seconds:g} s: {what}\n{why()}"
        time.sleep(0.02)
    return time.monotonic() - began


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Stop processes (SIGSTOP) for the length of the block."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
