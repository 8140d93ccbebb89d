"""A setting that is misspelt, or cannot be, ends a command in words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings, UnknownSetting, refuse_unknown


def test_variables_that_are_no_settings_are_refused_with_the_nearest() -> None:
    refuse_unknown(["PATH", "SUFFICIENCY_SLOTS", "SUFFICIENCY_API_KEY", "XSUFFICIENCY_A"])
    with pytest.raises(UnknownSetting) as refused:
        refuse_unknown(["SUFFICIENCY_SLOT", "SUFFICIENCY_DATABASE_URI"])
    assert refused.value.wrong[0].startswith(
        "SUFFICIENCY_DATABASE_URI is no setting; nearest: SUFFICIENCY_DATABASE_URL"
    )
    assert "nearest: SUFFICIENCY_SLOTS" in refused.value.wrong[1]


@pytest.mark.parametrize(
    ("module", "name", "value", "words"),
    [
        ("app", "SUFFICIENCY_MAX_CELL", "5", "nearest: SUFFICIENCY_MAX_CELLS"),
        ("app", "SUFFICIENCY_DATABASE_URL", "localhost/sufficiency", "postgresql+psycopg://user:password@host"),
        ("app", "SUFFICIENCY_DATABASE_URL", "mysql://a/b", "needs PostgreSQL"),
        ("app", "SUFFICIENCY_REDIS_URL", "http://queue", "redis://host:6379/0"),
        ("worker", "SUFFICIENCY_SLOT", "5", "nearest: SUFFICIENCY_SLOTS"),
    ],
)
def test_a_command_ends_in_words(tmp_path: Path, module: str, name: str, value: str, words: str) -> None:
    command = ["migrate"] if module == "app" else []
    ended = subprocess.run(
        [sys.executable, "-P", "-m", module, *command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, name: value},
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert words in ended.stderr
    assert name in ended.stderr
    assert "bug" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_password_comes_from_a_file_and_memory_is_shared(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("p@ss/word\n")
    url = "postgresql+psycopg://me@db/s"
    assert Settings(database_url=url, database_password_file=secret).database_url == (
        "postgresql+psycopg://me:p%40ss%2Fword@db/s"
    )
    with pytest.raises(ValueError, match="cannot be read"):
        Settings(database_url=url, database_password_file=tmp_path / "none")
    shared = Settings(worker_memory=4 * 2**30, slots=2).trainer_memory
    assert shared == (4 * 2**30 - 512 * 2**20) // 2
    assert Settings(worker_memory=4 * 2**30, slots=2, trainer_memory=2**30).trainer_memory == 2**30
    with pytest.raises(ValueError, match="SUFFICIENCY_SLOTS"):
        Settings(worker_memory=4 * 2**30)
    with pytest.raises(ValueError, match="must be at least"):
        Settings(worker_memory=2**30, slots=4)
