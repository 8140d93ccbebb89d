"""How many runs there are, whether all steps have as many, and whether they share their items: what intervals do."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtri

from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.measurements import Series
from sufficiency.method.noise import estimate_noise
from sufficiency.method.observed import observe, views
from tests.method.curves import series

SIZES = np.array([20.0, 40, 80, 160, 320, 640, 1280, 2560])
RISING = 1 - 2 * SIZES**-0.5


def measured(runs: int, seed: int, sd: float = 0.01, sizes: NDArray[np.float64] = SIZES) -> Series:
    rng = np.random.default_rng(seed)
    values = 1 - 2 * sizes**-0.5 + rng.normal(0, sd, (50, len(sizes)))[:runs]
    return Series("Accuracy", None, sizes, values, "maximize", (0.0, 1.0))


def width(of: Series, times: float) -> float:
    fit = fit_calibrated(of)
    low, high = (float(fit.quantile(of.n[-1] * times, q)) for q in (0.025, 0.975))
    return high - low


@pytest.mark.parametrize("times", [1, 2, 4, 8])
def test_more_runs_never_widen_the_interval(times: float) -> None:
    widths = [np.mean([width(measured(runs, seed), times) for seed in range(12)]) for runs in (5, 10, 20, 30, 50)]
    assert all(later <= earlier * 1.02 for earlier, later in pairwise(widths)), widths


@pytest.mark.parametrize("runs", [11, 25, 50])
def test_many_runs_are_as_good_as_five_whose_mean_is_as_precise(runs: int) -> None:
    def spread(count: int) -> Series:
        rank = ndtri((np.arange(count) + 0.5) / count)
        return series(RISING + 0.003 * (count / 5) ** 0.5 * rank[:, None] / np.std(rank, ddof=1), n=SIZES)

    for times in (2, 4, 8):
        assert width(spread(runs), times) == pytest.approx(width(spread(5), times), rel=0.1)
        assert fit_calibrated(spread(runs)).value(times * 2560) == pytest.approx(
            fit_calibrated(spread(5)).value(times * 2560), abs=0.002
        )


@pytest.mark.parametrize("runs", [5, 6, 11, 50])
def test_the_extremes_of_many_runs_are_those_of_five(runs: int) -> None:
    values = np.random.default_rng(runs).permuted(np.arange(float(runs))[:, None].repeat(3, axis=1), axis=0)
    if runs > 5:
        values[:3, 1] = np.nan
    low, high = series(values, n=SIZES[:3]).extremes()
    place = (runs + 1) / 6 - 1
    assert (low[0], high[0]) == (pytest.approx(place), pytest.approx(runs - 1 - place))
    kept = np.sort(values[np.isfinite(values[:, 1]), 1])
    assert kept[0] <= low[1] <= high[1] <= kept[-1]
    nothing = series(np.full((runs, 3), np.nan), n=SIZES[:3]).extremes()
    assert (nothing[0] == np.inf).all()
    assert (nothing[1] == -np.inf).all()


def test_fewer_runs_at_the_large_steps_are_told_from_fewer_at_the_small_ones() -> None:
    ends, begins, even = [], [], []
    for seed in range(30):
        whole = measured(5, seed)
        values = whole.values.copy()
        values[2:, -3:] = np.nan
        ends.append(replace(whole, values=values))
        values = whole.values.copy()
        values[2:, :3] = np.nan
        begins.append(replace(whole, values=values))
        even.append(whole)
    lately = [np.mean([observe(one).runs_lately for one in kind]) for kind in (ends, begins, even)]
    assert lately[0] < 2.5 < 4.5 < lately[1] < lately[2]
    assert lately[2] == pytest.approx(5.0)
    for times, by in ((1, 1.3), (2, 1.05)):
        narrow, wide = (np.mean([width(one, times) for one in kind]) for kind in (even, ends))
        assert wide > by * narrow


def test_a_single_run_beside_others_counts_as_two_at_least() -> None:
    values = measured(5, 0).values.copy()
    values[1:, 1:] = np.nan
    assert observe(series(values, n=SIZES)).runs_lately == 2.0
    assert observe(measured(1, 0)).runs_lately == 1.0


# The whole training split


def deterministic(seed: int, pool: float = SIZES[-1], of_items: float = 0.01) -> NDArray[np.float64]:
    """What five runs of a learner without any chance of its own measure: at the whole split all the same."""
    rng = np.random.default_rng(seed)
    apart = np.sqrt(1.0 - (SIZES / pool) ** 2.5)
    together = rng.normal(0, of_items, len(SIZES)) * np.sqrt((SIZES / pool) ** 2.5)
    return np.asarray(RISING + together + apart * rng.normal(0, of_items, (5, len(SIZES))))


def test_what_runs_share_is_told_from_the_sizes() -> None:
    of = measured(5, 0)
    assert of.shared is None
    assert of.of_split([2560]).shared == pytest.approx(SIZES / 2560)
    grown = of.of_split([320, 2560]).shared
    assert grown is not None
    assert grown[:5] == pytest.approx(SIZES[:5] / 320)
    assert grown[5] == pytest.approx((320 + 320**2 / 2240) / 640)
    assert grown[-1] == 1.0
    assert of.of_split([10]).shared == pytest.approx(0)
    some = of.of_split([2560]).at(SIZES >= 640)
    assert some.shared == pytest.approx(SIZES[5:] / 2560)


def test_runs_on_the_same_items_are_not_taken_for_certainty() -> None:
    held, naive = [], []
    for seed in range(80):
        of = series(deterministic(seed), n=SIZES)
        for kept, one in ((held, of.of_split([2560])), (naive, of)):
            fit = fit_calibrated(one)
            low, high = (float(fit.quantile(2560, q)) for q in (0.025, 0.975))
            kept.append(low <= RISING[-1] <= high)
    assert 0.88 <= np.mean(held) <= 1.0
    assert np.mean(naive) < 0.5


def test_one_training_scatters_by_its_items_too() -> None:
    run = np.mean([observe(series(deterministic(k), n=SIZES).of_split([2560])).noise.run[-1] for k in range(40)])
    slope = 1 / (1 - RISING[-1] + 0.005) + 1 / (RISING[-1] + 0.005)
    assert run / slope == pytest.approx(0.01, rel=0.35)


def test_where_training_scatters_as_much_nothing_changes() -> None:
    for seed in range(10):
        of = measured(5, seed)
        known, unknown = (observe(one).noise for one in (of.of_split([2560]), of))
        if np.any(known.inflated != 1.0):
            continue
        assert np.array_equal(known.run, unknown.run)
        assert np.array_equal(known.mean, unknown.mean)
    inflated = [np.any(observe(measured(5, seed).of_split([2560])).noise.inflated != 1.0) for seed in range(200)]
    assert np.mean(inflated) < 0.1


def test_without_a_smaller_size_to_compare_nothing_is_concluded() -> None:
    link = observe(measured(5, 0)).link
    x, mean = np.array([-1.0, -0.5, 0.0]), np.array([0.7, 0.75, 0.8])
    for sd in ([np.nan, np.nan, 0.0], [np.nan, 0.01, 0.0]):
        found = estimate_noise(x, mean, np.array(sd), np.array([5, 5, 5]), link, np.array([0.2, 0.5, 1.0]))
        assert np.isfinite(found.run).all()
        assert np.all(found.inflated == 1.0)


# Many steps


def test_many_steps_are_looked_at_in_two_ways() -> None:
    sizes = np.geomspace(20, 2560, 41)
    seen = observe(measured(5, 0, sizes=sizes))
    (pooled, offset), (thinned, none) = views(seen)
    assert len(pooled.n) <= 18
    assert (len(thinned.n), none) == (10, 0.0)
    assert (thinned.n[0], thinned.n[-1]) == (seen.n[0], seen.n[-1])
    assert offset > 0
    few = observe(measured(5, 0))
    assert views(few) == [(few, 0.0)]


def test_many_steps_say_more_where_they_scatter() -> None:
    def error(sizes: NDArray[np.float64]) -> float:
        fits = [fit_calibrated(measured(5, seed, 0.02, sizes)) for seed in range(60)]
        return float(np.mean([abs(float(fit.value(4 * 2560)) - (1 - 2 * (4 * 2560) ** -0.5)) for fit in fits]))

    assert error(np.geomspace(20, 2560, 41)) < 0.95 * error(np.geomspace(20, 2560, 10))
