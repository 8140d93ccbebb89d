"""What the labels of nearly alike items leave to be reached by a model that answers such items alike."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, gammaln

# What would come about by chance so seldom is taken for a sign that the bound does not hold.
_SUSPECT = 0.05
# So many pairs of training items, and a quarter of those across the splits, tell whether both are labelled alike.
_FEWEST = 20


@dataclass(frozen=True)
class AlikeBound:
    """What test items that are nearly alike to others, and the classes of these, leave of an accuracy.

    Attributes
    ----------
    items : int
        In the test split.
    looked_at : int
        Of them so many were looked at, drawn at random where that is not all.
    unavoidable : int
        Test items that no model is right about, as their like contradict them to the last number.
    near_unavoidable : int
        Pairs of nearly alike test items of two classes, no item twice, and none of those: of each a model that answers
        both alike is wrong about one.
    pairs : int
        Further test items with a nearly alike training item, no two pairs of one group.
    differing : int
        Of these pairs those of two classes.
    classes : int

    Notes
    -----
    Where two items have one distribution of classes, theirs differ with probability δ = 1 − Σ p², and the best answer
    is wrong with 1 − max p, of which Cover and Hart's inequality says that it is at least g(δ) = a·(1 − √(1 − δ/a)),
    a = (C − 1)/C. g is convex, so that it holds of means too. With u the share of items that differ in such a pair, and
    q of those that have one, the error is at least q·g(u/q), which falls with q and rises with u: the ends of their
    Clopper–Pearson intervals make a bound with a confidence. What a sample leaves out counts as no error.

    The training items' labels stand for the test items', so both must be labelled alike: see `labelled_alike`.
    """

    items: int
    looked_at: int
    unavoidable: int
    near_unavoidable: int
    pairs: int
    differing: int
    classes: int

    @property
    def best(self) -> float:
        """The accuracy that such a model has at best, as far as these items tell."""
        return 1.0 - self._error(self._sure / self.items, self.pairs / self.looked_at, self.differing / self.looked_at)

    def highest(self, confidence: float = 0.95) -> float:
        """Return the accuracy that no such model exceeds on data of the kind, with a confidence."""
        left = 1.0 - confidence
        if not self._sure and not self.differing:
            return 1.0
        if not self.differing:
            return 1.0 - _at_least(self._sure, self.items, left)
        sure = 0.0
        if self._sure:
            left /= 2
            sure = _at_least(self._sure, self.items, left)
        wide = 1.0 - _at_least(self.looked_at - self.pairs, self.looked_at, left / 2)
        return 1.0 - self._error(sure, wide, _at_least(self.differing, self.looked_at, left / 2))

    def confidence_beyond(self, target: float) -> float:
        """Return with what confidence no such model has this accuracy on the data that the split is drawn from."""
        low, high = 1e-9, 1.0 - 1e-9
        if self.highest(low) >= target:
            return 0.0
        if self.highest(high) < target:
            return high
        while high - low > 1e-7:
            middle = (low + high) / 2
            low, high = (middle, high) if self.highest(middle) < target else (low, middle)
        return low

    @property
    def why(self) -> str:
        """What speaks for it, for a sentence."""
        told = []
        if self.unavoidable:
            contradict = "test item contradicts" if self.unavoidable == 1 else "test items contradict"
            told.append(f"{self.unavoidable:,} {contradict} others that are alike, number by number")
        if self.near_unavoidable:
            pairs = (
                "pair of nearly alike test items is" if self.near_unavoidable == 1 else "pairs of such test items are"
            )
            told.append(f"{self.near_unavoidable:,} {pairs} of two classes")
        if self.differing:
            items = "test item that is" if self.pairs == 1 else "test items that are"
            have = "has" if self.differing == 1 else "have"
            told.append(
                f"of {self.pairs:,} {items} nearly alike to a training item {self.differing:,} {have} another class "
                "than that, and two such training items differ no oftener"
            )
        return "; ".join(told)

    @property
    def _sure(self) -> int:
        return self.unavoidable + self.near_unavoidable

    def _error(self, sure: float, paired: float, differing: float) -> float:
        if not differing:
            return sure
        return min(sure + paired * least_error(min(differing / paired, 1.0), self.classes), 1.0)


def least_error(differing: float, classes: int) -> float:
    """Return the least error of any answer, where two labels of the same item differ with a probability."""
    most = (classes - 1) / classes
    return most * (1.0 - sqrt(max(1.0 - differing / most, 0.0)))


def tells_apart(groups: int, differing: int, by_chance: float, directions: int, agreeing: int) -> bool:
    """Return whether the little by which nearly alike items differ tells their classes, so that nothing is bounded.

    It does where they differ in class oftener than items of which nothing is known, as of pairs taken before and after;
    and where the difference points from the one class to the other the same way in most pairs.
    """
    oftener = _reached(differing, groups, by_chance) < _SUSPECT and differing > by_chance * groups
    return oftener or (agreeing > 0 and _reached(agreeing, directions, 0.5) < _SUSPECT)


def labelled_alike(across: tuple[int, int], train: tuple[int, int]) -> bool:
    """Return whether both splits' labels are as good, by (pairs, of two classes) across them and in training.

    Where noise is the training split's alone, its own pairs differ about twice as often as those with a test item, and
    no test item need be wrong. Without enough pairs of its own, that cannot be told: a split at random would have some.
    """
    if train[0] < max(_FEWEST, across[0] / 4):
        return False
    pairs, differing = across[0] + train[0], across[1] + train[1]
    # Fisher's exact test: of all pairs that differ, so many or more among the training split's.
    counts = np.arange(train[1], min(train[0], differing) + 1)
    ways = _log_ways(train[0], counts) + _log_ways(across[0], differing - counts)
    return float(np.exp(ways - _log_ways(pairs, np.array(differing))).sum()) >= _SUSPECT


def _log_ways(of: int, taken: NDArray[np.int64]) -> NDArray[np.float64]:
    left: NDArray[np.float64] = gammaln(of + 1.0) - gammaln(taken + 1.0) - gammaln(of - taken + 1.0)
    return left


def _reached(count: int, of: int, share: float) -> float:
    """Return how likely a count, or more, is."""
    if not count:
        return 1.0
    return float(betainc(count, of - count + 1, min(max(share, 0.0), 1.0)))


def _at_least(count: int, of: int, chance: float) -> float:
    """Return the lower end of a share, below which it is with at most this chance."""
    return float(betaincinv(count, of - count + 1, chance)) if count else 0.0
