"""What every method's fit can be asked, whichever it is."""

import json
from typing import get_args

import numpy as np
import pytest

from sufficiency.method.methods import METHOD_VERSIONS, fit_series, kept_fit
from sufficiency.method.projection import inv_project
from sufficiency.schemas.words import Method, Of
from tests.method.curves import ACCURACY, N, series

RUNS = [ACCURACY, [value - 0.01 for value in ACCURACY]]


@pytest.mark.parametrize("method", METHOD_VERSIONS)
def test_a_kept_fit_answers_as_the_one_that_was_made(method: Method) -> None:
    made = fit_series(series(RUNS), method)
    kept = kept_fit(json.loads(json.dumps(made.to_dict())), method)
    sizes = [1, 30, 2500, 40_000]
    assert kept.value(sizes).tolist() == made.value(sizes).tolist()
    whose: tuple[Of, ...] = get_args(Of)
    for of in whose:
        both = [fit.quantile(sizes, 0.1, of=of) for fit in (kept, made)]
        np.testing.assert_array_equal(*both)
    assert inv_project(series(RUNS), kept, 0.93) == inv_project(series(RUNS), made, 0.93)
    assert (kept.n_min, kept.n_max, kept.params()) == (made.n_min, made.n_max, made.params())


@pytest.mark.parametrize("method", METHOD_VERSIONS)
def test_shapes_are_those_of_the_sizes(method: Method) -> None:
    fit = fit_series(series(RUNS), method)
    for sizes in (5000.0, [5000.0], [[100.0, 200.0, 300.0]]):
        assert fit.value(sizes).shape == fit.quantile(sizes, 0.5).shape == np.shape(sizes)
        assert fit.draws(sizes, 7).shape == (7, *np.shape(sizes))


def test_draws_stand_for_the_distribution() -> None:
    fit = fit_series(series(RUNS), "calibrated")
    drawn = fit.draws(10_000, 200)
    assert (np.diff(drawn) >= 0).all()
    for q in (0.1, 0.5, 0.9):
        assert (drawn <= fit.quantile(10_000, q)).mean() == pytest.approx(q, abs=0.005)
    target = float(fit.quantile(10_000, 0.3))
    assert (drawn >= target).mean() == pytest.approx(fit.probability_of_meeting(10_000, target), abs=0.005)


def test_a_line_without_a_distribution_claims_none() -> None:
    fit = fit_series(series(RUNS), "power_law")
    assert np.isnan(fit.quantile([100, 5000], 0.9)).all()
    assert np.isnan(fit.draws(5000, 3)).all()
    assert np.isnan(fit.probability_of_meeting(5000, 0.9))
    assert fit.bends(1, 1e6).size == 0


def test_a_curve_bends_where_it_was_measured() -> None:
    fit = fit_series(series(RUNS), "calibrated")
    bends = fit.bends(fit.n_min, 2000)
    assert bends == pytest.approx(N[1:-1])
