"""What a user imports: the public names, loaded when they are used; and where an old import leads."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import sufficiency
from sufficiency.moved import MOVED, hint, moved
from sufficiency.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"httpx", "matplotlib", "numpy", "pandas", "polars", "pydantic", "pydantic_settings", "rich", "scipy", "torch"}


def test_every_public_name_is_there() -> None:
    assert set(sufficiency.__all__) == {*sufficiency._HOMES, "__version__"}
    for name in sufficiency.__all__:
        assert getattr(sufficiency, name) is not None
        assert name in dir(sufficiency)
    assert sufficiency.__version__ == version("sufficiency")
    with pytest.raises(AttributeError, match="no attribute 'Clint'"):
        _ = sufficiency.Clint


def test_a_client_is_made_without_what_only_requests_need() -> None:
    script = "import sys; from sufficiency import Client; Client('http://localhost:1').close(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300)
    loaded = done.stdout.split()
    assert "sufficiency.client.client" in loaded
    assert HEAVY & set(loaded) == set()


@pytest.mark.parametrize("url", [None, "https://study.example.org/sufficiency"])
def test_the_client_reads_the_setting_as_everything_else_does(monkeypatch: pytest.MonkeyPatch, url: str | None) -> None:
    monkeypatch.delenv("SUFFICIENCY_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("SUFFICIENCY_URL", url)
    with sufficiency.Client() as client:
        assert client.url == Settings().url


def test_everything_that_moved_is_where_the_table_says() -> None:
    for old, new in MOVED.items():
        found = pkgutil.resolve_name(new)
        assert inspect.ismodule(found) or f".{found.__name__}" == old[-len(found.__name__) - 1 :]
    guide = (ROOT / "docs" / "upgrading.md").read_text()
    assert dict(re.findall(r"^\| `([\w.]+)` \| `([\w.]+)` \|$", guide, re.MULTILINE)) == MOVED
    for line in re.findall(r"`(from [\w.]+ import [\w, ]+?)(?:, …)?`", guide):
        if line.startswith("from sufficiency"):
            exec(line, {})


@pytest.mark.parametrize(
    ("line", "new"),
    [
        ("from worker.plugins.estimators import EstimatorModel", "sufficiency.plugins.estimators"),
        ("from worker.plugins.paths import resolve_inside", "sufficiency.data.paths"),
        ("from worker.plugins.arrays import ArrayDataset", "sufficiency.data.arrays"),
        ("from worker.plugins.arrays import DatasetError", "sufficiency.data.errors.DatasetError"),
        ("import worker.check", "sufficiency.testing"),
        ("from app.client import Client", "sufficiency"),
        ("from app.sufficiency.spec import JobSpec", "sufficiency.schemas.spec"),
        ("from app.elsewhere import own", None),
        ("import nowhere_at_all", None),
    ],
)
def test_an_old_import_is_told_the_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, new: str | None
) -> None:
    (tmp_path / "old_style.py").write_text(line + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError) as failed:
        importlib.import_module("old_style")
    said = hint(failed.value)
    assert said is None if new is None else f"is `{new}` since version 0.2" in str(said)


def test_what_did_not_move_has_no_new_name() -> None:
    assert moved("app.main") is None
    assert moved("app") is None
    assert hint(ImportError("cannot import name")) is None
