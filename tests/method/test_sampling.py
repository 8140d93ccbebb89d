"""Subsets are honest: distinct, nested, in the classes' proportions, and the same again for the same seed."""

import numpy as np
import pytest

from sufficiency.method.sampling import cell_seed, nested_order, with_replacement_order

LABELS = np.random.default_rng(0).choice(4, size=1000, p=[0.6, 0.25, 0.1, 0.05])


def test_an_order_is_a_permutation() -> None:
    assert sorted(nested_order(1000, LABELS, 0, 0)) == list(range(1000))
    assert sorted(nested_order(1000, None, 0, 0)) == list(range(1000))


@pytest.mark.parametrize("n", [20, 57, 100, 333, 999])
def test_every_prefix_has_the_classes_in_proportion(n: int) -> None:
    for run in range(20):
        counts = np.bincount(LABELS[nested_order(1000, LABELS, 7, run)[:n]], minlength=4)
        assert np.abs(counts - n * np.bincount(LABELS) / 1000).max() <= 2


@pytest.mark.parametrize("rare", [1, 2, 3, 40])
def test_rule_2_has_two_of_every_class_before_a_third_of_any(rare: int) -> None:
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(10), [900, *[60] * 8, rare]))
    floor = np.minimum(np.bincount(labels), 2)
    for run in range(20):
        order = nested_order(len(labels), labels, 3, run, 2)
        assert sorted(order) == list(range(len(labels)))
        for n in (floor.sum(), floor.sum() + 1, 50, 200):
            assert (np.bincount(labels[order[:n]], minlength=10) >= floor).all()
        assert (np.bincount(labels[order[:10]], minlength=10) == 1).all()


def test_rule_2_has_the_items_of_rule_1_wherever_that_has_two_of_each_class() -> None:
    same = 0
    for n in range(4, 1000, 7):
        one, two = (nested_order(1000, LABELS, 7, 3, rule)[:n] for rule in (1, 2))
        if np.bincount(LABELS[one], minlength=4).min() >= 2:
            assert set(one) == set(two)
            same += 1
    assert same > 100


def test_rule_2_without_labels_is_rule_1() -> None:
    assert (nested_order(1000, None, 0, 0, 2) == nested_order(1000, None, 0, 0)).all()


def test_runs_differ_and_seeds_repeat() -> None:
    first = nested_order(1000, LABELS, 0, 0)
    assert (first == nested_order(1000, LABELS, 0, 0)).all()
    assert (first != nested_order(1000, LABELS, 0, 1)).any()
    assert (first != nested_order(1000, LABELS, 1, 0)).any()


def test_each_item_is_as_likely_as_any_other_of_its_class() -> None:
    hits = sum(np.bincount(nested_order(100, np.arange(100) % 2, 0, run)[:20], minlength=100) for run in range(2000))
    assert abs(hits.mean() - 400) < 1e-9
    assert np.abs(hits - 400).max() < 5 * np.sqrt(2000 * 0.2 * 0.8)


def test_draws_with_replacement_leave_a_third_out() -> None:
    distinct = len(set(with_replacement_order(2500, 0, 0).tolist()))
    assert 1500 < distinct < 1660


def test_cells_have_seeds_of_their_own() -> None:
    words = {tuple(cell_seed(0, run, step).generate_state(4)) for run in range(30) for step in range(30)}
    assert len(words) == 900
