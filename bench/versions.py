"""The service at several revisions, side by side: each with its own code, packages' path, settings and tables.

Another revision is a checkout of its own with an environment of its own, in which its `app`, `worker` and `sufficiency`
are found before ours; everything else is what is installed here. It fills its own database with the jobs of its own
`bench`, through its own worker: an older program need not know newer tables, settings or fields of a request.
"""

import json
import os
import signal
import site
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import redis
from sqlalchemy import make_url

from app.db.engine import Database
from app.db.migrate import upgrade
from app.settings import Settings
from app.standalone.service import free_port
from bench.history import finish_job
from sufficiency import Client

ROOT = Path(__file__).resolve().parents[1]
# Submitted and done one by one; what there is more of is copied from them.
ENDINGS = ("completed",) * 8 + ("failed", "cancelled")
DIGITS = {split: {"loader": "digits", "params": {"split": split}} for split in ("train", "test")}
JOB = {
    "model": {"name": "tutorial-cnn"},
    "training": {"name": "sgd-classifier"},
    "evaluation": {"name": "classification", "params": {"metrics": ["accuracy", "auroc", "tpr_at_fpr"]}},
    "dataset": "digits",
    "reuse": False,
    "runs": 5,
    "substeps": 10,
    "labels": {"team": "bench"},
}
# Run by the version's interpreter in its checkout: `bench` is that version's own.
_FILL = """
import sys
from pathlib import Path
from app.settings import Settings
from bench import load
database_url, redis_url, logs = sys.argv[1:]
load.do_jobs(Settings(database_url=database_url, redis_url=redis_url, slots=1), Path(logs))
"""
_JOB = "import json; from bench.load import JOB; print(json.dumps(JOB))"
_COPY = "import sys; from bench.history import copy_jobs; copy_jobs(sys.argv[1], int(sys.argv[2]))"


@dataclass(frozen=True)
class Version:
    """One state of the code, and the interpreter that runs it."""

    name: str
    root: Path
    python: Path

    def job(self) -> dict[str, Any]:
        """Return what its benchmark submits."""
        job: dict[str, Any] = json.loads(self._run(_JOB))
        return job

    def fill(self, database_url: str, redis_url: str, logs: Path) -> None:
        """Fill a new database with a job of each ending, by the version's own code."""
        self._run(_FILL, database_url, redis_url, str(logs))

    def copy(self, database_url: str, count: int) -> None:
        """Copy the jobs of a database, `count` of them."""
        self._run(_COPY, psycopg_url(database_url), str(count))

    def _run(self, code: str, *arguments: str) -> str:
        env = {key: value for key, value in os.environ.items() if not key.startswith("SUFFICIENCY_")}
        done = subprocess.run(
            [self.python, "-c", code, *arguments], cwd=self.root, env=env, text=True, capture_output=True
        )
        if done.returncode:
            raise SystemExit(f"{self.name} cannot fill its database:\n{done.stderr[-3000:]}")
        return done.stdout


THIS = Version("this", ROOT, Path(sys.executable))


@contextmanager
def other(version: str) -> Iterator[Version]:
    """Yield another version: the one in a folder, or that of a revision, which gets a folder for a while."""
    with tempfile.TemporaryDirectory(prefix="sufficiency-other-") as directory:
        folder = Path(directory)
        if Path(version).is_dir():
            root = Path(version).resolve()
            yield Version("other", root, _interpreter(folder, root))
            return
        root = folder / "checkout"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", root, version], check=True)
        try:
            yield Version("other", root, _interpreter(folder, root))
        finally:
            subprocess.run([*git, "remove", "--force", root], check=True)


def _interpreter(folder: Path, root: Path) -> Path:
    """Make an environment that finds the packages of a checkout before those that are installed here.

    The service's commands become others of the same interpreter, without the folder that they were started in and
    without PYTHONPATH: only what belongs to the interpreter stays.
    """
    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    (packages,) = (environment / "lib").glob("python*/site-packages")
    installed = [Path(path) for path in site.getsitepackages()]
    # An environment that borrows from another names it in such a file too.
    borrowed = [Path(line) for path in installed for file in path.glob("*.pth") for line in _folders_in(file)]
    (packages / "versions.pth").write_text("".join(f"{path}\n" for path in [root, *installed, *borrowed]))
    return environment / "bin" / "python"


def _folders_in(file: Path) -> list[str]:
    lines = file.read_text(errors="replace").splitlines()
    return [line for line in lines if Path(line).is_absolute() and Path(line).is_dir() and Path(line) != ROOT]


@contextmanager
def program(
    name: str, command: Sequence[str | Path], settings: Settings, log: Path, root: Path
) -> Iterator[psutil.Process]:
    """Run one of the service's programs from a checkout, and stop it in the end."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("SUFFICIENCY_")}
    # Those that were given alone: an older program refuses the names of newer ones.
    env |= settings.environment(settings.model_fields_set) | {"PYTHONUNBUFFERED": "1"}
    with log.open("ab") as file:
        child = subprocess.Popen(command, cwd=root, env=env, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
    try:
        yield psutil.Process(child.pid)
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        assert child.returncode in (0, -signal.SIGTERM), f"{name} ended with {child.returncode}, see {log}"


@contextmanager
def api(settings: Settings, log: Path, version: Version = THIS) -> Iterator[tuple[str, psutil.Process]]:
    """Run the API of a version on a free port."""
    settings = settings.model_copy(update={"port": free_port("127.0.0.1", 0)})
    entry = "sufficiency.cli" if (version.root / "sufficiency" / "cli").exists() else "app.cli"  # as before 0.2
    with program("the API", [version.python, "-m", entry, "serve"], settings, log, version.root) as process:
        deadline = time.monotonic() + 60
        while True:
            try:
                with socket.create_connection(("127.0.0.1", settings.port), timeout=1):
                    break
            except OSError:
                ended = not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
                if ended or time.monotonic() > deadline:
                    words = log.read_text(errors="replace")[-2000:]
                    raise SystemExit(f"the API of {version.name} does not start:\n{words}") from None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{settings.port}", process


def psycopg_url(database_url: str) -> str:
    """Return an SQLAlchemy URL as psycopg reads it."""
    return make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


def flush(redis_url: str) -> None:
    """Take all messages out of the broker."""
    with redis.from_url(redis_url.replace("redis+socket://", "unix://")) as broker:
        broker.flushdb()


def do_jobs(settings: Settings, logs: Path) -> None:
    """Fill a new database with a real worker's catalog, a dataset, and a job of each ending."""
    upgrade(settings.database_url)
    with api(settings, logs / "setup.log") as (url, _), Client(url) as client:
        with program("the worker", [sys.executable, "-m", "worker"], settings, logs / "setup.log", ROOT):
            deadline = time.monotonic() + 120
            while not any(plugin["name"] == "digits" for plugin in client.plugins("dataset")):
                if time.monotonic() > deadline:
                    raise SystemExit(f"no worker: see {logs / 'setup.log'}")
                time.sleep(0.2)
            client.add_dataset("digits", **DIGITS)
            client.wait_dataset("digits")
        database = Database(settings.database_url)
        for seed, ending in enumerate(ENDINGS):
            finish_job(database, UUID(client.submit(JOB)["id"]), seed=seed, ending=ending)
        database.dispose()
    flush(settings.redis_url)
