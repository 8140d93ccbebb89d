"""What the service answers, over HTTP and at the command line, is what it has answered since 0.1.

`python -m tests.golden.write` writes it anew.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.golden import golden
from tests.golden.golden import check
from tests.golden.service_answers import QUESTIONS, RTOL, ask
from tests.golden.service_commands import ANSWERED, MISUSED, REFUSED, UNREACHABLE, CommandLine, helps
from tests.golden.service_database import LEFT_BY_0_1, catalog
from tests.golden.service_studies import Service, add_studies
from tests.golden.service_subjects import HandWorker, Servers, forget_settings, new_database, serving

# One schedule as it should be, and one that is not
SCHEDULES = '''"""Schedules of one's own."""


class Halves:
    """Half of the data, a quarter, and so on.

    Parameters
    ----------
    least : int
        No step is smaller.
    """

    def __init__(self, least: int = 10) -> None:
        self.least = least

    def get_steps(self, size: int) -> list[int]:
        """Return the steps."""
        steps = []
        while size >= self.least:
            steps.append(size)
            size //= 2
        return steps[::-1]


class Backwards:
    def get_steps(self, size: int) -> list[int]:
        """Return the steps."""
        return [size, 1]
'''


@pytest.fixture(scope="module")
def service(servers: Servers) -> Iterator[Service]:
    """A service in which all studies are as far as they come."""
    with (
        new_database(servers) as database,
        serving(database, servers.redis_url) as url,
        httpx.Client(base_url=url, timeout=60) as http,
    ):
        service = Service(url, database, http)
        worker = HandWorker(database, catalog(LEFT_BY_0_1))
        add_studies(service, worker)
        yield service
        worker.leave()


@pytest.mark.parametrize("subject", QUESTIONS)
def test_answers(service: Service, subject: str) -> None:
    check(f"service/answers_{subject}", ask(service, QUESTIONS[subject]), rtol=RTOL.get(subject, golden.RTOL))


@pytest.fixture
def command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[CommandLine]:
    yield CommandLine.at(monkeypatch, capsys, tmp_path)
    monkeypatch.undo()
    forget_settings()


def test_commands_that_are_answered(service: Service, command_line: CommandLine) -> None:
    check("service/commands_answered", command_line.answers(service, ANSWERED), rtol=RTOL["power_law"])


@pytest.mark.parametrize(("commands", "code"), [(REFUSED, 1), (MISUSED, 2)], ids=["refused", "misused"])
def test_commands_that_fail(
    service: Service, command_line: CommandLine, commands: tuple[str, ...], code: int, request: pytest.FixtureRequest
) -> None:
    told = command_line.answers(service, commands)
    assert {command: one["exit"] for command, one in told.items()} == dict.fromkeys(told, code)
    check(f"service/commands_{request.node.callspec.id}", told)


def test_commands_that_reach_nobody(service: Service, command_line: CommandLine) -> None:
    # At this port nobody may listen.
    nowhere = replace(service, url="http://127.0.0.1:1", database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")
    told = command_line.answers(nowhere, UNREACHABLE)
    assert {one["exit"] for one in told.values()} == {3}
    check("service/commands_unreachable", told)


def test_a_package_of_plugins_that_is_written(command_line: CommandLine) -> None:
    told = command_line.run("plugins", "new", "my-study")
    files = [path for path in (command_line.folder / "my-study").rglob("*") if path.is_file()]
    check(
        "service/scaffold",
        {**told, "files": sorted(str(path.relative_to(command_line.folder)) for path in files)},
    )


def test_help(command_line: CommandLine) -> None:
    check("service/help", dict(helps(command_line.run)))


def test_help_of_the_installed_program() -> None:
    program = Path(sys.executable).with_name("sufficiency")
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    done = subprocess.run([program, "--help"], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    kept = json.loads((golden.DATA / "service" / "help.json").read_text())
    assert done.stdout.splitlines() == kept["sufficiency --help"]


def test_plugins_that_are_checked_where_one_stands(tmp_path: Path) -> None:
    (tmp_path / "halves.py").write_text(SCHEDULES)
    program = Path(sys.executable).with_name("sufficiency")
    command = [program, "plugins", "check", "halves", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    check("service/plugins_checked", {"exit": done.returncode, "out": json.loads(done.stdout), "err": done.stderr})


def test_operations(service: Service) -> None:
    document = service.http.get("/openapi.json").json()
    operations = {
        kind: sorted(
            f"{method.upper()} {path}: {operation['operationId']}"
            for path, methods in document[kind].items()
            for method, operation in methods.items()
        )
        for kind in ("paths", "webhooks")
    }
    check("service/operations", operations)


def test_metrics(service: Service) -> None:
    for path in ("/livez", "/nowhere"):
        service.http.get(path)
    answer = service.http.get("/metrics")
    families = {
        family.name: {
            "type": family.type,
            "help": family.documentation,
            "samples": {sample.name: sorted(sample.labels) for sample in family.samples},
        }
        for family in text_string_to_metric_families(answer.text)
    }
    check("service/metrics", {"content-type": answer.headers["content-type"], "families": families})
