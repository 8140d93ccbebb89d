"""What a job leaves behind never reaches the next one: each clean job measures what it measures alone, bit for bit."""

import colorsys
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.seal import Seal
from sufficiency.data.stamps import note, stamps_of_what_is_read
from sufficiency.training.state import imprint
from sufficiency.training.state.imprint import difference, imprint_of
from sufficiency.training.state.patches import Namespaces
from sufficiency.training.state.settings import Setting, Snapshot
from sufficiency.training.state.sources import Sources
from tests.external.dirty_plugins import WAYS

# Of these only a new process is free: each is why the trainer says so.
WORN = {
    "autocast-entered": "KEPT",
    "inference-mode": "torch.inference_mode",
    "own-operator": "an operator of torch's own",
    "own-cache": "dirty_plugins.CACHE",
    "own-class": "dirty_plugins.Shared",
    "own-generator": "dirty_plugins.RNG",
    "patched-later-import": "multiclass_f1_score changed",
    "set-once": "dirty_plugins.KEPT",
    "thread-that-goes-on": "thread disturbs",
}


# A clean job after each way takes half a second: each time those that end a trainer, those that write to a dataset, and
# every sixth of the others.
EACH_TIME = [way for place, way in enumerate(WAYS) if way in WORN or way.startswith("dataset-") or place % 6 == 0]
OTHERS = [way for way in WAYS if way not in EACH_TIME]


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> dict[str | None, dict[str, Any]]:
    return cleaned_after(EACH_TIME, tmp_path_factory)


@pytest.fixture(scope="module")
def after_others(tmp_path_factory: pytest.TempPathFactory) -> dict[str | None, dict[str, Any]]:
    return cleaned_after(OTHERS, tmp_path_factory)


def cleaned_after(ways: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str | None, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    y = np.arange(200) % 3
    x = (generator.normal(size=(200, 6)) + y[:, None]).astype(np.float32)
    np.savez(folder / "set.npz", x=x, y=y)
    ours = {"SUFFICIENCY_DATA_ROOTS": str(folder), "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **ours, "PYTHONHASHSEED": "0", "CUDA_VISIBLE_DEVICES": ""}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.training.after_dirty", *ways],
        capture_output=True,
        text=True,
        env=environment,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return {(told := json.loads(line))["way"]: told for line in ran.stdout.splitlines()}


@pytest.mark.parametrize("way", EACH_TIME)
def test_a_clean_job_after_a_dirty_one_measures_what_it_measures_alone(way: str, after: dict[Any, Any]) -> None:
    hold_clean(way, after)


@pytest.mark.slow
@pytest.mark.parametrize("way", OTHERS)
def test_a_clean_job_after_a_dirty_one_in_other_ways(way: str, after_others: dict[Any, Any]) -> None:
    hold_clean(way, after_others)


def hold_clean(way: str, after: dict[Any, Any]) -> None:
    alone, told = after[None], after[way]
    assert "broke" not in told, told
    for name in ("shared", "drawn", "built-in"):
        if name in told and way in WORN:
            assert WORN[way] in told[name]["worn"]
        elif name in told:
            assert "values" in alone[name], alone
            assert told[name] == alone[name]


def test_a_dataset_that_a_strategy_writes_to_is_a_clear_fault(after: dict[Any, Any]) -> None:
    for way in ("dataset-tensors-in-place", "dataset-tensors-behind-torch", "dataset-made-writable"):
        assert after[way]["dirty"]["failed"] == "dataset_altered"
        assert "'set' in place" in after[way]["dirty"]["detail"]
        assert "x.clone()" in after[way]["dirty"]["detail"]


@pytest.fixture
def mystudy() -> Iterator[ModuleType]:
    module = ModuleType("mystudy")
    vars(module)["__file__"] = "/home/me/mystudy.py"
    sys.modules["mystudy"] = module
    yield module
    del sys.modules["mystudy"]


def changed_by(module: ModuleType, code: str) -> str | None:
    before = imprint_of({"mystudy": module})
    exec(code, vars(module))
    return difference(before, imprint_of({"mystudy": module}))


@pytest.mark.parametrize(
    ("at_first", "then", "name"),
    [
        ("seen = {}", "seen['a'] = 1", "seen"),
        ("from collections import OrderedDict; kept = OrderedDict(a=1, b=2)", "kept.move_to_end('a')", "kept"),
        ("import numpy as np; x = np.zeros((3, 4))", "x[1, 2] = 1", "x"),
        ("import numpy as np; x = np.array([{}, []], dtype=object)", "x[1].append(1)", "x"),
        ("import torch; x = torch.zeros(3)", "x += 1", "x"),
        ("import torch; model = torch.nn.Linear(2, 2)", "torch.nn.init.zeros_(model.weight)", "model"),
        ("import torch; model = torch.nn.Linear(2, 2)", "model.register_forward_hook(print)", "model"),
        ("import torch; model = torch.nn.Linear(2, 2)", "model.eval()", "model"),
        ("import torch; g = torch.Generator()", "torch.rand(1, generator=g)", "g"),
        ("import numpy as np; g = np.random.RandomState(1)", "g.rand()", "g"),
        ("import random; g = random.Random(1)", "g.random()", "g"),
        ("def f(x=[]): x.append(1)", "f()", "f"),
        ("def make():\n n = [0]\n def f(): n[0] += 1\n return f\nf = make()", "f()", "f"),
        ("def f(): pass", "f.calls = 1", "f"),
        ("from functools import lru_cache\n@lru_cache\ndef f(x): return x", "f(1)", "f"),
        ("class A:\n n = 0", "A.n += 1", "A"),
        ("class A:\n def f(self): return 1", "A.f = lambda self: 2", "A"),
        ("class A:\n __slots__ = ('n',)\na = A(); a.n = 1", "a.n = 2", "a"),
        ("class A:\n def __init__(self): self.kept = {'x': [1]}\na = A()", "a.kept['x'].append(2)", "a"),
        ("class A(dict): pass\na = A()", "a['x'] = 1", "a"),
        ("import itertools; ids = itertools.count()", "next(ids)", "ids"),
        ("words = {'a', 'b'}", "words.add('c')", "words"),
        ("", "later = 1", "later"),
        ("a = 1", "del a", "a"),
    ],
)
def test_what_a_plugins_module_keeps_is_noticed(mystudy: ModuleType, at_first: str, then: str, name: str) -> None:
    exec(at_first, vars(mystudy))
    assert imprint_of({"mystudy": mystudy}) == imprint_of({"mystudy": mystudy})
    assert changed_by(mystudy, then) == f"mystudy.{name}"


@pytest.mark.parametrize(
    ("at_first", "then"),
    [
        ("def f(x): return x + 1", "f(1)"),
        ("from functools import lru_cache\n@lru_cache\ndef f(x): return x\nf(1)", "f(1)"),
        ("import torch; model = torch.nn.Linear(2, 2)", "model(torch.ones(1, 2))"),
        ("import logging; log = logging.getLogger('mystudy')", "log.setLevel(10)"),
        ("a = []; a.append(a)", "a[0]"),
        ("import torch.distributed as dist", "pass"),
    ],
)
def test_what_leaves_nothing_behind_is_left_alone(mystudy: ModuleType, at_first: str, then: str) -> None:
    exec(at_first, vars(mystudy))
    assert changed_by(mystudy, then) is None


def test_more_than_can_be_compared_is_taken_for_changed(mystudy: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imprint, "MOST_OBJECTS", 100)
    exec("much = [[i] for i in range(200)]", vars(mystudy))
    assert difference(imprint_of({"mystudy": mystudy}), imprint_of({"mystudy": mystudy})) is not None


def test_a_librarys_mark_may_become_what_it_stands_for(mystudy: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """As dill's does at its first use: a trainer that took it for a patch was replaced after every Hugging Face set."""
    monkeypatch.setattr(colorsys, "ONE_THIRD", True)
    kept = Namespaces()
    monkeypatch.setattr(colorsys, "ONE_THIRD", np.ufunc)
    assert "colorsys.ONE_THIRD" not in kept.put_back()
    assert colorsys.ONE_THIRD is np.ufunc
    exec("def own():\n    return 1", vars(mystudy))
    monkeypatch.setattr(colorsys, "ONE_THIRD", mystudy.own)
    assert "colorsys.ONE_THIRD" in kept.put_back()
    assert colorsys.ONE_THIRD is np.ufunc


COMPILES = """
import threading
from uuid import uuid4
import torch
from tqdm import tqdm
from sufficiency.training.state.guard import Guard

guard, job = Guard(), uuid4()
for unit in range(2):
    assert guard.unfit_for(job) is None, guard.unfit_for(job)
    model = torch.compile(torch.nn.Linear(4, 2), backend="aot_eager")
    guard.watched(lambda: model(torch.ones(3 + unit, 4)).sum().backward())
assert guard.unfit_for(job) is None, guard.unfit_for(job)
bar = guard.watched(lambda: list(tqdm(range(2))))
assert any(one.name == "tqdm_monitor" for one in threading.enumerate())
assert guard.unfit_for(uuid4()) is None, guard.unfit_for(uuid4())
print(torch.nn.Module.__init__.__globals__["__name__"])
"""


def test_what_compilers_mark_and_count_makes_no_trainer_unfit() -> None:
    """Each unit of a job with a compiled model was given to a new trainer, and each job after a progress bar."""
    ran = subprocess.run([sys.executable, "-c", COMPILES], capture_output=True, text=True, timeout=240)
    assert (ran.returncode, ran.stdout) == (0, "torch._dynamo.mutation_guard\n"), ran.stderr[-2000:]


def test_a_source_is_changed_by_what_it_holds_and_not_by_its_date(tmp_path: Path) -> None:
    file = tmp_path / "mystudy.py"
    file.write_text("a = 1\n")
    sources = Sources()
    sources.note([str(file)])
    os.utime(file, ns=(1, 1))
    assert sources.changed() is None
    file.write_text("a = 2\n")
    assert sources.changed() == str(file)


def test_a_setting_that_cannot_be_put_back_is_said() -> None:
    held = {"free": 1, "stuck": 1}
    snapshot = Snapshot(
        [
            Setting("free", lambda: held["free"], lambda before: held.update(free=before)),
            Setting("stuck", lambda: held["stuck"]),
            Setting("unreadable", lambda: 1 / 0),
        ]
    )
    held.update(free=2, stuck=2)
    found = snapshot.put_back()
    assert (found.settings, found.stuck, held["free"]) == (["free"], ["stuck"], 1)


def test_a_sealed_dataset_has_its_attributes_back_and_its_writer_named() -> None:
    x = np.arange(12.0, dtype=np.float32).reshape(4, 3)
    dataset = ArrayDataset(x, np.array([0, 1, 0, 1]), ["a", "b"])
    seal = Seal(dataset)
    dataset.class_names = ("b", "a")
    vars(dataset)["mine"] = 1
    assert seal.mended() == []
    assert dataset.class_names == ("a", "b")
    assert not hasattr(dataset, "mine")
    with pytest.raises(ValueError, match="read-only"):
        dataset.x[0] = 1
    x[0] = 7
    assert "x" in seal.mended()


def test_files_are_looked_after_by_size_time_and_inode(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.npy").write_bytes(b"1234")
    with stamps_of_what_is_read() as stamps:
        note(folder)
    note(tmp_path)  # nobody listens
    assert stamps.changed() == []
    written = (folder / "a.npy").stat()
    (folder / "b.npy").write_bytes(b"4321")
    os.utime(folder / "b.npy", ns=(written.st_atime_ns, written.st_mtime_ns))
    (folder / "b.npy").rename(folder / "a.npy")  # the same size and date, another file
    assert folder / "a.npy" in stamps.changed()
    stamps.renew()
    assert stamps.changed() == []
