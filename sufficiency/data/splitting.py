"""One source in two parts: by seed, by class, by group; and features on the scale of the training part."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import ArrayDataset, StoredItems
from sufficiency.data.errors import DatasetError
from sufficiency.data.foreign import labels_of, materialise, task_of
from sufficiency.data.parts import PartOf
from sufficiency.data.reading import ARRAY_TASKS
from sufficiency.method.sampling import nested_order

# A stream of its own: run 0 of a job with the same seed must not go through the items in this order.
_SPLIT_RUN = 2**31


def part_of(
    dataset: Any,
    name: Literal["train", "test"],
    *,
    test_fraction: float = 0.2,
    seed: int = 0,
    stratify: bool = True,
    group_by: str | None = None,
    rule: int = 1,
) -> Any:
    """Return the training or the test part of a dataset; the same arguments give two parts that fit together.

    Parameters
    ----------
    test_fraction : float
        Share of the items in the test part; about it, where groups are kept whole.
    stratify : bool
        Keep the proportions of the classes, where there are classes.
    group_by : str, optional
        Key of the items' metadata: items with the same value stay in one part.
    rule : {1, 2}
        By 2, where the proportions are kept, no class is in the test part alone, and one of two items or more is in
        both; by 1, as before 0.2, a rare class fell where it fell.

    Raises
    ------
    DatasetError
        When a part would be empty, or an item has no such metadata.
    """
    labels = labels_of(dataset) if stratify else None
    size = len(dataset)
    if group_by is None:
        order = nested_order(size, labels, seed, _SPLIT_RUN)
        cut = round(size * test_fraction)
        test, train = order[:cut], order[cut:]
        if rule > 1 and labels is not None:
            test, train = _with_every_class(test, train, labels)
    else:
        in_test = _whole_groups(_groups(dataset, group_by), labels, test_fraction, seed)
        test, train = np.flatnonzero(in_test), np.flatnonzero(~in_test)
    rows = np.sort(train if name == "train" else test)
    if not len(train) or not len(test):
        what = f"{size} items" if group_by is None else f"{size} items, grouped by {group_by!r},"
        raise DatasetError(f"{what} cannot be split with a test fraction of {test_fraction}: one part would be empty")
    return dataset.select(rows) if isinstance(dataset, StoredItems) else PartOf(dataset, rows)


def _with_every_class(
    test: NDArray[np.int64], train: NDArray[np.int64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return both parts with each class in the training part, and in the test part too where it has two items or more.

    An item that a class lacks is exchanged for one of the class that has the most there, so that the sizes stay.
    """
    parts = [train.copy(), test.copy()]
    counts = [np.bincount(labels[part], minlength=labels.max() + 1) for part in parts]
    for to in (0, 1):
        here, there = parts[to], parts[1 - to]
        # A single item stays where it is trained on.
        for k in np.flatnonzero((counts[to] == 0) & (counts[1 - to] > to)).tolist():
            richest = int(counts[to].argmax()) if len(here) else -1
            if richest < 0 or counts[to][richest] < 2:
                continue
            taken, given = (np.flatnonzero(labels[part] == c)[-1] for part, c in ((there, k), (here, richest)))
            there[taken], here[given] = here[given], there[taken]
            for place, c, change in ((to, k, 1), (1 - to, k, -1), (to, richest, -1), (1 - to, richest, 1)):
                counts[place][c] += change
    return parts[1], parts[0]


def _groups(dataset: Any, key: str) -> NDArray[np.int64]:
    """Return the number of each item's group."""
    if isinstance(dataset, StoredItems):
        if key not in dataset.item_metadata:
            known = ", ".join(dataset.item_metadata) or "none; see the loader's parameters"
            raise DatasetError(f"the items have no metadata {key!r} to be grouped by; they have {known}")
        values = dataset.item_metadata[key].tolist()
    else:
        values = []
        for index in range(len(dataset)):
            item = dataset[index]
            about = item[2] if len(item) > 2 and isinstance(item[2], dict) else {}
            if key not in about:
                raise DatasetError(f"item {index} has no metadata {key!r} to be grouped by; it has {list(about)[:10]}")
            values.append(about[key])
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.int64)


def _whole_groups(
    groups: NDArray[np.int64], labels: NDArray[np.int64] | None, fraction: float, seed: int
) -> NDArray[np.bool_]:
    """Choose the groups of the test part: the large ones first, each if the part then comes nearer to its share."""
    classes = np.zeros(len(groups), np.int64) if labels is None else labels
    table = np.zeros((groups.max() + 1, classes.max() + 1))
    np.add.at(table, (groups, classes), 1)
    wanted, taken = fraction * table.sum(axis=0), np.zeros(table.shape[1])
    chosen = np.zeros(len(table), bool)
    shuffled = np.random.default_rng(np.random.SeedSequence(seed)).permutation(len(table))
    for group in shuffled[np.argsort(-table[shuffled].sum(axis=1), kind="stable")]:
        nearer = np.square(taken + table[group] - wanted).sum() < np.square(taken - wanted).sum()
        if nearer and chosen.sum() < len(table) - 1:
            chosen[group] = True
            taken += table[group]
    if not chosen.any() and len(table) > 1:
        chosen[table.sum(axis=1).argmin()] = True
    return chosen[groups]


def standardised(train: Any, test: Any) -> tuple[ArrayDataset, ArrayDataset]:
    """Return both splits with every feature (a channel, in images) at mean 0 and SD 1 of the training split.

    Raises
    ------
    DatasetError
        For items that are no arrays, or that are memory-mapped.
    """
    for split in (train, test):
        if task_of(split) not in ARRAY_TASKS:
            raise DatasetError(f"items for {task_of(split)} cannot be standardised; leave it to the strategy")
    first, second = materialise(train), materialise(test)
    if not (isinstance(first, ArrayDataset) and isinstance(second, ArrayDataset)):
        raise DatasetError("a memory-mapped set cannot be standardised; write it to the file that way")
    if first.input_shape != second.input_shape:
        raise DatasetError(f"training items have shape {first.input_shape}, test items {second.input_shape}")
    axes = (0, 2, 3) if first.x.ndim == 4 else (0,)
    mean = first.x.mean(axis=axes, keepdims=True, dtype=np.float64)
    sd = first.x.std(axis=axes, keepdims=True, dtype=np.float64)

    def scale(split: ArrayDataset) -> ArrayDataset:
        names = None if split.task == "regression" else split.class_names
        x = (split.x - mean) / np.where(sd > 0, sd, 1.0)
        about = (split.feature_names, split.item_metadata, split.description)
        # Cast here, after it was scaled.
        return ArrayDataset(x.astype(np.float32), split.y, names, split.source, *about)

    return scale(first), scale(second)
