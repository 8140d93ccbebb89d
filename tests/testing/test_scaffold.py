"""A package of plugins to begin with: it keeps the contract, tests itself, and names what it has."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sufficiency.exits import CommandError
from sufficiency.testing.scaffold import write_package


def test_a_written_package_names_what_it_has(tmp_path: Path) -> None:
    folder = write_package("my.Own-study2", tmp_path)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    points = [point for group in project["entry-points"].values() for point in group.values()]
    assert [point.split(":")[0] for point in points] == ["my_Own_study2"] * 3
    assert {path.name for path in folder.iterdir()} == {
        *("my_Own_study2.py", "test_my_Own_study2.py", "pyproject.toml", "README.md")
    }


def test_each_rule_is_a_test_of_a_written_package_and_the_one_that_is_broken_fails(tmp_path: Path) -> None:
    """That the package is whole as it was written, its own tests say where the guide to plugins is followed."""
    folder = write_package("my-study", tmp_path)
    plugins = folder / "my_study.py"
    plugins.write_text(plugins.read_text().replace("Subset(dataset, indices)", "dataset"))
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    test = "test_my_study.py::test_the_plugins_keep_the_contract"
    for name in ("evaluation:Evaluate-declares-its-metrics", "model:Net-can-be-built"):
        assert f"{test}[{name}] PASSED" in done.stdout
    assert f"{test}[training:Train-respects-the-indices] FAILED" in done.stdout
    assert "Items that `indices` does not name change what is learnt" in done.stdout
    assert f"{test}[training:Train-takes-an-item-twice] PASSED" in done.stdout


@pytest.mark.parametrize("name", ["", "a b", "../x", "1st", "x/", "-x", "class"])
def test_a_name_that_is_no_package_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError):
        write_package(name, tmp_path)
    assert not list(tmp_path.iterdir())
    write_package("taken", tmp_path)
    with pytest.raises(CommandError, match="cannot be written"):
        write_package("taken", tmp_path)
