"""A curve that is a power law is answered by that law; a real one never is."""

from collections.abc import Callable

import numpy as np
import pytest

from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.diagnosis import find_drivers
from sufficiency.method.exact import ExactLaw, exact_laws
from sufficiency.method.measurements import Series
from sufficiency.method.observed import observe_all
from sufficiency.schemas.words import Bounds, Direction

N = np.array([15.0, 40.0, 100.0, 300.0, 900.0])
Law = Callable[[np.ndarray], np.ndarray]
LAWS: dict[str, tuple[Law, Direction, Bounds]] = {
    "accuracy to one": (lambda n: 1 - n**-0.5, "maximize", (0.0, 1.0)),
    "accuracy to less": (lambda n: 0.9 - 0.8 * n**-0.4, "maximize", (0.0, 1.0)),
    "per cent": (lambda n: 100 - 80 * n**-0.4, "maximize", (0.0, 100.0)),
    "a tiny loss": (lambda n: 1e-9 * n**-0.5, "minimize", (0.0, None)),
    "a huge error": (lambda n: 1e9 * n**-0.3, "minimize", (0.0, None)),
    "R² from below zero": (lambda n: 1 - 40 * n**-0.7, "maximize", (None, 1.0)),
    "unbounded": (lambda n: 7 - 5 * n**-0.6, "maximize", (None, None)),
}


def exact_law(of: Series) -> ExactLaw | None:
    [[group], _] = observe_all([of])
    return exact_laws(group.seen).get(0)


def series(values: np.ndarray, direction: Direction, bounds: Bounds) -> Series:
    return Series("Metric", None, N, values, direction, bounds)


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("name", LAWS)
def test_the_law_is_the_answer_both_ways(name: str, runs: int) -> None:
    law, direction, bounds = LAWS[name]
    fit = fit_calibrated(series(np.tile(law(N), (runs, 1)), direction, bounds))
    far = np.array([1800.0, 5000.0, 50_000.0])
    gain = np.abs(law(far) - law(N[:1]))
    assert (np.abs(fit.value(far) - law(far)) < 1e-3 * gain).all()
    low, high = fit.quantile(far, 0.025), fit.quantile(far, 0.975)
    assert ((low < law(far)) & (law(far) < high)).all()
    ahead = fit.log2_n >= np.log2(N[-1])
    assert (np.diff(fit.below[ahead]) >= -1e-12).all()
    answer = fit.invert(float(law(np.array([5000.0]))[0]), direction, 0.95, 1024)
    assert answer.status == "needs"
    assert answer.n is not None
    assert abs(answer.n - 5000) <= 25


@pytest.mark.parametrize("bent", ["noisy", "worse", "short", "narrow", "past its bound", "another shape"])
def test_what_is_no_law_is_answered_as_before(bent: str) -> None:
    """By what was learned of real curves."""
    values, n = 1 - N**-0.5, N
    bounds: Bounds = (0.0, 1.0)
    match bent:
        case "noisy":
            values = values + np.random.default_rng(0).normal(0, 2e-3, (3, len(n)))
        case "worse":
            values = 0.2 + n**-0.5
        case "short":
            n, values = n[1:], values[1:]
        case "narrow":
            n = np.array([300.0, 400.0, 500.0, 700.0, 900.0])
            values = 1 - n**-0.5
        case "past its bound":
            values, bounds = 1.2 - 2 * n**-0.25, (0.0, 1.0)
        case "another shape":
            values = 0.2 * np.log10(n)
    of = Series("Metric", None, n, np.atleast_2d(values), "maximize", bounds)
    assert exact_law(of) is None


def test_how_far_it_is_the_law_goes_over_by_degrees() -> None:
    """No answer jumps where a curve is a little less exact."""
    bend = np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    answers, weights = [], []
    for size in np.geomspace(1e-5, 1e-3, 60):
        of = series((1 - N**-0.5 + size * bend)[None], "maximize", (0.0, 1.0))
        law = exact_law(of)
        weights.append(law.weight if law else 0.0)
        answers.append(float(fit_calibrated(of).value(5000.0)))
    assert weights[0] == 1.0
    assert weights[-1] == 0.0
    assert (np.diff(weights) <= 1e-9).all()
    assert np.abs(np.diff(answers)).max() < 5e-4


def test_what_drove_a_law_is_not_that_it_is_none_once_a_value_is_moved() -> None:
    exact = series((1 - N**-0.5)[None], "maximize", (0.0, 1.0))
    near = series((1 - N**-0.5 + 2e-3 * np.array([1.0, -1.0, 1.0, -1.0, 1.0]))[None], "maximize", (0.0, 1.0))
    of_law, of_curve = (find_drivers(one, 4500).steps for one in (exact, near))
    for one, other in zip(of_law, of_curve, strict=True):
        assert abs(one.sensitivity - other.sensitivity) < 0.3
