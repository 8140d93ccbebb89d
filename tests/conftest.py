"""Real servers for every test that needs one: PostgreSQL and Redis, embedded, started once a session."""

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.db.migrate import upgrade
from app.settings import Settings
from app.standalone.servers import EmbeddedServers
from tests.support.order import longest_first, scheduler
from tests.support.parts import table
from tests.support.servers import TEMPLATE, Servers, in_memory, new_database, run_sql, url_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `make test` asks for."""
    parser.addoption("--parts", action="store_true", help="say what each part of the tests takes")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what each part took."""
    if config.getoption("parts"):
        terminalreporter.section("parts")
        for line in table(report for reports in terminalreporter.stats.values() for report in reports):
            terminalreporter.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Have xdist hand files out in the order of `longest_first`, not by how many tests they have."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False
    gc.disable()  # until all is imported, which stays: see pytest_collection_finish


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items[:] = longest_first(items, config.rootpath)


def pytest_collection_finish() -> None:
    """Leave what is loaded out of the search for garbage: a million objects, that took a tenth of the tests' time."""
    gc.freeze()
    gc.set_threshold(1000, 20, 50)
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, keep files together that share what takes long to start."""
    return scheduler()(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def state_home() -> Iterator[Path]:
    """A state directory of the tests' own: no test finds a standalone that somebody runs on this machine."""
    with tempfile.TemporaryDirectory(prefix="sufficiency-state-") as directory, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", directory)
        yield Path(directory)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """PostgreSQL and Redis for the whole session."""
    # Not pytest's tmp_path: it takes away from other users, PostgreSQL's among them, what they need when root tests.
    with tempfile.TemporaryDirectory(prefix="sufficiency-tests-", dir=in_memory()) as directory:
        embedded = EmbeddedServers(Path(directory))
        with embedded as (database_url, redis_url):
            running = Servers(database_url, redis_url)
            run_sql(running, f"CREATE DATABASE {TEMPLATE}")
            upgrade(url_of(running, TEMPLATE))
            # Thousands of small transactions, and nothing to keep: waiting for the disk would only cost time.
            for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
                run_sql(running, f"ALTER SYSTEM SET {setting}")
            run_sql(running, "SELECT pg_reload_conf()")
            yield running


@pytest.fixture(scope="session")
def catalogued(servers: Servers) -> str:
    """The name of a database with a catalog and a ready dataset, for each test's own to be copied from."""
    from tests.support.service import make_catalogued  # the whole application, which few processes need

    return make_catalogued(servers)


@pytest.fixture(scope="session")
def database_url(servers: Servers) -> Iterator[str]:
    """A migrated database, shared by the session's tests."""
    with new_database(servers) as url:
        yield url


@pytest.fixture
def fresh_database(servers: Servers) -> Iterator[str]:
    """A migrated database of the test's own."""
    with new_database(servers) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(servers: Servers) -> str:
    """The broker's address."""
    return servers.redis_url


@pytest.fixture(scope="session")
def settings(database_url: str, redis_url: str) -> Settings:
    """Settings that point to the session's database and broker."""
    return Settings(database_url=database_url, redis_url=redis_url)
