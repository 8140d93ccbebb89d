"""What real studies also measure: diverged losses, holes, sizes far apart, curves at their limit."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sufficiency.method.curve import NotEnoughData
from sufficiency.method.measurements import Series, series_from_rows
from sufficiency.method.plan import plan_units
from sufficiency.method.power_law import fit_power_law
from sufficiency.method.projection import inv_project, project
from tests.method.curves import N, series

BOUNDS = [(0.0, 1.0), (0.0, None), (None, None)]


@pytest.mark.parametrize("largest", [1e6, 1e9, 2.0**53])
def test_sizes_far_apart_overflow_nothing(largest: float) -> None:
    n = np.geomspace(10, largest, 8)
    curve = series(np.r_[0.1, np.full(7, 0.8)], n)
    fit = fit_power_law(curve)
    assert fit.value(n) == pytest.approx(curve.mean(), abs=1e-6)
    assert np.isfinite(fit.value([1.0, 2.0**53])).all()
    assert all(p is not None for p in fit.params())


@pytest.mark.parametrize("size", [1e30, 1e200, 1e280])
def test_a_diverged_loss_is_fitted_like_any_other(size: float) -> None:
    curve = series(size * (3.0 * N**-0.6 + 1), direction="minimize", bounds=(0.0, None))
    fit = fit_power_law(curve)
    assert fit.exponent == pytest.approx(0.6, rel=1e-4)
    assert fit.value([5000.0])[0] == pytest.approx(size * (3.0 * 5000**-0.6 + 1), rel=1e-6)
    assert np.isfinite(fit.sse), "infinity cannot be stored as JSON"


def test_what_no_double_can_carry_is_refused_with_the_reason() -> None:
    with pytest.raises(NotEnoughData, match="too large"):
        fit_power_law(series(1e308 * np.linspace(0.5, 1, 10), bounds=(None, None)))


def test_mean_and_spread_of_huge_values() -> None:
    curve = series(np.array([[1e308, 1e200], [1.5e308, 3e200]]), [10, 20], bounds=(None, None))
    assert curve.mean() == pytest.approx([1.25e308, 2e200])
    assert curve.sd() == pytest.approx([0.25e308 * 2**0.5, 2**0.5 * 1e200])


@pytest.mark.parametrize("value", [0.1, 0.7, 0.3])
@pytest.mark.parametrize("runs", [3, 7, 10])
def test_a_flat_curve_meets_its_own_value(value: float, runs: int) -> None:
    values = np.full((runs, 10), value)
    values[0, ::2] = np.nan
    curve = series(values)
    fit = fit_power_law(curve)
    assert fit.scale == 0.0
    assert inv_project(curve, fit, value).status == "reached"


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_a_limit_is_approached_and_never_attained(exponent: float) -> None:
    curve = series(1 - 3.0 * (N + 20) ** -exponent)
    fit = fit_power_law(curve)
    limit = 1 - fit.error_asymptote
    answer = inv_project(curve, fit, limit)
    assert (answer.status, answer.n) == ("unreachable", None)
    assert inv_project(curve, fit, limit - 0.01).n is not None


def test_a_perfect_score_is_unreachable_on_a_curve_that_only_tends_to_it() -> None:
    # Steeper at the end than any law with an asymptote inside the range: the asymptote is clipped to exactly 1.
    curve = series([0.10, 0.12, 0.15, 0.2, 0.28, 0.38, 0.5, 0.64, 0.78, 0.9])
    fit = fit_power_law(curve)
    assert fit.error_asymptote == 0.0
    assert inv_project(curve, fit, 1.0).status == "unreachable"


@pytest.mark.parametrize("bounds", [(0.0, None), (None, None)])
def test_a_line_in_log_n_is_within_the_family(bounds: tuple[float | None, float | None]) -> None:
    fit = fit_power_law(series(0.05 + 0.1 * np.log(N), bounds=bounds))
    assert fit.value([10000.0])[0] == pytest.approx(0.05 + 0.1 * np.log(10000), abs=1e-5)


def test_steps_of_the_same_size_count_once() -> None:
    with pytest.raises(NotEnoughData, match="2 of 3"):
        fit_power_law(series([0.1, 0.5, 0.9], [10, 10, 20]))


def test_the_order_in_which_steps_were_added_does_not_matter() -> None:
    values = 1 - (3.0 * N**-0.6 + 0.05)
    rows = [(0, step, int(n), "A", -1, v) for step, (n, v) in enumerate(zip(N, values, strict=True))]
    moved = [(run, (step + 4) % 10, *rest) for run, step, *rest in rows]
    [straight], [shuffled] = series_from_rows(rows, {}), series_from_rows(moved, {})  # type: ignore[arg-type]
    assert shuffled.n.tolist() == N.tolist()
    assert fit_power_law(shuffled) == fit_power_law(straight)


def test_many_small_cells_are_planned_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: object) -> int:
        raise AssertionError("adding up the unit for each of its cells takes seconds for a thousand runs")

    calls = 0
    real = plan_units.__globals__["work"]

    def once(cells: object) -> int:
        nonlocal calls
        calls += 1
        return real(cells) if calls == 1 else never(cells)

    monkeypatch.setitem(plan_units.__globals__, "work", once)
    assert sum(len(unit) for unit in plan_units([25, 41, 69, 2500], 500, "independent")) == 2000


numbers = st.one_of(
    st.floats(0, 1), st.just(float("nan")), st.floats(-1e250, 1e250), st.sampled_from([0.0, 1.0, 0.5, 1e-300])
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(numbers, min_size=6, max_size=6), min_size=1, max_size=3),
    st.lists(st.integers(1, 10**9), min_size=6, max_size=6, unique=True).map(sorted),
    st.sampled_from(["maximize", "minimize"]),
    st.sampled_from(BOUNDS),
)
def test_anything_measured_gives_finite_numbers_or_a_reason(
    values: list[list[float]], n: list[int], direction: str, bounds: tuple[float | None, float | None]
) -> None:
    curve = Series("A", None, np.asarray(n, float), np.asarray(values), direction, bounds)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        curve.sd()
        try:
            fit = fit_power_law(curve)
        except NotEnoughData:
            assert np.isfinite(curve.mean()).sum() < 3
            return
        points = project(curve, fit, [1, n[-1], 10 * n[-1]])
        answers = [inv_project(curve, fit, target) for target in (0.25, 0.75)]
    assert all(np.isfinite(point.value) for point in points)
    assert np.isfinite([fit.scale, fit.exponent, fit.error_asymptote, fit.sse]).all()
    for answer in answers:
        if answer.n is not None:
            value = float(fit.value(answer.n))
            assert value >= answer.target if direction == "maximize" else value <= answer.target
