"""Somebody else's packages with the names of the service's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sufficiency.cli.programs import plugin_environment, service_environment
from sufficiency.cli.strangers import Stranger, strangers

HOME = Path(__file__).resolve().parents[2]


def installed(place: Path, name: str, **files: str) -> Path:
    """Write what an installation of version 2.0 of a distribution leaves: its metadata, as files of that name."""
    metadata = place / f"{name}-2.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n")
    for file, text in files.items():
        (metadata / file.replace("_json", ".json").replace("_txt", ".txt")).write_text(text)
    return place


def test_one_that_is_installed_over_ours_is_named(tmp_path: Path) -> None:
    record = "app/__init__.py,,\napp/models.py,,\nusersapp-2.0.dist-info/RECORD,,\n"
    place = installed(tmp_path, "usersapp", RECORD=record)
    assert list(strangers([str(place)])) == [Stranger("app", "usersapp 2.0", place / "app")]


def test_one_that_is_installed_in_place_is_named_with_its_own_place(tmp_path: Path) -> None:
    url = f'{{"url": "{(tmp_path / "my project").as_uri()}", "dir_info": {{"editable": true}}}}'
    place = installed(tmp_path / "site", "usersapp", top_level_txt="app\nworker\nmine\n", direct_url_json=url)
    assert list(strangers([str(place)])) == [
        Stranger("app", "usersapp 2.0", tmp_path / "my project" / "app"),
        Stranger("worker", "usersapp 2.0", tmp_path / "my project" / "worker"),
    ]


def test_one_that_nobody_has_declared_is_found_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text("")
    (tmp_path / "app").mkdir()  # without a module in it, it hides nothing
    assert list(strangers([str(tmp_path)])) == [Stranger("worker", "", tmp_path / "worker")]


def test_ours_and_packages_with_other_names_are_no_strangers(tmp_path: Path) -> None:
    installed(tmp_path, "sufficiency", RECORD="app/__init__.py,,\n", top_level_txt="app\n")
    installed(tmp_path, "myapp", RECORD="myapp/__init__.py,,\nmyapp/app/__init__.py,,\n", top_level_txt="myapp\n")
    assert list(strangers([str(tmp_path), str(HOME)])) == []


@pytest.mark.parametrize(("before", "plugin_path"), [("{a}:{b}", "{a}:{b}"), ("{a}::{c}", "{a}:{cwd}:{c}")])
def test_pythonpath_is_the_plugins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, plugin_path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {name: str(tmp_path / name) for name in "abc"} | {"cwd": os.getcwd()}
    variables = {"PYTHONPATH": before.format(**names), "SUFFICIENCY_PLUGIN_PATH": names["c"], "HOME": "/"}
    service = service_environment(variables)
    expected = plugin_path.format(**names).split(":")
    assert service["SUFFICIENCY_PLUGIN_PATH"].split(":") == list(dict.fromkeys([*expected, names["c"]]))
    assert "PYTHONPATH" not in service
    assert service["HOME"] == "/"
    assert plugin_environment(variables)["PYTHONPATH"].split(":")[:2] == expected[:2]


def test_the_directory_that_the_library_itself_was_found_in_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    variables = {"PYTHONPATH": f"/users/project:{HOME}"}
    assert service_environment(variables) == {
        "PYTHONPATH": str(HOME),
        "SUFFICIENCY_PLUGIN_PATH": f"/users/project:{HOME}",
    }


def test_a_checkout_that_the_command_is_started_in_is_the_service_s_too(tmp_path: Path) -> None:
    say = "from sufficiency.cli.programs import service_environment as told; print(told({}).get('PYTHONPATH', 'none'))"
    for folder, said in ((HOME, str(HOME)), (tmp_path, "none")):
        done = subprocess.run([sys.executable, "-c", say], cwd=folder, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == said


def test_nothing_is_moved_where_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert service_environment({"HOME": "/"}) == {"HOME": "/"}
    assert plugin_environment({"HOME": "/"}) == {"HOME": "/"}


def test_every_command_of_the_service_refuses_to_run_beside_one(tmp_path: Path) -> None:
    place = installed(tmp_path / "site", "usersapp", RECORD="migrations/__init__.py,,\n")
    run = f"import sys; sys.path.append({str(place)!r}); sys.argv[0] = 'x'; from sufficiency.cli import main; main()"
    for command, code in (("migrate", 1), ("submit", 0)):
        done = subprocess.run(
            [sys.executable, "-P", "-c", run, command, "--help"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert ("usersapp 2.0" in done.stderr and "SUFFICIENCY_TRAINER_PYTHON" in done.stderr) == (code == 1)
