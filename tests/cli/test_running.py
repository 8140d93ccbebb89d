"""A command that is told nothing finds the standalone that its user runs; a killed one's note misleads nobody."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.settings import get_settings
from sufficiency.running import RunningStandalone, forget, note, running_standalones
from tests.support.command_line import Outcome

Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def nobody_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A state directory of the test's own, and no settings."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("SUFFICIENCY_DATABASE_URL", "SUFFICIENCY_REDIS_URL", "SUFFICIENCY_URL"):
        monkeypatch.delenv(name, raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def standalone(folder: Path, port: int = 8000, pid: int | None = None) -> RunningStandalone:
    """Leave what a running one does."""
    folder.mkdir()
    (folder / "lock").write_text(str(os.getpid() if pid is None else pid))
    note(folder, f"http://127.0.0.1:{port}")
    return RunningStandalone(folder, f"http://127.0.0.1:{port}")


def test_notes_are_left_read_and_taken_back(tmp_path: Path) -> None:
    assert running_standalones() == []
    first, second = standalone(tmp_path / "a"), standalone(tmp_path / "ö ü", 8001)
    assert set(map(str, running_standalones())) == {str(first), str(second)}
    forget(first.data_dir)
    forget(first.data_dir)
    assert running_standalones() == [second]


def test_what_a_killed_one_left_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = standalone(tmp_path / "dead")
    [file] = (tmp_path / "state" / "sufficiency" / "standalones").iterdir()
    file.write_text(json.dumps({"pid": ended.pid, "data_dir": str(dead.data_dir), "url": dead.url}))
    standalone(tmp_path / "renamed", pid=1)  # the number is another process's by now
    assert running_standalones() == []
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pid": "x", "data_dir": 5, "url": 0}'])
def test_a_note_that_cannot_be_read_is_passed_over(tmp_path: Path, content: str) -> None:
    standalone(tmp_path / "a")
    [file] = (tmp_path / "state" / "sufficiency" / "standalones").iterdir()
    file.write_text(content)
    assert running_standalones() == []


@pytest.mark.parametrize("command", [["doctor"], ["prune", "--older-than", "1d"]], ids=lambda command: command[0])
def test_of_several_one_is_to_be_named(sufficiency: Run, tmp_path: Path, command: list[str]) -> None:
    for folder, port in (("a", 8000), ("b", 8001)):
        standalone(tmp_path / folder, port)
    outcome = sufficiency(*command)
    assert outcome.code == 2
    assert "2 standalones run on this machine" in outcome.err
    assert f"{tmp_path / 'b'} (http://127.0.0.1:8001)" in outcome.err
    assert "name one with --data-dir" in outcome.err


def test_settings_that_name_a_service_come_first(
    sufficiency: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standalone(tmp_path / "a")
    monkeypatch.setenv("SUFFICIENCY_DATABASE_URL", f"postgresql+psycopg://nobody@/nothing?host={tmp_path}")
    get_settings.cache_clear()
    outcome = sufficiency("prune", "--older-than", "1d")
    assert (outcome.code, "standalone" in outcome.err.splitlines()[0]) == (3, False)


def test_a_command_that_gets_no_answer_names_the_one_that_runs(
    sufficiency: Run, nobody: str, patience: list[float], tmp_path: Path
) -> None:
    one = standalone(tmp_path / "a", 8123)
    outcome = sufficiency("jobs", "--url", nobody)
    assert outcome.code == 3
    assert f"name another with --url or SUFFICIENCY_URL: {one.url} answers" in outcome.err
