"""What contradicting labels leave: exact on the test split, with its confidence beyond it."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.copies import copies
from sufficiency.method.label_bound import LabelBound


def split(x: list[int], y: list[int]) -> ArrayDataset:
    return ArrayDataset(np.array(x, np.float32)[:, None], np.array(y), class_names=["a", "b", "c"])


def test_no_rule_is_right_about_more_test_items_than_the_count_says() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        x, y = rng.integers(0, 3, 9).tolist(), rng.integers(0, 3, 9).tolist()
        test = split(x, y)
        found = copies(split([9], [0]), test, (np.array([0]), np.array(y)))
        # Every rule there is: a class for each of the three items that can be told apart.
        rules = product(range(3), repeat=3)
        best = max(sum(rule[item] == label for item, label in zip(x, y, strict=True)) for rule in rules)
        assert found.unavoidable == 9 - best


def test_items_without_classes_have_no_such_count() -> None:
    assert copies(split([1], [0]), split([1], [0]), (None, None)).unavoidable is None


@pytest.mark.parametrize(("items", "unavoidable"), [(100, 1), (100, 7), (500, 20), (40, 40)])
def test_the_confidence_is_that_of_a_binomial(items: int, unavoidable: int) -> None:
    bound = LabelBound(items, unavoidable)
    assert bound.best == 1 - unavoidable / items
    for accuracy in (0.3, 0.9, 0.95, 0.99):
        right = float(binom.cdf(unavoidable - 1, items, 1 - accuracy))
        assert bound.confidence_beyond(accuracy) == pytest.approx(right, abs=1e-12)
    highest = bound.highest(0.95)
    assert bound.confidence_beyond(highest) == pytest.approx(0.95)
    assert highest >= bound.best, "less is sure of all data than of these"


def test_at_95_percent_the_best_model_is_ruled_out_at_most_so_often() -> None:
    # Pairs of alike items, each of class 1 with probability .8: the best rule is right about .8 of them.
    rng = np.random.default_rng(1)
    missed = 0
    for _ in range(400):
        ones = rng.random((100, 2)) < 0.8
        unavoidable = int(np.minimum(ones.sum(axis=1), 2 - ones.sum(axis=1)).sum())
        missed += LabelBound(200, unavoidable).highest(0.95) < 0.8
    assert missed <= 0.05 * 400


def test_without_contradictions_nothing_is_ruled_out() -> None:
    bound = LabelBound(500, 0)
    assert (bound.best, bound.highest(), bound.confidence_beyond(1.0)) == (1.0, 1.0, 0.0)
    assert LabelBound(500, 3).confidence_beyond(1.0) == 1.0
