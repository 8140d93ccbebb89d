"""Cells are known again by all that decides their values, and by nothing where that cannot be told."""

import itertools
import os
import py_compile
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sufficiency.schemas.spec import JobSpec
from sufficiency.training.identity import identity_of
from sufficiency.training.plugin import distributions
from sufficiency.training.registry import Registry
from sufficiency.training.state.reading import _noted

NET = """
from .layers import width

def lazily():
    from . import late
    return late

class Net:
    def __init__(self, weights: str = "", layers: int = 1):
        self.width = width
"""
NUMBERS = itertools.count()
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a package of a name that no test has had, and return its name."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def written(**files: str) -> str:
        name = f"package_of_test_{next(NUMBERS)}"
        made.append(name)
        (tmp_path / name).mkdir()
        whole = {"__init__": "", "net": NET, "layers": "width = 3\n", "late": "x = 1\n", "unused": "", **files}
        for file, text in whole.items():
            (tmp_path / name / f"{file}.py").write_text(text)
        return name

    yield written
    for name in [name for name in sys.modules if name.startswith(tuple(made))]:
        del sys.modules[name]


def spec(**changes: Any) -> JobSpec:
    whole = {
        "model": {"name": "mine"},
        "training": {"name": "sgd-classifier"},
        "evaluation": {"name": "classification"},
        "dataset": "d",
        "sampling": 2,
    }
    return JobSpec.model_validate(whole | changes)


def identity(package: str, *, attribute: str = "Net", fingerprint: str = "sha256:1", **changes: Any) -> str | None:
    registry = Registry.load([f"model:mine={package}.net:{attribute}"])
    assert not registry.errors, registry.errors
    return identity_of(registry, spec(**changes), "cpu", fingerprint)


def test_the_same_is_known_again_whatever_the_job_is_called_and_how_wide_it_is(write: Write) -> None:
    package = write()
    known = identity(package)
    assert known is not None
    assert known == identity(package, runs=9, substeps=3, labels={"a": "b"}, priority=3, dataset="of-another-name")


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"protocol": "dataeval"},
        {"sampling": 1},
        {"grown": [10]},
        {"measure_train": True},
        {"model": {"name": "mine", "params": {"layers": 2}}},
        {"training": {"name": "sgd-classifier", "params": {"lr": 0.5}}},
        {"evaluation": {"name": "classification", "params": {"metrics": ["f1"]}}},
        {"reset": {"name": "reset-parameters"}},
        {"fingerprint": "sha256:2"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_decides_a_value_is_in_it(write: Write, change: dict[str, Any]) -> None:
    package = write()
    assert identity(package, **change) not in (None, identity(package))


@pytest.mark.parametrize("file", ["net", "layers", "late", "__init__"])
def test_a_line_of_source_decides_wherever_it_is_imported_from(write: Write, tmp_path: Path, file: str) -> None:
    package = write()
    before = identity(package)
    path = tmp_path / package / f"{file}.py"
    path.write_text(f"{path.read_text()}\ny = 2\n")
    assert identity(package) not in (None, before)


def test_what_is_not_imported_does_not_decide(write: Write, tmp_path: Path) -> None:
    package = write()
    before = identity(package)
    (tmp_path / package / "unused.py").write_text("y = 2\n")
    assert identity(package) == before


def test_two_objects_of_one_module_are_two(write: Write) -> None:
    package = write(net=f"{NET}\nclass Other(Net):\n    pass\n")
    assert identity(package, attribute="Other") not in (None, identity(package))


@pytest.mark.parametrize(
    "line",
    [
        "from importlib import import_module\nlate = import_module('json')",
        "exec('x = 1')",
        "import runpy\ndef f():\n    return runpy.run_path('x.py')",
    ],
)
def test_what_loads_code_by_itself_is_nobody_else_s(write: Write, line: str) -> None:
    assert identity(write(layers=f"width = 3\n{line}\n")) is None


def test_what_has_no_source_is_nobody_else_s(write: Write, tmp_path: Path) -> None:
    package = write()
    source = tmp_path / package / "layers.py"
    py_compile.compile(str(source), str(source.with_suffix(".pyc")), doraise=True)
    source.unlink()
    assert identity(package) is None


def test_an_installed_package_is_known_by_what_its_installation_has_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its version stays; what has been installed since this process began is not what runs in it."""
    name = f"package_of_test_{next(NUMBERS)}"
    site = tmp_path / "site-packages"
    about = site / f"{name}-1.0.dist-info"
    for folder in (site / name, about):
        folder.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    source = site / name / "net.py"
    for file, text in ((source, "class Net:\n    pass\n"), (site / name / "__init__.py", "")):
        file.write_text(text)
        os.utime(file, (1e9, 1e9))
    monkeypatch.syspath_prepend(site)

    def installed(hashed: str) -> str | None:
        (about / "RECORD").write_text(f"{name}/__init__.py,sha256=a,0\n{name}/net.py,sha256={hashed},1\n")
        for kept in (distributions, _noted):
            kept.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "path", [str(site)])  # to read what else is installed takes most of a second
            return identity(name)

    first = installed("b")
    assert first is not None
    assert installed("c") not in (None, first)
    assert installed("b") == first
    os.utime(source)
    assert installed("b") is None


def test_an_object_at_hand_is_nobody_else_s(write: Write) -> None:
    registry = Registry.load()
    registry.hold("model", "mine", lambda: None)
    assert identity_of(registry, spec(), "cpu", "sha256:1") is None


def test_data_that_are_known_by_their_structure_are_not_known_again(write: Write) -> None:
    assert identity(write(), fingerprint="structure:1") is None


def test_a_file_that_a_parameter_names_decides_and_a_folder_cannot_be_told(write: Write, tmp_path: Path) -> None:
    package, weights = write(), tmp_path / "weights.bin"
    named: dict[str, Any] = {"model": {"name": "mine", "params": {"weights": str(weights)}}}
    absent = identity(package, **named)
    weights.write_bytes(b"1")
    first = identity(package, **named)
    weights.write_bytes(b"22")
    assert len({absent, first, identity(package, **named)}) == 3
    assert identity(package, model={"name": "mine", "params": {"weights": str(tmp_path)}}) is None


def test_built_in_plugins_are_known_again() -> None:
    registry = Registry.load()
    known = identity_of(registry, spec(model={"name": "mlp"}), "cpu", "sha256:1")
    assert known is not None
    assert known == identity_of(Registry.load(), spec(model={"name": "mlp"}), "cpu", "sha256:1")
