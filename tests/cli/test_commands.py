"""Every command teaches its use, and every error says what, where and what to do."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import app.commands
from sufficiency.cli import commands as cli
from sufficiency.cli.service import SERVICE
from tests.support.command_line import Outcome
from tests.support.script import Script

Run = Callable[..., Outcome]
JOB = "019a0000-0000-7000-8000-000000000000"


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every command."""
    group = group or typer.main.get_command(cli.app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


ASKING = [
    ["workers"],
    ["plugins"],
    ["plugins", "mlp"],
    ["plugins", "--kind", "model"],
    ["plugins", "show", "mlp"],
    ["datasets", "add", "digits", "--train", "digits:split=train", "--test", "digits:split=test"],
    ["datasets", "list"],
    ["datasets", "show", "digits"],
    ["datasets", "append", "digits", "--items", "digits:split=test"],
    ["datasets", "versions", "digits"],
    ["datasets", "verify", "digits"],
    ["datasets", "remove", "digits"],
    ["datasets", "upload", "JOB_FILE", "--name", "a.csv"],
    ["datasets", "uploads"],
    ["rename", JOB, "--name", "first"],
    ["submit", "JOB_FILE"],
    ["submit", "JOB_FILE", "--dry-run"],
    ["jobs"],
    ["forecasts"],
    ["decide", JOB, "--price", "0.5", "--value", "100"],
    ["gate", JOB, "--target", "Accuracy:0.9"],
    ["forecasts", "--job", JOB, "--metric", "Accuracy"],
    *(
        [name, JOB]
        for name in (
            "watch",
            "logs",
            "cancel",
            "retry",
            "delete",
            "measurements",
            "cells",
            "curves",
            "refit",
            "verdict",
            "report",
            "plot",
        )
    ),
    ["export", JOB],
    ["project", JOB, "5000"],
    ["inv-project", JOB, "0.9"],
    ["extend", JOB, "--runs", "8"],
    ["demo"],
    ["keys", "add", "ci"],
    ["keys", "list"],
    ["keys", "rotate", JOB],
    ["keys", "revoke", JOB],
    ["projects", "add", "lab"],
    ["projects", "list"],
    ["projects", "show", "lab"],
    ["projects", "limit", "lab", "--quota", "cells=5"],
    ["projects", "share", "lab", "2"],
    ["projects", "remove", "lab"],
    ["members", "list"],
    ["members", "put", "ada"],
    ["members", "remove", "ada"],
    ["audit"],
    ["whoami"],
]
GROUPS = {"datasets", "keys", "projects", "members"}


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_help_teaches_with_an_example(sufficiency: Run, path: tuple[str, ...]) -> None:
    outcome = sufficiency(*path, "--help")
    assert outcome.code == 0
    example = outcome.out.partition("Example:\n")[2]
    assert f"sufficiency {' '.join(path)}" in example


def test_the_service_s_commands_are_listed_as_they_describe_themselves() -> None:
    own: Any = typer.main.get_command(app.commands.commands)
    assert {name: command.help.splitlines()[0] for name, command in own.commands.items()} == SERVICE


def test_a_command_of_the_service_is_carried_out_there_with_all_that_it_is_given(tmp_path: Path) -> None:
    """From a folder, and with a PYTHONPATH, where something else is called as the service's packages are."""
    for name in ("app", "worker", "migrations"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('somebody else')")
    told = {}
    for arguments in (["doctor", "--help"], ["prune", "--older-than", "soon", "--dry-run"], ["serve", "--nope"]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "sufficiency.cli", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        told[arguments[0]] = (done.returncode, done.stdout, done.stderr)
    assert (told["doctor"][0], "sufficiency doctor --data-dir" in told["doctor"][1]) == (0, True)
    assert (told["prune"][0], "'soon' is no age" in told["prune"][2]) == (2, True)
    assert (told["serve"][0], "`sufficiency serve --help` shows how" in told["serve"][2]) == (2, True)


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version(sufficiency: Run, option: str) -> None:
    from sufficiency import __version__

    outcome = sufficiency(option)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"sufficiency {__version__}\n", "")


def test_help_lists_every_command_with_its_whole_first_sentence(sufficiency: Run) -> None:
    for group in ((), ("datasets",), ("plugins",)):
        listed = sufficiency(*group, "--help").out.partition("Commands:\n")[2]
        assert listed
        assert "..." not in listed


def test_every_command_that_asks_the_service_is_in_the_list_below() -> None:
    local = {"standalone", "serve", "worker", "migrate", "doctor", "prune", "plugins new", "plugins check", "fit"}
    local |= {"keys new"}
    listed = {" ".join(a[:2]) if a[0] in GROUPS else "plugins show" if a[0] == "plugins" else a[0] for a in ASKING}
    assert listed == {" ".join(path) for path in commands()} - local


@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_a_service_that_is_not_there(
    sufficiency: Run, nobody: str, patience: list[float], tmp_path: Path, arguments: list[str]
) -> None:
    job = tmp_path / "job.json"
    job.write_text("{}")
    outcome = sufficiency(*(str(job) if a == "JOB_FILE" else a for a in arguments), "--url", nobody)
    assert outcome.code == 3
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert lines[0].startswith("error: no answer from the service")
    assert lines[1] == f"  where: {nobody}"
    assert lines[2].startswith("  do: start it with `sufficiency standalone`")
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["nope"], "No such command 'nope'."),
        (["project"], "Missing argument"),
        (["project", JOB, "many"], "Invalid value for 'N'"),
        (["project", JOB, "0"], "Invalid value for 'N'"),
        (["jobs", "--nope"], "--nope"),
        (["submit", "/no/such/file.json"], "cannot be read"),
        (["datasets", "add", "x", "--train", "npz:path", "--test", "digits"], "'path' is not key=value"),
        (["datasets", "add", "x", "--train", "{", "--test", "digits"], "not JSON"),
        (["jobs", "--url", "localhost:8000"], "not the address of a service"),
    ],
)
def test_misuse_says_what_and_shows_the_way(sufficiency: Run, arguments: list[str], what: str) -> None:
    outcome = sufficiency(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert what in outcome.err
    assert "  do: " in outcome.err
    assert "Traceback" not in outcome.err


def test_a_job_that_is_not_json(sufficiency: Run, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text('{"model": }')
    outcome = sufficiency("submit", str(file))
    assert outcome.code == 2
    assert "line 1 column 11" in outcome.err


def test_a_refusal_is_told_with_its_fields(sufficiency: Run, script: Script, tmp_path: Path) -> None:
    problem = {
        "title": "The request is not valid",
        "detail": "Two fields are wrong.",
        "code": "invalid_request",
        "errors": [{"pointer": "#/runs", "detail": "too small"}, {"pointer": "#/seed", "detail": "too large"}],
    }
    script.answers = [(422, {}, json.dumps(problem))]
    file = tmp_path / "job.json"
    file.write_text("{}")
    outcome = sufficiency("submit", str(file), "--url", script.url)
    assert outcome.code == 1
    assert outcome.err.splitlines() == [
        "error: The request is not valid: Two fields are wrong.",
        f"  where: POST {script.url}/jobs",
        "  where: #/runs: too small",
        "  where: #/seed: too large",
        "  do: correct what is named above; `--help` of the command shows an example",
    ]


def test_something_else_answers_at_the_address(sufficiency: Run, script: Script) -> None:
    script.answers = [(200, {}, "<html>hello</html>")]
    outcome = sufficiency("jobs", "--url", script.url)
    assert outcome.code == 3
    assert "what answers there is not this service" in outcome.err


def test_json_is_what_the_api_answered(sufficiency: Run, script: Script) -> None:
    answer = {"job_id": JOB, "items": [], "new_key": "kept"}
    script.answers = [(200, {}, json.dumps(answer))]
    outcome = sufficiency("curves", JOB, "--json", "--url", script.url)
    assert outcome.code == 0
    assert json.loads(outcome.out) == answer


def test_a_wrong_setting_is_named(sufficiency: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.settings import get_settings

    monkeypatch.setenv("SUFFICIENCY_PORT", "many")
    get_settings.cache_clear()
    outcome = sufficiency("migrate")
    assert outcome.code == 2
    assert "SUFFICIENCY_PORT" in outcome.err


def test_the_command_line_starts_quickly() -> None:
    # Seconds differ from machine to machine; what is loaded does not.
    heavy = ["torch", "sqlalchemy", "fastapi", "numpy", "httpx", "pydantic", "celery", "psycopg"]
    code = f"import sys, sufficiency.cli.commands; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_ctrl_c_leaves_no_traceback(sufficiency: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sufficiency.client.client.Client.workers", interrupted)
    outcome = sufficiency("workers", "--url", "http://127.0.0.1:1")
    assert outcome.code == 130
    assert outcome.err.strip() == ""


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        pytest.param(
            ("datasets", "add", "q", "--source", "digits", "--test-fraction", "nan"),
            "#/split/test_fraction",
            id="share",
        ),
        pytest.param(("keys", "add", "ci", "--days", "inf"), "#/expires_in_days", id="days"),
        pytest.param(("submit", "{file}"), "#/training/params/lr", id="in_a_file"),
        pytest.param(("plot", "019a0000-0000-7000-8000-000000000000", "--target", "nan"), "--target nan", id="target"),
    ],
)
def test_what_is_no_number_is_misuse(
    sufficiency: Run, nobody: str, tmp_path: Path, asked: tuple[str, ...], named: str
) -> None:
    file = tmp_path / "job.json"
    file.write_text('{"training": {"name": "sgd-classifier", "params": {"lr": NaN}}}')
    outcome = sufficiency(*(word.format(file=file) for word in asked), "--url", nobody)
    assert outcome.code == 2
    assert named in outcome.err
    assert "must be a finite number" in outcome.err
