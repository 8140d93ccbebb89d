"""What to do about a no speaks of what was asked about, in commands that there are."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from app.standalone.errors import StandaloneError
from app.web.limits import TOO_LARGE
from app.web.problem import CODES
from sufficiency.cli import commands as cli
from sufficiency.cli.remedies import BY_CODE, explain, remedy
from sufficiency.client.errors import ApiError

ROOT = Path(__file__).resolve().parents[2]
URL = "http://127.0.0.1:8000"
JOB = "019a0000-0000-7000-8000-000000000000"


def refused(status: int, code: str, request: str, detail: str = "") -> ApiError:
    return ApiError(status, {"code": code, "title": "No", "detail": detail}, request)


@pytest.mark.parametrize(
    ("status", "code", "request_line", "detail", "told"),
    [
        (409, "dataset_exists", "POST /datasets", "Dataset 'digits' is registered", "datasets remove digits`"),
        (409, "dataset_in_use", "DELETE /datasets/my%20set", "2 jobs are on dataset", "jobs --dataset 'my set'`"),
        (409, "dataset_not_ready", "POST /jobs", "Dataset 'new' is still being verified", "datasets show new`"),
        (409, "dataset_invalid", "POST /jobs?dry_run=true", "Dataset 'new' is invalid", "datasets verify new`"),
        (409, "dataset_gone", "POST /datasets/new/verify", "Dataset 'new' is being deleted.", "datasets list`"),
        (409, "of_a_newer_service", "POST /datasets/new/verify", "No.", "state of the dataset"),
        (409, "of_a_newer_service", f"POST /jobs/{JOB}/cancel", "No.", "state of the job"),
        (409, "job_not_ended", f"POST /jobs/{JOB}/extend", "The job runs.", f"watch {JOB}`"),
        (409, "job_completed", f"POST /jobs/{JOB}/retry", "It is completed.", f"extend {JOB}`"),
        (409, "not_enough_data", f"GET /jobs/{JOB}/project?n=5", "Too little.", f"measurements {JOB}`"),
        (404, "job_not_found", f"GET /jobs/{JOB}", "There is none.", "`sufficiency jobs`"),
        (404, "dataset_not_found", "GET /datasets/jobs", "There is none.", "`sufficiency datasets list`"),
        (404, "plugin_not_found", "GET /plugins/model/datasets", "There is none.", "`sufficiency plugins`"),
    ],
)
def test_it_speaks_of_what_was_asked_about(status: int, code: str, request_line: str, detail: str, told: str) -> None:
    method, path = request_line.split()
    said = remedy(refused(status, code, f"{method} {URL}{path}", detail))
    assert told in said
    assert "the job" not in said or "/jobs" in path


def codes() -> set[str]:
    """Return the code of every problem that the service has, as its source names them."""
    found = set(CODES.values()) | {TOO_LARGE[0]}
    for part in ("app", "sufficiency/answers"):
        for file in (ROOT / part).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                match node:
                    case ast.Call(func=ast.Name(id="problem_response"), args=[_, _, ast.Constant(value=code), *_]):
                        found.add(code)
                    case ast.Call(
                        func=ast.Name(id="BadQuestion" | "Unanswerable" | "UnknownSubject"), args=[_, code, *_]
                    ):
                        found |= texts(code)
                    case ast.Call(func=ast.Attribute(attr="__init__"), args=[_, code, *_]) if part != "app":
                        found |= texts(code)
                    case ast.keyword(arg="code", value=value):
                        found |= texts(value)
                    case ast.Assign(targets=[ast.Name(id="code")], value=value) if part == "app":
                        found |= texts(value)
    return found


def texts(node: ast.AST) -> set[str]:
    """Return the texts of an expression, those of formatted ones left out."""
    if isinstance(node, ast.JoinedStr):
        return set()
    mine = {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()
    return mine.union(*map(texts, ast.iter_child_nodes(node)))


def test_every_problem_of_the_service_has_a_remedy() -> None:
    found = codes()
    assert {"dataset_exists", "body_too_slow", "too_much_asked", "webhook_to_service", "unknown_class"} <= found
    assert found - set(BY_CODE) == set()
    assert set(BY_CODE) - found == set(), "there is no such problem any more"
    for code in found:
        subject = code.split("_")[0]
        said = remedy(refused(409, code, f"POST {URL}/{subject}s/x", "'x' is not possible"))
        assert said
        assert subject != "dataset" or "job's" not in said


@pytest.mark.parametrize("said", BY_CODE.values())
def test_the_commands_that_it_names_exist(said: str) -> None:
    for words in re.findall(r"`sufficiency ([^`]+)`", said):
        command: Any = typer.main.get_command(cli.app)
        parts = words.split()
        while parts and hasattr(command, "commands"):
            command, parts = command.commands[parts[0]], parts[1:]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {part for part in parts if part.startswith("--")} <= options


def test_an_error_of_somebody_else_is_not_explained() -> None:
    assert explain(StandaloneError("…")) is None
