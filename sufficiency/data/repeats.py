"""Whether a dataset is the same when it is read again, and when it is built again."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sufficiency.data.arrays import StoredItems
from sufficiency.data.foreign import reading_of
from sufficiency.data.plain import stamp
from sufficiency.data.reading import item_of, target_stamp
from sufficiency.schemas.words import FingerprintOf

# Items that are read a second time: all of a small set, so many of a large one, from all over it.
MOST_READ_AGAIN = 2000


@dataclass(frozen=True)
class Marks:
    """By what a split's items are known again: a digest each of what a model gets, and of what it is to answer.

    Attributes
    ----------
    whole : str
        Of a split that is stored, in place of its items'.
    """

    inputs: list[bytes]
    targets: list[bytes]
    whole: str = ""


def marks_of(split: Any) -> Marks:
    """Return by what the items of a split are known again, as they were read."""
    if isinstance(split, StoredItems):
        return Marks([], [], split.fingerprint())
    reading = reading_of(split)
    assert reading is not None, "what is not stored has been read"
    return Marks(reading.stamps, reading.target_stamps)


def changed_when_read_again(
    split: Any, marks: Marks, fingerprint: FingerprintOf, most: int = MOST_READ_AGAIN
) -> str | None:
    """Return what differs when items are read a second time, or None.

    Parameters
    ----------
    fingerprint : {"content", "structure"}
        By what the dataset is to be known again: its items may differ where only their number and labels count.
    most : int
        At most so many items are read, from all over a larger set.
    """
    if isinstance(split, StoredItems):
        return None
    for row in np.unique(np.linspace(0, len(split) - 1, min(len(split), most)).astype(np.int64)).tolist():
        value, target = item_of(split, row)
        if target_stamp(target) != marks.targets[row]:
            return f"the label of item {row}"
        if fingerprint == "content" and stamp(value) != marks.inputs[row]:
            return f"item {row}"
    return None


def changed_when_built_again(before: Marks, after: Marks, fingerprint: FingerprintOf) -> str | None:
    """Return what differs between two buildings of a split, or None."""
    if before.whole != after.whole:
        return None if fingerprint == "structure" else "what it holds"
    if len(before.targets) != len(after.targets):
        return f"the number of items ({len(before.targets)}, then {len(after.targets)})"
    pairs = [("the label of item", before.targets, after.targets)]
    if fingerprint == "content":
        pairs.insert(0, ("item", before.inputs, after.inputs))
    for what, first, second in pairs:
        for row, (ours, theirs) in enumerate(zip(first, second, strict=True)):
            if ours != theirs:
                return f"{what} {row}"
    return None
