"""Anybody's dataset: read once as arrays, or described as it is where only its own strategies understand it."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import ArrayDataset, StoredItems
from sufficiency.data.description import Description, Remark
from sufficiency.data.errors import DatasetError
from sufficiency.data.parts import PartOf
from sufficiency.data.pixels import as_unit
from sufficiency.data.reading import ARRAY_TASKS, Reading, metadata_of, read
from sufficiency.data.streamed import StreamedDataset


@dataclass(frozen=True)
class Opaque:
    """A dataset that only its own strategies understand, and what can be said of it all the same.

    Attributes
    ----------
    input_shape : tuple of int
        Of an item; empty where the items of a classification or a regression are of different shapes.
    y : ndarray, shape (N,), or None
        Classes, or numbers to predict, where the targets are such.
    digest : str
        SHA-256 of the items.
    stamps, target_stamps : list of bytes
        A digest of each item and of each target.
    """

    dataset: Any
    task: str
    input_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    class_counts: list[int]
    digest: str
    y: NDArray[Any] | None
    stamps: list[bytes]
    target_stamps: list[bytes]
    description: Description

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def num_classes(self) -> int:
        """Number of classes that it names."""
        return len(self.class_names)

    def fingerprint(self) -> str:
        """Return the SHA-256 of its items."""
        return self.digest


@dataclass(frozen=True)
class _Kept:
    dataset: Any
    reading: Reading
    found: StoredItems | Opaque


# By identity, since somebody's dataset need be neither hashable nor weakly referable.
# The dataset is kept with it, so that its id stays its own.
_read: "OrderedDict[int, _Kept]" = OrderedDict()
_KEPT = 6
# What has been made of a dataset together with its training split: kept until whoever made it lets go.
_prepared: dict[int, tuple[Any, StoredItems]] = {}


def task_of(dataset: Any) -> str:
    """Return what a dataset is for: one of `ARRAY_TASKS`, or what only its own strategies understand.

    Its `metadata` may say so under "task"; items whose targets have boxes and labels are "object-detection".
    """
    declared = str(metadata_of(dataset).get("task") or "")
    plain = declared.lower().replace("-", "").replace("_", "").replace(" ", "")
    known = [task for task in ("multilabel", "classification", "regression") if task in plain]
    if known or declared:
        return known[0] if known else declared  # MAITE's users write image-classification too
    try:
        target = dataset[0][1]
    except Exception:  # what is wrong with it is said by whoever reads it
        return "classification"
    return "object-detection" if hasattr(target, "boxes") and hasattr(target, "labels") else "classification"


def contents(dataset: Any) -> StoredItems | Opaque:
    """Return a dataset as arrays, or as an opaque one, where its items or its targets are no numbers of one shape.

    Raises
    ------
    DatasetError
        As `sufficiency.data.reading.read` says.
    """
    if isinstance(dataset, StoredItems):
        return dataset
    if (prepared := _prepared.get(id(dataset))) is not None:
        return prepared[1]
    return _kept(dataset).found


def materialise(dataset: Any) -> StoredItems:
    """Return any dataset of ``(array, target, ...)`` items as arrays, read once; one that is stored already, as it is.

    A target is a label, a one-hot label, a row of 0 and 1 where items have several labels, or a number where the
    dataset's `metadata` has ``"task": "regression"``. Bytes are scaled to [0, 1]. The items of a large dataset
    stay in it.

    Raises
    ------
    DatasetError
        For a dataset without a length, or items of another or of unequal shape.
    """
    found = contents(dataset)
    if isinstance(found, StoredItems):
        return found
    if found.task not in ARRAY_TASKS:
        raise DatasetError(
            f"items for {found.task} are no arrays with a label each; leave them to strategies of your own"
        )
    raise DatasetError(
        f"its items are not of one shape ({_kept(dataset).reading.uneven}), as this strategy needs them; bring them to "
        "one shape in the dataset, or use a strategy of your own, which is given the items as they are"
    )


def labels_of(dataset: Any) -> NDArray[np.int64] | None:
    """Return the class of each item, shape (N,); None where an item is not of one class."""
    found = contents(dataset)
    return found.y if found.task == "classification" and found.y is not None else None


def reading_of(dataset: Any) -> Reading | None:
    """Return by what a dataset of somebody's own is known again; None of one that is stored."""
    return None if isinstance(dataset, StoredItems) else _kept(dataset).reading


def prepare(dataset: Any, arrays: StoredItems) -> None:
    """Have strategies of the house given `arrays` for a dataset of somebody's own, until it is let go of.

    Its owner's strategies are given the dataset itself.
    """
    _prepared[id(dataset)] = (dataset, arrays)


def let_go(*datasets: int) -> None:
    """Forget what was prepared for datasets, by their ids."""
    for dataset in datasets:
        _prepared.pop(dataset, None)


def forget_materialised() -> None:
    """Have every dataset of somebody's own read anew."""
    _read.clear()


def _kept(dataset: Any) -> _Kept:
    if (kept := _read.get(id(dataset))) is None:
        reading = _reading(dataset)
        kept = _read[id(dataset)] = _Kept(dataset, reading, _as_arrays(dataset, reading))
        while len(_read) > _KEPT:
            _read.popitem(last=False)
    _read.move_to_end(id(dataset))
    return kept


def _reading(dataset: Any) -> Reading:
    whole = _read.get(id(dataset.whole)) if isinstance(dataset, PartOf) else None
    if whole is not None and whole.reading.y is not None:
        return whole.reading.part(dataset.rows)
    return read(dataset, task_of(dataset))


def _as_arrays(dataset: Any, reading: Reading) -> StoredItems | Opaque:
    known = reading.task in ARRAY_TASKS
    if known and reading.uneven is None and reading.y is not None and reading.dtype is not None:
        if reading.x is not None:
            return ArrayDataset(as_unit(reading.x), reading.y, reading.names)
        rows = np.arange(len(reading))
        return StreamedDataset(dataset, rows, reading.shape, reading.dtype, reading.y, reading.names)
    y = reading.y
    if known and y is not None:
        # What is wrong with the targets is wrong however the items are.
        y = ArrayDataset(np.zeros((len(reading), 1), np.float32), y, reading.names).y
    return Opaque(
        dataset,
        reading.task,
        () if known else reading.shape,
        reading.names or (),
        reading.counts,
        reading.digest,
        y,
        reading.stamps,
        reading.target_stamps,
        _description(reading) if known else Description(),
    )


def _description(reading: Reading) -> Description:
    return Description(
        warnings=(
            Remark(
                "uneven_items",
                f"its items are not of one shape ({reading.uneven}): they are given to strategies of your own as they "
                "are, and none of the service's own can train or be tested on them",
            ),
        )
    )
