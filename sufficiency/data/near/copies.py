"""Near copies in two splits: which there are, and how often the classes of two that are nearly alike differ."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import StoredItems
from sufficiency.data.copies import digests
from sufficiency.data.description import Remark
from sufficiency.data.foreign import contents, labels_of
from sufficiency.data.near.chance import chance_of
from sufficiency.data.near.pairing import Differing, differing_pairs
from sufficiency.data.near.pool import Pool, pool_of
from sufficiency.data.near.search import near_pairs
from sufficiency.data.near.units import Units, units_of

_SAMPLE, _NUMBERS = 2_000, 4_000_000
_FEWEST = 50
_MOST_NAMED = 5
# Of so many the set is not what it seems; a few are in most.
_MANY, _LEAST = 0.1, 5


@dataclass(frozen=True)
class NearCopies:
    """What was found of near copies; copies to the last number are not among them.

    Attributes
    ----------
    test, train : int
        Items that were looked at, each that is alike to the last number once.
    stands_for : int
        So many test items they stand for: all of them, where none was left out by chance.
    test_items : int
        Test items that are nearly alike to a training item.
    within_test, within_train : int
        Items that are nearly alike to another of their split.
    examples : list of (int, int)
        A few test items, each with its training item, by their places in their splits.
    differing : Differing or None
        How often their classes differ; None where there are none, or items have no class.
    partial : bool
        Whether there were too many to look at all of them.
    """

    test: int
    train: int
    stands_for: int
    test_items: int
    within_test: int
    within_train: int
    examples: list[tuple[int, int]]
    differing: Differing | None
    partial: bool

    def as_info(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        shown = {**vars(self), "differing": None if self.differing is None else self.differing.as_info()}
        shown["examples"] = [list(pair) for pair in self.examples]
        return {key: value for key, value in shown.items() if value is not None}

    def doubts(self) -> list[Remark]:
        """Return what is to be said of them."""
        found = []
        if self.test_items:
            one = self.test_items == 1
            of = f"{'at least ' if self.partial else ''}{self.test_items:,} of {self.stands_for:,} test items"
            count = f"{of} {'has' if one else 'have'} a near copy"
            which = ", ".join(f"test item {a} and training item {b}" for a, b in self.examples)
            found.append(
                Remark(
                    "near_copies",
                    f"{count} among the training items ({which}{'' if one else ', …'}): nearer than items come to each "
                    "other by chance, as a picture that was saved again; what was learnt by heart counts as right, and "
                    "the figures look too good; leave the copies out of one of the splits, or keep them together with "
                    "`group_by`",
                )
            )
        if self.differing is not None and (often := self.differing.groups_differing) >= _LEAST:
            found.append(
                Remark(
                    "near_copies_contradict",
                    f"of {self.differing.groups:,} pairs of nearly alike items, one of a group, {often:,} have two "
                    "classes: look at their labels, and whether what tells them apart was left out",
                )
            )
        if self.within_train >= max(_LEAST, _MANY * self.train):
            found.append(
                Remark(
                    "near_copies_in_training",
                    f"{self.within_train:,} of {self.train:,} training items are near copies of others: there are "
                    "fewer data than it seems, and more of their kind would bring less",
                )
            )
        return found


def near_copies(train: Any, test: Any) -> NearCopies | str:
    """Return the near copies in two splits that belong together, or why they are not looked for."""
    first, second = contents(train), contents(test)
    if not (isinstance(first, StoredItems) and isinstance(second, StoredItems)):
        return "the items are not of one shape"
    if not (first.is_at_hand and second.is_at_hand):
        return "the items are too many to be kept in memory"
    rng = np.random.default_rng(0)
    ours, theirs = digests(train, test)
    known = set(ours)
    of_test = _first(theirs)
    alone = np.array([row for row in of_test.tolist() if theirs[row] not in known], np.int64)
    pool = pool_of(first, second, (_first(ours), alone), rng)
    if len(pool) < _FEWEST:
        return "there are too few items"
    units = _units(pool, first.input_shape, rng)
    if not units.fine:
        return "no number of an item is written finely enough: what differs may be a category, a flag or a count"
    chance = chance_of(pool, units, rng)
    if chance is None:
        return "the items are too large"
    if chance.most <= units.resolution:
        return "the items' numbers are written too coarsely to tell a near copy from another item"
    found = near_pairs(pool, units, chance, rng)
    labels = labels_of(train), labels_of(test)
    differing = None
    if len(found.pairs) and labels[0] is not None and labels[1] is not None:
        torn = _torn(theirs, labels[1].tolist(), pool.rows[: pool.tested])
        differing = differing_pairs(pool, units, found.pairs, pool.labels(labels[0], labels[1]), torn)
    across = found.pairs[(found.pairs[:, 0] < pool.tested) & (found.pairs[:, 1] >= pool.tested)]
    _, firsts = np.unique(across[:, 0], return_index=True)
    stands_for = len(theirs) if pool.tested == len(alone) else round(pool.tested * len(theirs) / len(alone))
    return NearCopies(
        test=pool.tested,
        train=len(pool) - pool.tested,
        stands_for=stands_for,
        test_items=len(firsts),
        within_test=len(np.unique(found.pairs[found.pairs[:, 1] < pool.tested])),
        within_train=len(np.unique(found.pairs[found.pairs[:, 0] >= pool.tested])),
        examples=[tuple(pool.rows[across[k]].tolist()) for k in firsts[:_MOST_NAMED].tolist()],
        differing=differing,
        partial=found.partial,
    )


def _units(pool: Pool, shape: tuple[int, ...], rng: np.random.Generator) -> Units:
    many = min(_SAMPLE, len(pool), max(_NUMBERS // pool.width, 2))
    return units_of(pool.take(rng.choice(len(pool), many, replace=False)), shape)


def _first(stamps: Any) -> NDArray[np.int64]:
    """Return the row of each kind's first item."""
    places = {stamp: row for row, stamp in zip(range(len(stamps) - 1, -1, -1), reversed(stamps), strict=True)}
    return np.sort(np.fromiter(places.values(), np.int64, len(places)))


def _torn(stamps: Any, labels: list[int], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return of which items there is one more to the last number, of another class."""
    classes = Counter(stamp for stamp, _ in set(zip(stamps, labels, strict=True)))
    return np.array([classes[stamps[row]] > 1 for row in rows.tolist()], bool)
