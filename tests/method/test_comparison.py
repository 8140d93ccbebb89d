"""Crossings, data efficiency and paired differences of curves whose truth is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.comparison import efficiency, find_crossing, paired_differences
from sufficiency.method.measurements import Series

N = np.array([20.0, 50, 120, 300, 800, 2000, 5000])


def series(error: NDArray[np.float64], sd: float = 0.004, runs: int = 5, seed: int = 0, **changes: object) -> Series:
    noise = np.random.default_rng(seed).normal(0.0, sd, (runs, len(error))) * np.sqrt(20 / N[: len(error)])
    given = {"direction": "maximize", "bounds": (0.0, 1.0), **changes}
    return Series("Accuracy", None, N[: len(error)], 1.0 - error + noise, **given)  # type: ignore[arg-type]


STEEP, SHALLOW = 3.0 * N**-0.5, 0.9 * N**-0.25  # cross at n = (3 / 0.9)^4 = 123


def test_the_crossing_is_found_with_an_interval_that_holds_it() -> None:
    first, second = series(STEEP), series(SHALLOW, seed=1)
    found = find_crossing(first, fit_calibrated(first), second, fit_calibrated(second))
    assert found.n == pytest.approx(123, rel=0.1)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower <= 123 <= found.upper
    assert (found.ahead_before, found.ahead_after) == ("second", "first")
    turned = find_crossing(second, fit_calibrated(second), first, fit_calibrated(first))
    assert (turned.n, turned.ahead_before, turned.ahead_after) == (found.n, "first", "second")


def test_a_loss_is_better_when_it_is_lower() -> None:
    def loss(error: NDArray[np.float64], seed: int) -> Series:
        one = series(error, seed=seed)
        return Series("Loss", None, one.n, 1.0 - one.values, "minimize", (0.0, None))

    first, second = loss(STEEP, 0), loss(SHALLOW, 1)
    found = find_crossing(first, fit_calibrated(first), second, fit_calibrated(second))
    assert found.n == pytest.approx(123, rel=0.1)
    assert (found.ahead_before, found.ahead_after) == ("second", "first")


def test_curves_apart_do_not_cross_and_wide_noise_gives_no_end() -> None:
    better, worse = series(0.8 * N**-0.5), series(1.6 * N**-0.5, seed=1)
    apart = find_crossing(better, fit_calibrated(better), worse, fit_calibrated(worse))
    assert apart.n is None
    assert (apart.lower, apart.upper) == (None, None)
    assert apart.ahead_before == apart.ahead_after == "first"
    assert apart.sure_after > 0.99
    same = find_crossing(better, fit_calibrated(better), better, fit_calibrated(better))
    assert (same.n, same.ahead_after) == (None, None)
    assert same.sure_after == pytest.approx(0.5, abs=0.01)
    first, second = (series(c * N**-m, sd=0.1, seed=seed) for seed, (c, m) in enumerate([(1.0, 0.3), (0.93, 0.285)]))
    vague = find_crossing(first, fit_calibrated(first), second, fit_calibrated(second))
    assert vague.n is None or vague.lower is None or vague.upper is None
    assert max(vague.sure_before, vague.sure_after) < 0.99


def test_the_ratio_is_how_many_times_the_data() -> None:
    # The same error takes the second four times the items.
    first, second = series(1.0 * N**-0.5), series(2.0 * N**-0.5, seed=1)
    found = efficiency(first, fit_calibrated(first), second, fit_calibrated(second))
    assert [one.n_first for one in found] == [1250, 2500, 5000, 10000]
    assert found[0].ratio == pytest.approx(4.0, rel=0.1)  # both within what was measured
    for one in found:
        assert one.ratio is not None
        assert one.ratio_lower is not None
        assert one.ratio_lower < 4.0 < (one.ratio_upper or np.inf)
        assert one.value == pytest.approx(1.0 - one.n_first**-0.5, abs=0.01)
    assert [one.status for one in found[:3]] == ["reached", "needs", "needs"]
    back = efficiency(second, fit_calibrated(second), first, fit_calibrated(first), at=[1.0])
    assert back[0].ratio == pytest.approx(0.25, rel=0.25)
    assert efficiency(first, fit_calibrated(first), second, fit_calibrated(second), at=[1e-6]) == []


def test_runs_are_paired_where_both_measured() -> None:
    rng = np.random.default_rng(3)
    shared = rng.normal(0, 0.05, (4, len(N)))
    first = Series("Accuracy", None, N, 0.7 + shared, "maximize", (0.0, 1.0))
    values = 0.72 + shared[:, 2:] + rng.normal(0, 0.001, (4, len(N) - 2))
    values[0, 0] = np.nan
    values[1:, 1] = np.nan
    second = Series("Accuracy", None, N[2:], values, "maximize", (0.0, 1.0))
    found = paired_differences(first, second)
    assert [one.n for one in found] == [120, 300, 800, 2000, 5000]
    assert [one.runs for one in found] == [3, 1, 4, 4, 4]
    assert (found[1].sd, found[1].lower, found[1].upper) == (None, None, None)
    for one in found[2:]:
        # Far surer than the runs' own scatter of 0.05
        assert one.difference == pytest.approx(0.02, abs=0.002)
        assert one.lower is not None
        assert one.upper is not None
        assert one.upper - one.lower < 0.01
    values[:, 2] = np.nan
    assert [one.n for one in paired_differences(first, second)] == [120, 300, 2000, 5000]
