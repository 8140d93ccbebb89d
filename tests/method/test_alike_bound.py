"""What the labels of nearly alike items leave: Cover and Hart's inequality, and a confidence that holds."""

import numpy as np
import pytest
from scipy.stats import fisher_exact

from sufficiency.method.alike_bound import AlikeBound, labelled_alike, least_error, tells_apart
from sufficiency.method.label_bound import LabelBound


def bound(items: int = 1000, exact: int = 0, near: int = 0, pairs: int = 0, differing: int = 0) -> AlikeBound:
    return AlikeBound(items, items, exact, near, pairs, differing, 10)


def test_no_distribution_of_classes_has_less_error_than_its_labels_differ() -> None:
    rng = np.random.default_rng(0)
    for classes in (2, 3, 10):
        shares = rng.dirichlet(np.full(classes, 0.3), size=500)
        for differing, error in zip(1 - (shares**2).sum(axis=1), 1 - shares.max(axis=1), strict=True):
            assert differing / 2 - 1e-12 <= least_error(differing, classes) <= error + 1e-12
    evenly_wrong = np.array([0.8, *[0.2 / 9] * 9])
    assert least_error(1 - float((evenly_wrong**2).sum()), 10) == pytest.approx(0.2), "met by noise that is even"
    assert (least_error(0.0, 10), least_error(1.0, 10)) == (0.0, 0.9)


def test_without_nearly_alike_items_it_is_the_exact_bound() -> None:
    exact = LabelBound(1000, 30)
    for level in (0.5, 0.9, 0.95, 0.99):
        assert bound(exact=30).highest(level) == pytest.approx(exact.highest(level))
    assert bound(exact=30).best == exact.best
    assert bound(exact=30).confidence_beyond(0.98) == pytest.approx(exact.confidence_beyond(0.98), abs=1e-5)
    assert (bound().best, bound().highest(), bound().confidence_beyond(1.0)) == (1.0, 1.0, 0.0)


def test_the_highest_accuracy_and_its_confidence_belong_together() -> None:
    one = bound(exact=10, near=20, pairs=300, differing=110)
    assert one.best < one.highest(0.9) < one.highest(0.95) < one.highest(0.99) < 1
    assert one.confidence_beyond(one.highest(0.95)) == pytest.approx(0.95, abs=1e-5)
    assert one.confidence_beyond(0.5) == 0
    assert bound(pairs=300, differing=110).highest() > one.highest(), "more that contradicts leaves less"


@pytest.mark.parametrize(("share", "noise"), [(0.5, 0.2), (0.1, 0.4), (1.0, 0.05)])
def test_at_95_percent_the_best_model_is_ruled_out_at_most_so_often(share: float, noise: float) -> None:
    # Labels wrong evenly: the best such model is wrong about `noise` of the items that have a near copy, and no other.
    rng = np.random.default_rng(1)
    differs = 1 - (1 - noise) ** 2 - noise**2 / 9
    highest = []
    for _ in range(300):
        pairs = int(rng.binomial(1000, share))
        highest.append(bound(pairs=pairs, differing=int(rng.binomial(pairs, differs))).highest(0.95))
    best = 1 - share * noise
    assert np.mean(np.array(highest) < best) <= 0.05
    assert np.mean(highest) - best < 0.35 * (1 - best), "and it is no empty bound"


def test_noise_of_the_training_labels_alone_is_no_bound_on_the_test_items() -> None:
    rng = np.random.default_rng(2)
    # Test labels right, training labels wrong by .2: .2 differ across, .36 within the training split.
    mistaken = [labelled_alike((400, rng.binomial(400, 0.2)), (200, rng.binomial(200, 0.356))) for _ in range(300)]
    assert np.mean(mistaken) < 0.05
    alike = [labelled_alike((400, rng.binomial(400, 0.356)), (200, rng.binomial(200, 0.356))) for _ in range(300)]
    assert np.mean(alike) > 0.9
    assert not labelled_alike((400, 140), (0, 0)), "nothing tells"
    assert not labelled_alike((400, 140), (99, 30))


def test_a_difference_that_tells_the_class_is_no_noise() -> None:
    assert tells_apart(40, 40, 0.5, 0, 0), "as of pairs before and after"
    assert tells_apart(400, 120, 0.9, 60, 50), "they point one way"
    assert not tells_apart(400, 145, 0.9, 72, 38)
    assert not tells_apart(400, 0, 0.9, 0, 0)


def test_it_says_what_speaks_for_it() -> None:
    told = bound(exact=1, near=2, pairs=300, differing=110).why
    assert told.startswith(
        "1 test item contradicts others that are alike, number by number; 2 pairs of such test items"
    )
    assert told.endswith(
        "of 300 test items that are nearly alike to a training item 110 have another class than that, "
        "and two such training items differ no oftener"
    )


@pytest.mark.parametrize(("across", "train"), [((40, 10), (30, 12)), ((40, 10), (30, 22)), ((80, 30), (20, 7))])
def test_both_are_compared_by_fishers_exact_test(across: tuple[int, int], train: tuple[int, int]) -> None:
    table = [[train[1], train[0] - train[1]], [across[1], across[0] - across[1]]]
    assert labelled_alike(across, train) == (fisher_exact(table, alternative="greater").pvalue >= 0.05)
