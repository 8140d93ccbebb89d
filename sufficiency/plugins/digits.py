"""Scikit-learn's digits and its stratified split of them, read without importing it, which takes seconds."""

import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.errors import DatasetError

_FILE = "datasets/data/digits.csv.gz"


def read_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the 1,797 images of 64 pixels each, 0 to 16, and their classes.

    Raises
    ------
    DatasetError
        Where scikit-learn, which they come with, is not installed.
    """
    spec = find_spec("sklearn")
    places: Sequence[str] = (spec.submodule_search_locations if spec is not None else None) or ()
    file = next((path for place in places if (path := Path(place) / _FILE).is_file()), None)
    if file is None:
        raise DatasetError("scikit-learn, which the digits come with, is not installed here")
    table = np.loadtxt(file, delimiter=",")
    return table[:, :-1], table[:, -1].astype(np.int64)


def stratified(y: NDArray[np.int64], test: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of both parts as `train_test_split(test_size=test, stratify=y, random_state=0)` draws them.

    Parameters
    ----------
    y : ndarray of int64
        Class of each item.
    test : int or float
        Items in the test part; a float is their share.
    """
    items_test = math.ceil(test * len(y)) if isinstance(test, float) else test
    _, classes, counts = np.unique(y, return_inverse=True, return_counts=True)
    of_class = np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])
    rng = np.random.RandomState(0)  # which the split has been drawn with ever since
    train_counts = _shares(counts, len(y) - items_test, rng)
    test_counts = _shares(counts - train_counts, items_test, rng)
    parts: tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]] = ([], [])
    for indices, count, of_train, of_test in zip(of_class, counts, train_counts, test_counts, strict=True):
        drawn = indices[rng.permutation(count)]
        parts[0].append(drawn[:of_train])
        parts[1].append(drawn[of_train : of_train + of_test])
    first, second = (rng.permutation(np.concatenate(part)) for part in parts)
    return first, second


def _shares(counts: NDArray[np.int64], items: int, rng: "np.random.RandomState") -> NDArray[np.int64]:
    """Return how many items of each class there are among so many; what is left over is drawn among the nearest."""
    exact = counts / counts.sum() * items
    whole = np.floor(exact)
    left = int(items - whole.sum())
    rest = exact - whole
    for value in np.sort(np.unique(rest))[::-1]:
        if left <= 0:
            break
        (nearest,) = np.where(rest == value)
        drawn = rng.choice(nearest, size=min(len(nearest), left), replace=False)
        whole[drawn] += 1
        left -= len(drawn)
    shares: NDArray[np.int64] = whole.astype(np.int64)
    return shares
