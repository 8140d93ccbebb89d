"""Two models on the same test items: what their difference is worth, against what is known of the truth."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sufficiency.method.comparison import Crossing
from sufficiency.method.item_marks import pack, unpack
from sufficiency.method.items import paired_on_items
from sufficiency.schemas.work import ItemMarks

Marks = dict[tuple[int, int], ItemMarks]
TRAININGS, OF_ONE = 0.15, 0.7


def trained(
    items: int, runs: int, seed: int, shift: float = 0.1, *, shared: bool = True
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the same items two models have right: some are hard for both, and runs go up and down together."""
    rng = np.random.default_rng(seed)
    ease = rng.normal(1.2, 1.5, items)
    together = rng.normal(0.0, TRAININGS, (runs, 1))

    def one(better: float) -> NDArray[np.bool_]:
        own = 0.0 if shared else rng.normal(0.0, TRAININGS, (runs, 1))
        return np.asarray(ease + better + together + own + rng.normal(0.0, OF_ONE, (runs, items)) > 0)

    return one(0.0), one(shift)


def marks(right: NDArray[np.bool_], n: int = 100) -> Marks:
    return {(run, n): pack(row) for run, row in enumerate(right)}


@pytest.mark.parametrize("items", [1, 7, 8, 9, 1001])
def test_a_bit_an_item_is_read_as_it_was_written(items: int) -> None:
    right = np.random.default_rng(items).random(items) < 0.7
    kept = pack(right)
    assert (kept.items, len(kept.bits)) == (items, 4 * (((items + 7) // 8 + 2) // 3))
    assert np.array_equal(unpack(kept), right)


@pytest.mark.parametrize(("items", "runs", "shared"), [(200, 5, True), (1000, 3, True), (1000, 5, False)])
def test_the_interval_holds_the_difference_on_all_data(items: int, runs: int, shared: bool) -> None:
    first, second = trained(400_000, 20, 0, shared=shared)
    truth = second.mean() - first.mean()
    held = []
    for seed in range(200):
        first, second = trained(items, runs, 1 + seed, shared=shared)
        [found] = paired_on_items(marks(first), marks(second), 0.9, share_subsets=shared)
        held.append(found.lower <= truth <= found.upper)
    assert 0.84 <= np.mean(held) <= 0.99


def test_with_one_run_it_is_mcnemars() -> None:
    first = np.array([[True] * 70 + [False] * 30])
    second = first.copy()
    second[0, :5], second[0, 80:95] = False, True
    [found] = paired_on_items(marks(first), marks(second), 0.95)
    assert (found.only_first, found.only_second) == (5, 15)
    assert found.difference == pytest.approx(0.1)
    # (b + c − (b − c)²/n)/n², with n − 1 for n as of a sample
    sd = ((20 - 100 / 100) / 100 / 99) ** 0.5
    assert found.upper - found.lower == pytest.approx(2 * 1.984 * sd, rel=1e-3)


def test_what_both_have_right_is_no_noise_of_the_difference() -> None:
    first, second = trained(500, 5, 3)
    [found] = paired_on_items(marks(first), marks(second))
    apart = 1.96 * float(np.hypot(*(np.sqrt(one.mean() * (1 - one.mean()) / 500) for one in (first, second))))
    assert found.upper - found.lower < 2 * apart


def test_only_what_both_measured_is_paired() -> None:
    first, second = trained(50, 3, 0)
    one, other = marks(first, 10) | marks(first, 20), marks(second, 20) | marks(second, 40)
    assert [found.n for found in paired_on_items(one, other)] == [20]
    del other[1, 20]
    assert paired_on_items(one, other)[0].runs == 2
    assert paired_on_items(one, {(0, 20): pack(first[0][:40])}) == []
    assert paired_on_items({}, other) == []


def test_the_same_model_is_not_better_than_itself() -> None:
    first, _ = trained(100, 3, 0)
    [found] = paired_on_items(marks(first), marks(first))
    assert found.difference == 0
    assert -0.1 < found.lower < 0 < found.upper < 0.1


@pytest.mark.parametrize(
    ("lower", "upper", "seen", "told"),
    [
        (80, 130, [], "overtakes"),
        (None, None, [], "within_noise"),
        (80, None, [], "ahead_before"),
        (None, 130, [], "ahead_after"),
        (80, None, [(200, "second")], "overtakes"),
        (None, None, [(50, "first"), (100, "second")], "overtakes"),
        # Against the curves' medians, on that side of the crossing.
        (None, None, [(50, "second"), (200, "first")], "within_noise"),
    ],
)
def test_differences_within_noise_are_not_called_overtaking(
    lower: int | None, upper: int | None, seen: list[tuple[int, str]], told: str
) -> None:
    found = Crossing(100, lower, upper, "first", "second", 0.9, 0.9)
    assert found.told(0.95, seen) == told  # type: ignore[arg-type]


@pytest.mark.parametrize(("sure", "seen", "told"), [(0.99, [], "ahead"), (0.8, [], "within_noise")])
def test_curves_that_do_not_cross(sure: float, seen: list[tuple[int, str]], told: str) -> None:
    found = Crossing(None, None, None, "first", "first", sure, sure)
    assert found.told(0.95, seen) == told  # type: ignore[arg-type]
    assert found.told(0.95, [(10, "first")]) == "ahead"
