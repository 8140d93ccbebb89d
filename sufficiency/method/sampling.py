"""Which items a cell trains on, and the seed of everything random in it."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sufficiency.method.schedule import LEAST_PER_CLASS
from sufficiency.schemas.words import Sampling

# Streams of one job seed; cells take (run, step), so a run's own streams need keys that no cell has.
_ORDER_STREAM = 2**32 - 1
_STUDY_STREAM = 2**32 - 2


def cell_seed(seed: int, run: int, step: int) -> np.random.SeedSequence:
    """Return the seed of one cell: initial weights, batch order and whatever else a plugin draws."""
    return np.random.SeedSequence(entropy=seed, spawn_key=(run, step))


def study_seed(seed: int) -> np.random.SeedSequence:
    """Return the seed of what a job's cells have in common: the strategies, while they are built."""
    return np.random.SeedSequence(entropy=seed, spawn_key=(_STUDY_STREAM,))


def _run_generator(seed: int, run: int, *lot: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(run, _ORDER_STREAM, *lot)))


def nested_order(
    size: int,
    labels: NDArray[np.int64] | None,
    seed: int,
    run: int,
    rule: Sampling = 1,
    grown: Sequence[int] = (),
) -> NDArray[np.int64]:
    """Return a run's permutation of the training items; its subset of n items is the first n.

    Parameters
    ----------
    size : int
        Items in the training split.
    labels : ndarray, shape (size,), or None
        With labels every prefix holds the classes in about the proportions of the whole split.
    seed, run : int
        Of the job, and the run.
    rule : {1, 2}
        Under 2 a prefix holds two items of every class (or the one that there is) before a third of any. Rule 1 is kept
        for what was begun under it.
    grown : sequence of int
        Sizes that the split had before, ascending, where a job goes on with a dataset that has grown: the items of each
        come in the order that they had then, and what was added after them, in an order of its own.

    Returns
    -------
    ndarray of int64, shape (size,)

    Notes
    -----
    Item j of a shuffled class of c items gets the place (j + u) / c, u uniform and one a class; sorting by place
    spreads each class evenly (systematic sampling), so that a prefix has each class within one item of its share
    of places. Rule 2 draws the same places, and puts the first item of every class in front, then the second of every
    class: where rule 1 has two of each class in a prefix, rule 2 has the same items in it.
    """
    ends = [*grown, size]
    order = _one_order(ends[0], None if labels is None else labels[: ends[0]], _run_generator(seed, run), rule)
    for k, (begin, end) in enumerate(pairwise(ends), 1):
        of_lot = None if labels is None else labels[begin:end]
        added = _one_order(end - begin, of_lot, _run_generator(seed, run, k), rule)
        order = np.concatenate([order, begin + added])
    return order


def _one_order(
    size: int, labels: NDArray[np.int64] | None, generator: np.random.Generator, rule: Sampling
) -> NDArray[np.int64]:
    shuffled = generator.permutation(size)
    if labels is None:
        return shuffled.astype(np.int64)
    _, classes, counts = np.unique(np.asarray(labels)[shuffled], return_inverse=True, return_counts=True)
    by_class = np.argsort(classes, kind="stable")
    rank = np.empty(size)
    rank[by_class] = np.arange(size) - np.repeat(np.cumsum(counts) - counts, counts)
    place = (rank + generator.random(len(counts))[classes]) / counts[classes]
    if rule == 1:
        return shuffled[np.argsort(place, kind="stable")].astype(np.int64)
    return shuffled[np.lexsort((place, np.minimum(rank, LEAST_PER_CLASS)))].astype(np.int64)


def with_replacement_order(size: int, seed: int, run: int) -> NDArray[np.int64]:
    """Return `size` draws with replacement: what DataEval's protocol trains on, by prefixes."""
    return _run_generator(seed, run).integers(0, size, size, dtype=np.int64)
