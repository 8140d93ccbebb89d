"""A user's project that is itself installed, with packages that have the names of the service's."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.packaging.environments import Environment, succeed
from tests.packaging.study import ask, assert_learned, copy_project, standalone

# In which order the two come into one environment. pip lets two distributions own one file: the later one's lies there,
# the rest of both is mixed, and pip says nothing.
ORDERS: dict[str, Callable[[Path, Path], list[str | Path]]] = {
    "over the service": lambda wheel, project: [wheel, project],
    "under the service": lambda wheel, project: [project, wheel],
    # Nothing is overwritten; but of two packages that have one name, Python finds the service's.
    "in place": lambda wheel, project: [wheel, f"--editable={project}"],
}


@pytest.mark.parametrize(
    "order", [pytest.param(order, marks=[pytest.mark.slow] * (not order.startswith("over"))) for order in ORDERS]
)
def test_in_the_service_s_environment_it_is_named_at_start(order: str, wheel: Path, place: Path) -> None:
    folder = place / order.replace(" ", "-")
    folder.mkdir()
    environment = Environment.make(folder / "environment")
    environment.borrow_everything()
    for what in ORDERS[order](wheel, copy_project(folder / "project")):
        environment.install(what)
    with standalone(environment, folder / "data", folder) as running:
        running.wait_for("SUFFICIENCY_TRAINER_PYTHON", 30)
        assert running.wait(60) != 0
    words = " ".join(running.output.split())
    assert re.search(r"\bapp\b", words), words
    assert re.search(r"\busersapp\b", words), words
    assert "Traceback" not in words
    assert not (folder / "data").exists(), "it must be seen before a database is made"
    # What is no part of the service is not refused.
    succeed([environment.python, "-c", "from sufficiency import Client"], environment.terminal(), folder)
    succeed([environment.command("sufficiency"), "submit", "--help"], environment.terminal(), folder)


def program(process: psutil.Process) -> str | None:
    """Return what a process runs; None for one that has ended, as PostgreSQL's do with their connections."""
    with suppress(psutil.Error, IndexError):
        return process.cmdline()[0]
    return None


@pytest.mark.slow
def test_in_an_environment_of_its_own_it_is_trained_there(everything: Environment, wheel: Path, place: Path) -> None:
    folder = place / "apart"
    folder.mkdir()
    own = Environment.make(folder / "environment")
    own.borrow_everything()
    for what in (wheel, copy_project(folder / "project")):
        own.install(what)
    assert not everything.places(["mystudy"])
    # Not in the project's folder, from which the service's own interpreter might take it; the plugins are entry points.
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    with standalone(everything, folder / "data", elsewhere, SUFFICIENCY_TRAINER_PYTHON=own.python) as running:
        running.wait_for("The worker is ready")
        assert [program(process) for process in running.family()].count(str(own.python)) == 1, "the one trainer"
        assert_learned(ask(running.url))
