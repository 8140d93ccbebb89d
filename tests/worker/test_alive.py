"""A worker's sign of life tells of the worker alone, not of what it cannot reach."""

import os
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from app.db.engine import Database
from app.settings import Settings
from worker.alive import SILENT_SECONDS, main, sign_of_life
from worker.heartbeat import Heartbeat


@pytest.fixture
def sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process's sign of life, in a place of the test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return sign_of_life(os.getpid())


def test_a_heart_beats_without_a_database(sign: Path) -> None:
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    heartbeat = Heartbeat(Settings(heartbeat_seconds=0.01), nowhere, Mock(), {}, set(), Mock(lent=0))
    heartbeat.start()
    until = time.monotonic() + 60
    while not sign.exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    first = sign.stat().st_mtime_ns
    while sign.stat().st_mtime_ns == first:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert main(["alive", str(os.getpid())]) == 0
    heartbeat.stop()
    while sign.exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_silence_is_told(sign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alive", str(os.getpid())]) == 1
    sign.touch()
    long_ago = time.time() - SILENT_SECONDS - 5
    os.utime(sign, (long_ago, long_ago))
    assert main(["alive", str(os.getpid())]) == 1
    assert "no sign of life for 12" in capsys.readouterr().out


def test_the_check_is_cheap_and_imports_nothing_of_the_service() -> None:
    program = "import sys, worker.alive; print({'sqlalchemy', 'celery', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
