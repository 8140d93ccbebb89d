"""Everything of the project that the goldens of the service are about.

No other of their files imports from the project: where a part moves to, or is called otherwise, is told here alone.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import psycopg
import uvicorn
from alembic import command
from psycopg.rows import dict_row
from sqlalchemy import make_url

from app import settings as service_settings
from app.catalog.plugins import advertise
from app.catalog.verification import dataset_invalid, dataset_ready
from app.catalog.workers import forget_worker, register_worker
from app.db.engine import Database
from app.db.migrate import alembic_config, upgrade
from app.jobs.ending import expire_job
from app.jobs.retention import prune
from app.main import create_app
from app.settings import Settings
from app.standalone.servers import EmbeddedServers
from app.units import lease
from app.units.plans import job_planned, plan_failed
from sufficiency import settings as library_settings
from sufficiency.training.registry import GROUPS, Registry
from tests.support.commands import main
from tests.support.servers import Servers, new_database, run_sql, url_of

__all__ = [
    "GROUPS",
    "Claim",
    "HandWorker",
    "Servers",
    "Values",
    "described_plugins",
    "empty_database",
    "forget_settings",
    "main",
    "migrate_to",
    "migrated_servers",
    "new_database",
    "plain_url",
    "rows",
    "serving",
    "settings_defaults",
    "upgrade",
]

Values = list[tuple[str, int, float | None]]
LEASE_SECONDS = 600.0


def described_plugins() -> list[dict[str, Any]]:
    """Return what a worker says of the built-in plugins; loading them loads torch."""
    registry = Registry.load()
    assert registry.errors == []
    return [asdict(description) for description in registry.describe()]


def settings_defaults() -> dict[str, Any]:
    """Return the default of every setting, by the environment variable that sets it, as JSON values."""
    prefix = str(Settings.model_config.get("env_prefix"))
    defaults = Settings.model_construct().model_dump(mode="json")
    return {f"{prefix}{name}".upper(): default for name, default in defaults.items()}


def forget_settings() -> None:
    """Have the environment read anew by whoever asks for settings next."""
    service_settings.get_settings.cache_clear()
    library_settings.get_settings.cache_clear()


def migrate_to(database_url: str, revision: str) -> None:
    """Bring an empty database to the schema of a revision."""
    command.upgrade(alembic_config(database_url), revision)


@contextmanager
def migrated_servers() -> Iterator[tuple[str, str]]:
    """Run servers where no tests do; yield the URLs of a database with this version's tables, and of Redis."""
    with (
        TemporaryDirectory(prefix="sufficiency-") as folder,
        EmbeddedServers(Path(folder)) as (database_url, redis_url),
    ):
        upgrade(database_url)
        yield database_url, redis_url


@contextmanager
def empty_database(servers: Servers) -> Iterator[str]:
    """Yield the URL of a database of one's own without tables, and drop it in the end."""
    name = f"golden_{uuid4().hex}"
    run_sql(servers, f"CREATE DATABASE {name}")
    try:
        yield url_of(servers, name)
    finally:
        run_sql(servers, f"DROP DATABASE {name} WITH (FORCE)")


def plain_url(database_url: str) -> str:
    """Return a database's URL as PostgreSQL's own programs and drivers take it."""
    return make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


def rows(database_url: str, statement: str, *values: object) -> list[dict[str, Any]]:
    """Run a statement of SQL; return its rows, if it has any."""
    with psycopg.connect(plain_url(database_url), row_factory=dict_row) as connection:
        found = connection.execute(statement.encode(), values)
        return found.fetchall() if found.description else []


@contextmanager
def serving(database_url: str, redis_url: str) -> Iterator[str]:
    """Run the API on a database of its own; yield its address."""
    # Apart from what other tests leave in the broker: a full one would be said to be what jobs wait for.
    settings = Settings(
        database_url=database_url,
        redis_url=f"{redis_url}?virtual_host=7",
        max_cells=100,
        max_body_bytes=20_000,
        sweep_seconds=3600.0,
        heartbeat_seconds=3600.0,  # a worker that nobody hears again is not gone while the tests last
    )
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_level="warning", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass(frozen=True)
class Claim:
    """A unit of a job that the worker holds: its cells, (run, step) to size, without those measured already."""

    unit_id: UUID
    attempt: int
    cells: Mapping[tuple[int, int], int]


class HandWorker:
    """Does what a worker does to a database, without training anything.

    Parameters
    ----------
    database_url : str
    plugins : sequence of dict
        What it offers, each as a worker describes it.
    """

    def __init__(self, database_url: str, plugins: Sequence[dict[str, Any]]) -> None:
        self._url = database_url
        self._database = Database(database_url)
        with self._database.transaction() as session:
            advertise(session, list(plugins))
            versions = {f"{plugin['kind']}:{plugin['name']}": str(plugin["version"]) for plugin in plugins}
            self._id = register_worker(
                session,
                hostname="lab-1",
                pid=4242,
                devices=["cpu"],
                slots=2,
                plugins=list(versions),
                plugin_errors=[],
                versions=versions,
            )

    def leave(self) -> None:
        """End as a worker does that is stopped."""
        with self._database.transaction() as session:
            forget_worker(session, self._id)
        self._database.dispose()

    def find_whole(self, dataset: str, info: dict[str, Any], fingerprint: str, preview: bytes | None = None) -> None:
        """Verify a dataset and find it whole."""
        with self._database.transaction() as session:
            dataset_ready(session, self._dataset(dataset), info, fingerprint, preview)

    def find_broken(self, dataset: str, error: dict[str, Any]) -> None:
        """Verify a dataset and find that it cannot be used."""
        with self._database.transaction() as session:
            dataset_invalid(session, self._dataset(dataset), error)

    def _dataset(self, name: str) -> UUID:
        [row] = rows(self._url, "SELECT id FROM dataset WHERE name = %s", name)
        return UUID(str(row["id"]))

    def claim(self, job_id: str) -> Claim | None:
        """Take the next unit of a job, or None where all are taken."""
        with self._database.transaction() as session:
            unit = lease.claim_of(session, UUID(job_id), self._id, LEASE_SECONDS)
        if unit is None:
            return None
        return Claim(unit.unit_id, unit.attempt, {(c.run, c.step): c.n for c in unit.cells if not c.done})

    def record(self, claim: Claim, cell: tuple[int, int], values: Values) -> None:
        """Write what a cell of a unit measured."""
        run, step = cell
        result = lease.CellResult(run, step, n_unique=claim.cells[cell], seconds=0.5, device="cpu", values=values)
        with self._database.transaction() as session:
            assert lease.record_cell(session, claim.unit_id, claim.attempt, result)

    def finish(self, claim: Claim) -> None:
        """Say that all cells of a unit are recorded."""
        with self._database.transaction() as session:
            lease.finish_unit(session, claim.unit_id, claim.attempt)

    def fail(self, claim: Claim, error: dict[str, Any]) -> None:
        """Say that a unit failed by the fault of its job."""
        with self._database.transaction() as session:
            lease.fail_unit(session, claim.unit_id, claim.attempt, error)

    def give_back(self, claim: Claim, death: dict[str, Any] | None = None) -> None:
        """Give a unit back to be done by another; with a death, as one that may have killed its trainer."""
        with self._database.transaction() as session:
            lease.surrender_unit(session, claim.unit_id, claim.attempt, death, counts=death is not None)

    def name_steps(self, job_id: str, steps: list[int], max_cells: int = 100) -> None:
        """Say what a job's schedule plugin answered."""
        with self._database.transaction() as session:
            job_planned(session, UUID(job_id), steps, max_cells)

    def fail_to_name_steps(self, job_id: str, error: dict[str, Any]) -> None:
        """Say that a job's schedule plugin named no usable steps."""
        with self._database.transaction() as session:
            plan_failed(session, UUID(job_id), error)

    def end_overdue(self, job_id: str, limit: float) -> None:
        """End a job that has run for longer than `limit` seconds, as the sweeper does."""
        with self._database.transaction() as session:
            expire_job(session, UUID(job_id), limit)

    def prune(self) -> None:
        """Drop what ended jobs no longer need, as the command line does."""
        prune(self._database, timedelta(0))
