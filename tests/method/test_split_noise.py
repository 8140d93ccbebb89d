"""What the test split alone adds: known of proportions, in the interval of the population, smaller with no run."""

import numpy as np
import pytest

from sufficiency.method.calibrated import CalibratedFit, fit_calibrated
from sufficiency.method.measurements import Series
from sufficiency.method.projection import project
from tests.method.curves import RISING, N, noisy, series

TRUE = 1 - 2.0 * N**-0.5


def on_a_split(items: int, seed: int, runs: int = 5) -> Series:
    """What a split of so many items would measure: its own share of right answers, and the trainings' scatter."""
    rng = np.random.default_rng(seed)
    level = rng.random(items)
    values = np.stack([[(level < p).mean() for p in TRUE + rng.normal(0, 0.003, 10)] for _ in range(runs)])
    return series(values).of_items(items)


def test_the_population_is_inside_its_interval_and_outside_the_means() -> None:
    population, mean = [], []
    for seed in range(60):
        curve = on_a_split(100, seed)
        fit = fit_calibrated(curve)
        for of, found in (("population", population), ("mean", mean)):
            [point] = project(curve, fit, [2500], 0.8, of)  # type: ignore[arg-type]
            found.append(point.lower <= TRUE[-1] <= point.upper)  # type: ignore[operator]
    assert 0.65 <= np.mean(population) <= 0.95
    assert np.mean(mean) < 0.5


@pytest.mark.parametrize("runs", [2, 50])
def test_no_number_of_runs_makes_it_smaller(runs: int) -> None:
    curve = on_a_split(100, 0, runs)
    [point] = project(curve, fit_calibrated(curve), [2500], 0.95, "population")
    sd = (TRUE[-1] * (1 - TRUE[-1]) / 100) ** 0.5
    assert point.upper - point.lower > 3 * sd  # type: ignore[operator]


def test_a_larger_split_narrows_the_populations_interval_towards_the_means() -> None:
    curve = series(noisy(RISING))
    widths = []
    for items in (50, 500, 50_000):
        known = curve.of_items(items)
        [point] = project(known, fit_calibrated(known), [10_000], 0.95, "population")
        widths.append(point.upper - point.lower)  # type: ignore[operator]
    [mean] = project(curve, fit_calibrated(curve), [10_000], 0.95)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(mean.upper - mean.lower, rel=0.05)  # type: ignore[operator]


def test_what_nobody_knows_has_no_interval() -> None:
    curve = series(noisy(RISING))
    [point] = project(curve, fit_calibrated(curve), [10_000], 0.95, "population")
    assert (point.lower, point.upper) == (None, None)
    assert point.value == project(curve, fit_calibrated(curve), [10_000])[0].value


def test_all_right_is_no_certainty_and_the_fit_survives_storage() -> None:
    curve = series(np.ones((3, 10))).of_items(50)
    fit = fit_calibrated(curve)
    assert float(fit.quantile(2500, 0.025, of="population")) < 0.99
    again = CalibratedFit.from_dict(fit.to_dict())
    assert again.quantile(2500, 0.1, of="population") == fit.quantile(2500, 0.1, of="population")
