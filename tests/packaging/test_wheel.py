"""The service from its wheel, started in the folder of a user whose packages have the names of the service's."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.standalone.servers import running_servers
from tests.packaging.environments import Environment, succeed
from tests.packaging.study import PLUGINS, STUDY, ask, assert_learned, copy_project, standalone
from tests.support.running import Running


@pytest.fixture(scope="module")
def project(place: Path) -> Path:
    """The user's folder: `app/`, `worker/` and a module of plugins that imports from `app`."""
    return copy_project(place / "project")


@pytest.fixture(scope="module")
def data_dir(place: Path) -> Path:
    """Where the service keeps its data."""
    return place / "beside-a-project"


@pytest.fixture(scope="module")
def service(everything: Environment, data_dir: Path, project: Path) -> Iterator[Running]:
    """A service that has been started there, with the folder on PYTHONPATH; a test waits for it."""
    with standalone(everything, data_dir, project, PYTHONPATH=project, SUFFICIENCY_PLUGINS=PLUGINS) as running:
        yield running


@pytest.fixture
def sufficiency(everything: Environment, service: Running, project: Path) -> Callable[..., str]:
    """The command line in another terminal, in the same folder."""

    def run(*arguments: str | Path) -> str:
        service.wait_for("The worker is ready")
        terminal = everything.terminal(PYTHONPATH=project, SUFFICIENCY_URL=service.url)
        return succeed([everything.command("sufficiency"), *arguments], terminal, project)

    return run


def test_a_job_takes_the_user_s_model_to_its_answer(service: Running) -> None:
    service.wait_for("The worker is ready")
    assert_learned(ask(service.url))


def test_the_base_install_s_command_line_goes_the_whole_way(service: Running, base: Environment, project: Path) -> None:
    service.wait_for("The worker is ready")
    terminal = base.terminal(PYTHONPATH=project, SUFFICIENCY_URL=service.url)

    def sufficiency(*arguments: str) -> str:
        return succeed([base.command("sufficiency"), *arguments], terminal, project)

    sufficiency("datasets", "add", "again", "--train", "digits:split=train", "--test", "digits:split=test")
    (project / "study.json").write_text(json.dumps(STUDY | {"dataset": "again"}))
    job = json.loads(sufficiency("submit", "study.json", "--wait", "--json"))
    assert_learned(json.loads(sufficiency("project", job["id"], "5000", "--json")))


def test_doctor_and_prune_are_the_service_s(sufficiency: Callable[..., str], data_dir: Path) -> None:
    assert json.loads(sufficiency("doctor", "--data-dir", data_dir, "--json"))["wrong"] == 0
    pruned = sufficiency("prune", "--older-than", "30d", "--dry-run", "--data-dir", data_dir, "--json")
    assert json.loads(pruned)["dry_run"] is True


@pytest.mark.slow
def test_plugins_are_checked_with_the_user_s_modules(sufficiency: Callable[..., str]) -> None:
    model = ["--model", "mystudy:Net", "--shape", "1,8,8", "--classes", "10"]
    findings = json.loads(sufficiency("plugins", "check", "mystudy", *model, "--json"))
    assert {finding["plugin"].partition(":")[0] for finding in findings} == {"training", "evaluation"}
    assert [finding for finding in findings if finding["outcome"] == "failed"] == []


@pytest.mark.slow
def test_migrate_worker_and_serve_find_the_user_s_modules_in_a_setting_too(
    everything: Environment, service: Running, data_dir: Path, project: Path
) -> None:
    service.wait_for("The worker is ready")
    database_url, redis_url = running_servers(data_dir)
    terminal = everything.terminal(
        SUFFICIENCY_DATABASE_URL=database_url,
        SUFFICIENCY_REDIS_URL=redis_url,
        SUFFICIENCY_PLUGIN_PATH=project,
        SUFFICIENCY_PLUGINS=PLUGINS,
        SUFFICIENCY_SLOTS="1",
    )
    command = str(everything.command("sufficiency"))
    succeed([command, "migrate"], terminal, project)
    worker = Running([command, "worker"], cwd=project, environment=terminal)
    api = Running([command, "serve", "--port", "0"], cwd=project, environment=terminal)
    try:
        worker.wait_for("slots on cpu")
        api.wait_for("running on http://")
        workers = httpx.get(f"{api.url}/workers", trust_env=False, timeout=60).json()["items"]
        assert [(one["live"], one["plugin_errors"]) for one in workers] == [(True, [])] * 2
    finally:
        for one in (worker, api):
            one.end(signal.SIGTERM)
