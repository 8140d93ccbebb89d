"""Items that are others' copies, number by number: in both splits, within the training split, under another label."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import StoredItems
from sufficiency.data.description import Remark
from sufficiency.data.foreign import materialise, reading_of

# A few copies are in most sets; of so many, the set is not what it seems.
_MANY, _SOME = 0.1, 0.01
_LEAST = 5


@dataclass(frozen=True)
class Copies:
    """How many items are copies.

    Attributes
    ----------
    shared : int
        Test items that are training items too.
    within : int
        Training items beyond the first of their kind.
    contradicting : int
        Items of which there is one more, in either split, of another class.
    train, test : int
        All items.
    unavoidable : int or None
        Test items that no model is right about: of those that are alike it can be right about one class alone. None
        where items have no class.
    """

    shared: int
    within: int
    contradicting: int
    train: int
    test: int
    unavoidable: int | None = None

    def doubts(self) -> list[Remark]:
        """Return what is to be said of them, beside those in both splits."""
        found = []
        if self.within >= max(_LEAST, _MANY * self.train):
            found.append(
                Remark(
                    "copies_in_training",
                    f"{self.within:,} of {self.train:,} training items are copies of others, number by number: there "
                    "are fewer data than it seems, and more of their kind would bring less; leave the copies out",
                )
            )
        if self.contradicting >= max(_LEAST, _SOME * (self.train + self.test)):
            found.append(
                Remark(
                    "labels_contradict",
                    f"{self.contradicting:,} items are, number by number, like another one of another class: no model "
                    "can be right about all of them, however many data there are; look at their labels, and whether "
                    "what tells them apart was left out",
                )
            )
        return found


def copies(train: Any, test: Any, labels: tuple[NDArray[Any] | None, NDArray[Any] | None]) -> Copies:
    """Count the copies among two splits' items.

    Parameters
    ----------
    labels : pair of ndarray or None
        The classes of both splits' items; None where they have none.
    """
    ours, theirs = digests(train, test)
    known = set(ours)
    shared = sum(digest in known for digest in theirs)
    if labels[0] is None or labels[1] is None:
        return Copies(shared, len(ours) - len(known), 0, len(ours), len(theirs))
    everything, classes = [*ours, *theirs], np.concatenate([labels[0], labels[1]]).tolist()
    first = dict(zip(reversed(everything), reversed(classes), strict=True))
    torn = {digest for digest, label in zip(everything, classes, strict=True) if first[digest] != label}
    contradicting = sum(digest in torn for digest in everything)
    unavoidable = _unavoidable(theirs, labels[1].tolist())
    return Copies(shared, len(ours) - len(known), contradicting, len(ours), len(theirs), unavoidable)


def _unavoidable(stamps: Sequence[bytes], classes: Sequence[int]) -> int:
    often = Counter(zip(stamps, classes, strict=True))
    most: dict[bytes, int] = {}
    for (digest, _), count in often.items():
        most[digest] = max(count, most.get(digest, 0))
    return len(stamps) - sum(most.values())


def digests(train: Any, test: Any) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Return by what the items of both splits are told apart: the same for those that are alike, number by number."""
    ours, theirs = reading_of(train), reading_of(test)
    if ours is not None and theirs is not None:
        return ours.stamps, theirs.stamps
    return _digests_of(materialise(train)), _digests_of(materialise(test))


def _digests_of(split: StoredItems) -> list[bytes]:
    return [
        hashlib.blake2b(np.ascontiguousarray(row).data, digest_size=16).digest()
        for _, part in split.rows_in_parts()
        for row in part
    ]
