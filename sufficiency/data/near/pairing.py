"""How often the classes of nearly alike items differ, one pair of each group, so that the pairs are independent."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.near.pool import Pool
from sufficiency.data.near.units import Units

_MOST_COMPARED, _NUMBERS = 2_000, 8_000_000
_FEWEST = 4


@dataclass(frozen=True)
class Differing:
    """Pairs of nearly alike items, and how many of them are of two classes; of each group one pair, whatever it is.

    Attributes
    ----------
    unavoidable : int
        Pairs of test items of two classes, no item twice: who answers both alike is wrong about one of them.
    across, across_differing : int
        Pairs of a test and a training item, of groups without such a pair.
    within_train, within_train_differing : int
        Pairs of training items.
    groups, groups_differing : int
        Pairs of any kind.
    by_chance : float
        The share of pairs that would differ if what items are said nothing of their class.
    directions, directions_agreeing : int
        Pairs of two classes whose difference was compared with that of others, and those where it points the way from
        the one class to the other that it does in these.
    """

    unavoidable: int
    across: int
    across_differing: int
    within_train: int
    within_train_differing: int
    groups: int
    groups_differing: int
    by_chance: float
    directions: int
    directions_agreeing: int

    def as_info(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return asdict(self)


def differing_pairs(
    pool: Pool, units: Units, pairs: NDArray[np.int64], labels: NDArray[np.int64], torn: NDArray[np.bool_]
) -> Differing:
    """Count how often classes differ.

    Parameters
    ----------
    pairs : ndarray of int64, shape (P, 2)
        Nearly alike items, the smaller number first.
    labels : ndarray of int64, shape (len(pool),)
    torn : ndarray of bool, shape (pool.tested,)
        Test items whose like contradict them to the last number, which is counted elsewhere.
    """
    apart = labels[pairs[:, 0]] != labels[pairs[:, 1]]
    groups = _groups(len(pool), pairs)
    tested = pairs < pool.tested
    clear = ~_any(torn, pairs, pool.tested)
    sure = _matched(pairs, apart & tested.all(axis=1) & clear)
    settled = np.unique(groups[pairs[sure, 0]])
    of = groups[pairs[:, 0]]
    across = _one_each(of, tested[:, 0] & ~tested[:, 1] & ~np.isin(of, settled) & clear)
    train = _one_each(of, np.logical_not(tested[:, 0]))  # the smaller number first
    every = _one_each(of, np.ones(len(pairs), bool))
    shares = np.bincount(labels[pairs[every]].ravel(), minlength=1) / max(2 * len(every), 1)
    compared, agreeing = _directions(pool, units, pairs[_one_each(of, apart)], labels)
    return Differing(
        unavoidable=len(sure),
        across=len(across),
        across_differing=int(apart[across].sum()),
        within_train=len(train),
        within_train_differing=int(apart[train].sum()),
        groups=len(every),
        groups_differing=int(apart[every].sum()),
        by_chance=float(1 - np.sum(shares**2)),
        directions=compared,
        directions_agreeing=agreeing,
    )


def _any(torn: NDArray[np.bool_], pairs: NDArray[np.int64], tested: int) -> NDArray[np.bool_]:
    """Return which pairs have such a test item."""
    every = np.zeros(int(pairs.max(initial=tested)) + 1, bool)
    every[:tested] = torn
    return every[pairs[:, 0]] | every[pairs[:, 1]]


def _groups(size: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the smallest item that each is joined to by pairs."""
    root = np.arange(size)
    while len(pairs):
        least = np.minimum(root[pairs[:, 0]], root[pairs[:, 1]])
        before = root.copy()
        np.minimum.at(root, root[pairs].ravel(), np.repeat(least, 2))
        np.minimum.at(root, pairs.ravel(), np.repeat(least, 2))
        root = root[root]
        if np.array_equal(root, before):
            break
    return root


def _matched(pairs: NDArray[np.int64], among: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return pairs, of those that are `among`, that no item is in twice."""
    used: set[int] = set()
    taken = []
    for k in np.flatnonzero(among).tolist():
        one, other = pairs[k].tolist()
        if one not in used and other not in used:
            used |= {one, other}
            taken.append(k)
    return np.array(taken, np.int64)


def _one_each(groups: NDArray[np.int64], among: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the first pair of each group, of those that are `among`."""
    rows = np.flatnonzero(among)
    firsts: NDArray[np.int64] = rows[np.unique(groups[rows], return_index=True)[1]]
    return firsts


def _directions(pool: Pool, units: Units, pairs: NDArray[np.int64], labels: NDArray[np.int64]) -> tuple[int, int]:
    """Return how many differences were compared with those of other pairs, and how many point their way.

    Where little tells two items apart, that little may be just what makes their classes differ. Then it points the same
    way in most pairs; by chance in half of them.
    """
    pairs = pairs[: min(_MOST_COMPARED, max(_NUMBERS // pool.width, 2))]
    swapped = labels[pairs[:, 0]] > labels[pairs[:, 1]]
    pairs = np.where(swapped[:, None], pairs[:, ::-1], pairs)
    differences = (pool.take(pairs[:, 1]) - pool.take(pairs[:, 0])) * units.weight
    differences /= np.maximum(np.linalg.norm(differences, axis=1, keepdims=True), 1e-30)
    kinds, kind, often = np.unique(labels[pairs], axis=0, return_inverse=True, return_counts=True)
    kind = kind.reshape(-1)  # of shape (N, 1) in NumPy 2.0
    kind[often[kind] < _FEWEST] = len(kinds)  # rare ones together, from the lower class to the higher
    compared = agreeing = 0
    for one in np.unique(kind).tolist():
        of_it = differences[kind == one]
        half = len(of_it) // 2
        if half:
            along = of_it[half:] @ of_it[:half].mean(axis=0)
            compared += int(np.count_nonzero(along))
            agreeing += int(np.count_nonzero(along > 0))
    return compared, agreeing
