"""Values go to the link's scale and back, and lower is better there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sufficiency.method.links import Link

BOUNDS = [(0.0, 1.0), (-1.0, 3.0), (0.0, None), (None, 1.0), (None, None)]


def link(direction: str, bounds: tuple[float | None, float | None], last: float = 0.7) -> Link:
    mean = np.array([0.2, 0.5, last])
    return Link.of(mean, np.array([0.05, 0.03, 0.02]), direction, bounds)  # type: ignore[arg-type]


@given(
    st.floats(0.0, 1.0),
    st.sampled_from(["maximize", "minimize"]),
    st.sampled_from(BOUNDS),
)
def test_there_and_back(value: float, direction: str, bounds: tuple[float | None, float | None]) -> None:
    of = link(direction, bounds)
    assert float(of.value(of.z(np.array([value])))[0]) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, None), (None, 0.0), (0.0, 100.0)])
def test_a_bound_comes_back_as_itself(direction: str, bounds: tuple[float | None, float | None]) -> None:
    of = link(direction, bounds, last=0.7 if bounds[0] is not None else -0.7)
    at = np.array([bound for bound in bounds if bound is not None])
    assert of.value(of.z(at)).tolist() == at.tolist()  # it was 1.1e-16, and "Accuracy is 1.11e-16" was said
    assert np.isnan(of.value(np.array([np.nan]))).all()


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("bounds", BOUNDS)
def test_lower_is_better(direction: str, bounds: tuple[float | None, float | None]) -> None:
    z = link(direction, bounds).z(np.linspace(0.05, 0.95, 10))
    assert (np.diff(z) < 0).all() if direction == "maximize" else (np.diff(z) > 0).all()


@pytest.mark.parametrize("bounds", BOUNDS)
def test_values_outside_the_bounds_count_as_on_them_and_come_back_within(
    bounds: tuple[float | None, float | None],
) -> None:
    of = link("maximize", bounds)
    values = of.value(of.z(np.array([-50.0, 50.0])))
    assert np.isfinite(values).all()
    assert bounds[0] is None or values[0] >= bounds[0]
    assert bounds[1] is None or values[1] <= bounds[1]


def test_the_slope_is_the_derivative_away_from_the_bounds() -> None:
    for bounds in BOUNDS:
        for direction in ("maximize", "minimize"):
            of, at, step = link(direction, bounds), np.array([0.3, 0.5, 0.7]), 1e-6
            measured = np.abs(of.z(at + step) - of.z(at - step)) / (2 * step)
            assert of.slope(at) == pytest.approx(measured, rel=0.03)


def test_a_scale_of_its_own_does_not_depend_on_units() -> None:
    mean, sd = np.array([900.0, 700.0, 640.0]), np.array([30.0, 20.0, 10.0])
    small = Link.of(mean / 1e3, sd / 1e3, "minimize", (0.0, None))
    large = Link.of(mean, sd, "minimize", (0.0, None))
    assert small.z(mean / 1e3) == pytest.approx(large.z(mean))
    free = Link.of(mean, sd, "minimize", (None, None))
    assert free.z(mean) == pytest.approx(Link.of(mean + 1e4, sd, "minimize", (None, None)).z(mean + 1e4))
