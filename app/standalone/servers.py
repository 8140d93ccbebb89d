"""PostgreSQL and Redis, embedded: set up, started and stopped in a data directory that one process has at a time."""

import fcntl
import logging
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg

from app.db.server import POSTGRES_MAJOR
from app.standalone.binaries import find_postgres, find_redis
from app.standalone.children import Child, launched
from app.standalone.errors import StandaloneError
from app.standalone.leftovers import remember, stop_leftovers

logger = logging.getLogger(__name__)

DATABASE = "sufficiency"
# sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included.
LONGEST_SOCKET_PATH = 103


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


def connected(run: Path, database: str = DATABASE) -> "psycopg.Connection":
    """Return a connection to a database of the PostgreSQL whose socket is in a directory; each statement is whole."""
    return psycopg.connect(host=str(run), user=DATABASE, dbname=database, autocommit=True)


def _urls(run: Path) -> tuple[str, str]:
    database_url = f"postgresql+psycopg://{DATABASE}@/{DATABASE}?host={quote(str(run), safe='')}"
    return database_url, f"redis+socket://{quote(str(run / 'redis.sock'))}"


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
        self.run: Path | None = None  # where the sockets are, once started
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
        self.run = run
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
                with connected(run, "postgres") as connection:
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
            if _pongs(path):
                return
            if not redis.alive or time.monotonic() > deadline:
                raise StandaloneError(f"Redis does not start:\n{redis.last_words()}")
            time.sleep(0.05)


def _pongs(path: Path) -> bool:
    """Return whether the Redis on a socket answers; its client would be the largest thing in this process."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _let_pass(path: Path) -> None:
    """Let the servers' user, when this one is root, walk (not look) through the directories down to `path`."""
    for directory in (path, *path.parents):
        mode = directory.stat().st_mode & 0o7777
        if not mode & 0o001:
            logger.warning("PostgreSQL does not run as root: letting its user pass through %s (chmod o+x)", directory)
            directory.chmod(mode | 0o001)
