"""What is odd about a curve is said, what is regular is left in peace, and the answer's drivers are found."""

import numpy as np
import pytest

from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.diagnosis import diagnose, find_drivers, sampling_sd
from tests.method.curves import RISING, N, noisy, series


def codes(values: object, n: object = N, **options: object) -> set[str]:
    return {flag.code for flag in diagnose(series(values, n, **options))}  # type: ignore[arg-type]


def test_a_regular_curve_raises_no_flag() -> None:
    assert codes(noisy(RISING)) == set()
    assert codes(1 - noisy(RISING), direction="minimize") == set()


@pytest.mark.parametrize("runs", [2, 5])
def test_chance_alone_seldom_flags_a_curve(runs: int) -> None:
    flagged = [codes(noisy(np.maximum.accumulate(np.minimum(RISING, 0.9)), 0.01, runs, seed)) for seed in range(200)]
    assert sum(map(bool, flagged)) <= 6


def test_a_fall_beyond_the_scatter_is_flagged_with_its_place() -> None:
    fallen = RISING.copy()
    fallen[8] -= 0.1
    [flag] = diagnose(series(noisy(fallen)))
    assert flag.code == "non_monotone"
    assert "n = 898 to" in flag.detail
    assert "n = 1,498" in flag.detail


def test_a_flat_curve_is_flagged() -> None:
    assert codes(noisy(np.full(10, 0.6), 0.02)) == {"flat"}
    assert codes(np.full((3, 10), 0.6)) == {"flat"}
    assert "flat" in codes(0.6 + 0.01 * np.array([1, -1, 1, -1, 1, -1, 1, -1, 1, -1]))


def test_one_run_few_steps_and_holes_are_flagged() -> None:
    assert codes(RISING) == {"one_run"}
    assert codes(noisy(RISING)[:, :4], N[:4]) == {"too_short"}
    assert codes(noisy(RISING)[:, :6], [100, 110, 120, 130, 140, 150]) == {"too_short"}
    values = noisy(RISING)
    values[2, 3] = np.nan
    [flag] = diagnose(series(values))
    assert (flag.code, flag.detail[:8]) == ("missing_values", "1 of 50 ")


def test_values_outside_the_declared_range_are_flagged() -> None:
    values = noisy(RISING)
    values[0, 9] = 1.2
    [flag] = diagnose(series(values))
    assert flag.code == "values_outside_bounds"
    assert "1 of 50" in flag.detail
    assert "1.2" in flag.detail
    assert codes(values, bounds=(None, None)) == set()
    values[0, 9] = 1.0000001  # a mean in single precision
    assert codes(values) == set()


def test_the_drivers_are_the_cells_that_the_answer_follows() -> None:
    values = noisy(RISING)
    values[3, 9] -= 0.03
    curve = series(values)
    drivers = find_drivers(curve, 10_000)
    assert [step.n for step in drivers.steps] == [int(n) for n in N]
    assert drivers.steps[-1].sensitivity > 0.2 > abs(drivers.steps[0].sensitivity)
    first = drivers.cells[0]
    assert (first.run, first.n, first.value) == (3, 2500, values[3, 9])
    assert first.effect < 0, "the answer is lower for it"
    # To first order: the same as leaving it out.
    without = values.copy()
    without[3, 9] = np.nan
    before, after = (float(fit_calibrated(series(v)).value(10_000)) for v in (values, without))
    assert before - after == pytest.approx(first.effect, abs=0.5 * abs(first.effect) + 1e-3)
    assert drivers.run_sd > 0


def test_the_scatter_of_runs_in_the_answer_is_what_other_runs_would_show() -> None:
    answers, told = [], []
    for seed in range(40):
        curve = series(noisy(RISING, 0.01, 5, seed))
        answers.append(float(fit_calibrated(curve).value(10_000)))
        told.append(find_drivers(curve, 10_000).run_sd)
    assert np.median(told) == pytest.approx(np.std(answers), rel=0.5)


def test_the_test_splits_own_noise_is_binomial() -> None:
    rng = np.random.default_rng(0)
    assert sampling_sd(0.9, 500) == pytest.approx(rng.binomial(500, 0.9, 20_000).std() / 500, rel=0.03)
    assert sampling_sd(1.0, 500) == 0.0
