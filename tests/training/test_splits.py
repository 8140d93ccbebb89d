"""What is kept of a dataset from unit to unit, and what is read anew."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sufficiency.data import paths
from sufficiency.schemas.work import SplitPart, SplitSource
from sufficiency.settings import Settings
from sufficiency.training.faults import Fault
from sufficiency.training.registry import Registry
from sufficiency.training.splits import SplitReader

LOADERS = ("npy=sufficiency.plugins.datasets:load_npy", "blobs=tests.training.plugins:Blobs")


@pytest.fixture
def reader() -> SplitReader:
    registry = Registry()
    for loader in LOADERS:
        registry.add(f"dataset:{loader}")
    return SplitReader(registry)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "get_settings", lambda: Settings(data_roots=(tmp_path,)))
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32))
    np.save(tmp_path / "y.npy", np.arange(40) % 2)
    return tmp_path


SPLITS: tuple[Any, Any] = (
    SplitSource("npy", {"path": "."}, SplitPart("train")),
    SplitSource("npy", {"path": "."}, SplitPart("test")),
)


def written_over(file: Path) -> None:
    """Change one number where it stands, and nothing that a directory listing shows but the time."""
    store = np.load(file, mmap_mode="r+")
    store[7] += 1
    store.flush()
    os.utime(file)


def test_a_file_that_is_written_over_in_mid_job_is_a_clear_fault_at_the_next_unit(
    reader: SplitReader, folder: Path
) -> None:
    found = reader.read_anew(*SPLITS)
    assert reader.verified(*SPLITS, found.fingerprint, "set") is found
    written_over(folder / "x.npy")
    with pytest.raises(Fault) as caught:
        reader.verified(*SPLITS, found.fingerprint, "set")
    assert caught.value.error["code"] == "dataset_changed"
    assert "'set' are not those that were verified" in caught.value.error["detail"]


def test_a_cell_that_was_measured_while_the_file_was_written_over_is_not_recorded(
    reader: SplitReader, folder: Path
) -> None:
    found = reader.read_anew(*SPLITS)
    reader.check_unwritten(found, *SPLITS, "set")
    written_over(folder / "x.npy")
    with pytest.raises(Fault) as caught:
        reader.check_unwritten(found, *SPLITS, "set")
    assert caught.value.error["code"] == "dataset_changed"


def test_a_file_that_was_only_touched_is_what_it_was(reader: SplitReader, folder: Path) -> None:
    found = reader.read_anew(*SPLITS)
    os.utime(folder / "x.npy", ns=(1, 1))
    reader.check_unwritten(found, *SPLITS, "set")
    assert reader.verified(*SPLITS, found.fingerprint, "set").fingerprint == found.fingerprint


def test_a_file_that_is_gone_is_said(reader: SplitReader, folder: Path) -> None:
    found = reader.read_anew(*SPLITS)
    (folder / "y.npy").unlink()
    with pytest.raises(Fault) as caught:
        reader.verified(*SPLITS, found.fingerprint, "set")
    assert "y.npy" in caught.value.error["detail"]


def test_somebodys_own_dataset_is_built_anew_for_another_job(reader: SplitReader) -> None:
    sources = SplitSource("blobs", {"size": 20}), SplitSource("blobs", {"size": 10, "seed": 1})
    found = reader.read_anew(*sources)
    assert reader.verified(*sources, found.fingerprint, "set") is found
    found.train.x[:] = 0
    reader.forget_strangers()
    again = reader.verified(*sources, found.fingerprint, "set")
    assert again is not found
    assert again.train.x.any()
