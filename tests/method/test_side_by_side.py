"""Many series that are worked out side by side: each is told what it would be told alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sufficiency.method.averages import Averages
from sufficiency.method.backtest import backtest, backtest_all
from sufficiency.method.curve import NotEnoughData
from sufficiency.method.diagnosis import diagnose, diagnose_all, find_all_drivers, find_drivers
from sufficiency.method.lines import on_lines
from sufficiency.method.measurements import Series, with_companions
from sufficiency.method.methods import fit_all, fit_series
from sufficiency.method.observed import MOST_TOGETHER, observe_all
from sufficiency.schemas.words import METRIC_FAMILIES, Bounds, Method

BOUNDS: tuple[Bounds, ...] = ((0.0, 1.0), (0.0, None), (None, 1.0), (None, None))


def measured(count: int, seed: int) -> list[Series]:
    """Return series of every kind: few runs and many, with holes, repeated sizes, falls, and too little for a curve."""
    rng = np.random.default_rng(seed)
    found: list[Series] = []
    for place in range(count):
        steps, runs = (int(rng.choice(of)) for of in ((3, 6, 9, 24), (1, 3, 8)))
        n = np.geomspace(10, 3000, steps).round()
        if place % 7 == 0:
            n[1] = n[0]
        cost = rng.uniform(0.3, 2.0) * n ** -rng.uniform(0.1, 0.7) + rng.normal(0, 0.02, (runs, steps))
        cost = cost[:, ::-1] if place % 9 == 0 else np.abs(cost)
        maximize = bool(rng.random() < 0.5)
        values = 1.0 - cost if maximize else cost
        if place % 5 == 0:
            values[rng.random(values.shape) < 0.2] = np.nan
        if place % 11 == 0:
            values = values * 1e292
        family = METRIC_FAMILIES[place % len(METRIC_FAMILIES)]
        bounds = BOUNDS[int(rng.integers(len(BOUNDS)))]
        one = Series(f"M{place}", None, n, values, "maximize" if maximize else "minimize", bounds, family)
        found.append(one.of_split([3000]) if place % 3 == 0 else one)
        if place % 4 == 0 and bounds == (0.0, 1.0):
            found[-1] = replace(found[-1], class_index=place).of_items(300)
    # Of the same sizes a whole group, larger than what is taken together.
    alike = [replace(found[1], values=found[1].values * (1 - 0.001 * k)) for k in range(MOST_TOGETHER + 3)]
    return [*with_companions(found), *alike]


def assert_alike(told: Any, alone: Any) -> None:
    """Compare what JSON has a form of; numbers but for rounding."""
    if isinstance(told, dict):
        assert told.keys() == alone.keys()
        for name, value in told.items():
            assert_alike(value, alone[name])
    elif isinstance(told, list | tuple):
        assert len(told) == len(alone)
        for one, other in zip(told, alone, strict=True):
            assert_alike(one, other)
    elif isinstance(told, float):
        assert told == pytest.approx(alone, rel=1e-12, abs=1e-13)
    else:
        assert told == alone


def told_alone(ask: Callable[[Series], Any], one: Series) -> Any:
    try:
        return ask(one)
    except NotEnoughData as error:
        return error


def assert_each(told: Sequence[Any], series: Sequence[Series], ask: Callable[[Series], Any]) -> int:
    """Compare what each is told beside the others with what it is told alone; return how many are refused."""
    refused = 0
    for found, one in zip(told, series, strict=True):
        alone = told_alone(ask, one)
        if isinstance(alone, NotEnoughData):
            refused += 1
            assert isinstance(found, NotEnoughData)
            assert str(found) == str(alone)
        else:
            assert_alike(found, alone)
    return refused


@pytest.mark.parametrize("method", ["calibrated", "power_law"])
def test_fits_and_back_tests(method: Method) -> None:
    series = measured(60, 0)
    fits = [fit if isinstance(fit, NotEnoughData) else fit.to_dict() for fit in fit_all(series, method)]
    assert assert_each(fits, series, lambda one: fit_series(one, method).to_dict()) >= 3
    tests = [test.to_dict() for test in backtest_all(series, method)]
    assert assert_each(tests, series, lambda one: backtest(one, method).to_dict()) == 0


def test_flags() -> None:
    series = measured(60, 1)
    assert assert_each(diagnose_all(series), series, diagnose) >= 3
    codes = {flag.code for flags in diagnose_all(series) if isinstance(flags, list) for flag in flags}
    assert codes >= {"too_short", "one_run", "flat", "non_monotone", "missing_values", "values_outside_bounds"}


def test_drivers_near_and_far() -> None:
    series = measured(24, 2)
    for times in (5, 64):
        sizes = [times * float(one.n[-1]) for one in series]
        for found, one, n in zip(find_all_drivers(series, sizes), series, sizes, strict=True):
            alone = told_alone(lambda one, n=n: find_drivers(one, n), one)
            if isinstance(alone, NotEnoughData):
                assert str(found) == str(alone)
            else:
                # Differences of what differs by rounding, over a shift that is small.
                assert isinstance(found, type(alone))
                assert [cell.run for cell in found.cells] == [cell.run for cell in alone.cells]
                assert found.run_sd == pytest.approx(alone.run_sd, rel=1e-6)
                for told, step in zip(found.steps, alone.steps, strict=True):
                    assert told.sensitivity == pytest.approx(step.sensitivity, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("method", ["calibrated", "power_law"])
def test_nothing_of_nothing(method: Method) -> None:
    assert fit_all([], method) == []
    assert backtest_all([], method) == []
    assert diagnose_all([]) == find_all_drivers([], []) == []


def test_a_group_is_of_one_kind_and_no_larger_than_it_may() -> None:
    series = measured(60, 3)
    groups, refused = observe_all(series)
    assert sorted([place for group in groups for place in group.places] + list(refused)) == list(range(len(series)))
    assert max(len(group.places) for group in groups) == MOST_TOGETHER
    for group in groups:
        assert group.seen.z.shape == (len(group.places), len(group.seen.n))
        assert len({(series[place].bounds, series[place].family) for place in group.places}) == 1


def test_averages_of_several() -> None:
    values = np.random.default_rng(0).random((4, 8, 5))
    values[1, :3, 2] = values[2, :, 0] = np.nan
    values[3] *= 1e300
    several = Averages(values)
    for place, one in enumerate(values):
        alone = Averages(one)
        for name in ("mean", "sd", "runs"):
            np.testing.assert_array_equal(getattr(several, name)[place], getattr(alone, name))
        for ends, end in zip(several.extremes, alone.extremes, strict=True):
            np.testing.assert_array_equal(ends[place], end)


def test_lines_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    knots = np.sort(rng.random(7))
    at = rng.random((3, 2, 7))
    x = np.concatenate([rng.uniform(-0.5, 1.5, 50), knots])
    for place in np.ndindex(3, 2):
        np.testing.assert_array_equal(on_lines(x, knots, at)[place], np.interp(x, knots, at[place]))
        np.testing.assert_array_equal(on_lines(x, knots, at[place]), np.interp(x, knots, at[place]))
