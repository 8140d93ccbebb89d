"""In what units each number of an item is compared, and by how much it may differ in two that are nearly alike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.layout import looks_channels_last, looks_like_an_image

# Where two items have the same number so often or oftener, that they have tells little, and that they have not may
# tell all: a category, a flag, a count, the words of a text. Such numbers must be the same.
_TIES = 0.01
_SHIFTS = 8
# The most that one number may differ: of a picture's range, of a column's spread.
_OF_RANGE, _OF_SPREAD = 0.1, 0.05
# Lest squares of what lies far out are all that float32 has digits for.
_OUT = 1e4
# Numbers on a grid coincide in so many pairs of items for each step of a normal's SD.
_TIES_A_STEP = 0.2821
_QUARTILES = 1.349
_LEVELS = 4096
# Spreads that numbers can be divided by.
_LEAST, _LARGEST = 1e-30, 1e30


@dataclass(frozen=True)
class Units:
    """How items are compared.

    Attributes
    ----------
    centre, weight : ndarray of float32, shape (width,)
        An item's numbers less `centre`, times `weight`, are what distances are of; a weight of 0 leaves one out.
    most : ndarray of float32, shape (width,)
        The most that each may differ; 0 for one that must be the same.
    resolution : float
        The distance by which two items may lie apart unseen, as their numbers are written no finer.
    fine : int
        How many numbers distances are of.
    """

    centre: NDArray[np.float32]
    weight: NDArray[np.float32]
    most: NDArray[np.float32]
    resolution: float
    fine: int

    def scaled(self, items: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return items as distances are of them, with what lies far out brought nearer: no pair gets farther apart."""
        made = items - self.centre
        made *= self.weight
        return np.clip(made, -_OUT, _OUT, out=made)


def units_of(sample: NDArray[np.float32], shape: tuple[int, ...]) -> Units:
    """Return how items are compared, by a sample of them.

    The pixels of a picture have one unit, and all of them count. Whatever else an item is, each number has its own.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # of what float32 hardly holds nothing is compared
        if looks_like_an_image(shape) or looks_channels_last(shape):
            return _of_pictures(sample)
        return _of_columns(sample)


def _of_pictures(sample: NDArray[np.float32]) -> Units:
    width = sample.shape[1]
    spread, span = float(sample.std(dtype=np.float64)), float(sample.max() - sample.min())
    varying = int(np.count_nonzero(np.ptp(sample, axis=0)))
    if not _LEAST < spread < _LARGEST or not np.isfinite(span):
        nothing = np.zeros(width, np.float32)
        return Units(nothing, nothing, nothing, 0.0, 0)
    levels = np.unique(sample.ravel()[: 50 * _LEVELS])
    step = float(np.median(np.diff(levels))) if 1 < len(levels) <= _LEVELS else 0.0
    one = np.ones(width, np.float32)
    centre = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    return Units(centre, one / spread, one * _OF_RANGE * span, step / 2 / spread * varying**0.5, varying)


def _of_columns(sample: NDArray[np.float32]) -> Units:
    shifts = range(1, min(_SHIFTS, len(sample) - 1) + 1)
    ties = np.mean([(sample == np.roll(sample, k, axis=0)).mean(axis=0) for k in shifts], axis=0)
    low, middle, high = np.quantile(sample, [0.25, 0.5, 0.75], axis=0)
    spread = (high - low) / _QUARTILES
    fine = (ties <= _TIES) & (spread > _LEAST) & (spread < _LARGEST)
    weight = np.divide(1.0, spread, out=np.zeros_like(spread), where=fine)
    unseen = float(np.sqrt(np.sum((ties[fine] / _TIES_A_STEP / 2) ** 2)))
    most = np.where(fine, _OF_SPREAD * spread, 0.0)
    kept = np.float32
    middle = np.where(fine, middle, 0.0)
    return Units(middle.astype(kept), weight.astype(kept), most.astype(kept), unseen, int(fine.sum()))
