"""The interpreter of trainers, where it is another environment's."""

import sys
import venv
from importlib.metadata import version
from pathlib import Path

import pytest

from app.interpreter import NoTrainer, check_trainer_python, trainer_command, trainer_path
from app.settings import Settings


def environment(folder: Path, **distributions: str) -> Path:
    """Return the interpreter of an environment with modules that do nothing, in versions of the test's choice."""
    venv.create(folder, symlinks=True)
    [site] = (folder / "lib").glob("python*/site-packages")
    for name, its_version in distributions.items():
        (site / name).mkdir()
        (site / name / "__init__.py").write_text("")
        (site / name / "settings.py").write_text("")
        metadata = site / f"{name}-{its_version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {its_version}\n")
    return folder / "bin" / "python"


def refusal(python: Path) -> str:
    with pytest.raises(NoTrainer) as caught:
        check_trainer_python(Settings(trainer_python=python))
    return str(caught.value)


def test_what_another_environment_lacks_is_said_with_the_remedy(tmp_path: Path) -> None:
    ours = version("sufficiency")
    remedy = f"there, run pip install 'sufficiency[worker]=={ours}'"
    told = refusal(environment(tmp_path / "empty"))
    assert "sufficiency cannot be imported (ModuleNotFoundError" in told
    assert told.endswith(remedy)
    told = refusal(environment(tmp_path / "old", sufficiency="0.1.0"))
    assert f"has sufficiency 0.1.0, and this is {ours}" in told
    assert told.endswith(remedy)
    told = refusal(environment(tmp_path / "client", sufficiency=ours))
    assert "has no numpy and no torch" in told
    assert told.endswith(remedy)
    check_trainer_python(
        Settings(trainer_python=environment(tmp_path / "whole", sufficiency=ours, numpy="2", torch="2"))
    )


def test_what_is_no_interpreter(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert "cannot be run (Permission denied)" in refusal(file)
    assert "cannot be run (No such file or directory)" in refusal(tmp_path / "nothing")


def test_an_interpreter_is_known_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a link leads is another environment, or none."""
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    monkeypatch.setenv("SUFFICIENCY_TRAINER_PYTHON", str(link))
    settings = Settings()
    assert trainer_command(settings, "-V") == [str(link), "-P", "-V"]
    assert trainer_command(Settings(trainer_python=None), "-V") == [sys.executable, "-P", "-V"]


def test_only_this_environment_s_own_trainers_share_its_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", "/of/ours")
    assert trainer_path(Settings(plugin_path=(Path("/plugins"),))) == "/plugins:/of/ours"
    assert trainer_path(Settings(plugin_path=(Path("/plugins"),), trainer_python=tmp_path)) == "/plugins"
