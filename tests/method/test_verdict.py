"""The verdict: worth it or not, in numbers that fit its words."""

import re

import numpy as np
import pytest
from hypothesis import given, settings

from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.diagnosis import diagnose
from sufficiency.method.projection import project
from sufficiency.method.verdict import SURE, Verdict, judge
from tests.method.curves import RISING, N, Series, noisy, series, studies


def verdict(curve: Series, items: int | None = None, min_gain: float | None = None) -> Verdict:
    return judge(curve, fit_calibrated(curve), diagnose(curve), items=items, min_gain=min_gain)


def test_a_steep_curve_is_worth_more_data() -> None:
    told = verdict(series(noisy(1 - 3.0 * N**-0.4)))
    assert told.worth == "yes"
    assert told.more[0].probability >= SURE
    assert [gain.n for gain in told.more] == [5000, 7500, 12_500]
    assert [gain.added for gain in told.more] == [1, 2, 4]
    assert told.more[0].gain < told.more[1].gain < told.more[2].gain
    assert "more data is worth it" in told.sentence
    assert "5,000" not in told.sentence
    assert "n = 2,500" in told.sentence


def test_a_level_curve_is_not_worth_more_data_and_the_model_is_what_limits_it() -> None:
    told = verdict(series(noisy(np.minimum(0.3 + 0.1 * np.log2(N / 25), 0.6), 0.002)))
    assert told.worth == "no"
    assert [limit.code for limit in told.limits] == ["model"]
    assert "hardly worth it" in told.sentence
    assert told.ceiling.in_sight
    assert told.ceiling.value == pytest.approx(0.6, abs=0.1)


def test_what_is_worthwhile_is_the_users_to_say() -> None:
    curve = series(noisy(RISING))
    assert verdict(curve, min_gain=1e-6).worth == "yes"
    assert verdict(curve, min_gain=0.4).worth == "no"
    assert verdict(curve, min_gain=0.4).more[0].probability == 0.0, "there is no room for it"
    # A tenth of what is left.
    assert verdict(curve).min_gain == pytest.approx(0.1 * (1 - curve.mean()[-1]))


def test_a_small_test_split_is_what_limits_a_small_gain() -> None:
    curve = series(noisy(RISING))
    few, many = verdict(curve, items=100), verdict(curve, items=1_000_000)
    assert few.test_sd == pytest.approx((curve.mean()[-1] * (1 - curve.mean()[-1]) / 100) ** 0.5)
    assert few.min_gain >= few.test_sd
    assert "test_set" in [limit.code for limit in few.limits]
    assert "test_set" not in [limit.code for limit in many.limits]
    assert verdict(curve).test_sd is None


def test_too_few_runs_limit_a_scattered_curve() -> None:
    assert "runs" in [limit.code for limit in verdict(series(RISING)).limits]
    one = verdict(series(RISING))
    assert "3 to 5 runs" in one.limits[0].remedy


def test_a_loss_gains_by_falling() -> None:
    told = verdict(series(2.0 * noisy(N**-0.4, 0.002), direction="minimize", bounds=(0.0, None)))
    assert told.more[0].gain > 0
    assert told.more[0].value < told.now.value
    assert told.more[0].gain_lower <= told.more[0].gain <= told.more[0].gain_upper


@settings(max_examples=40, deadline=None)
@given(studies())
def test_its_numbers_are_those_of_project_and_its_words_those_of_its_numbers(curve: Series) -> None:
    fit = fit_calibrated(curve)
    told = judge(curve, fit, diagnose(curve), items=500 if curve.bounds == (0.0, 1.0) else None)
    for gain in told.more:
        [point] = project(curve, fit, [gain.n])
        assert (gain.value, gain.lower, gain.upper) == pytest.approx((point.value, point.lower, point.upper))
        assert 0 <= gain.probability <= 1
    assert told.min_gain > 0
    chances = [gain.probability for gain in told.more]
    assert told.worth == ("yes" if chances[0] >= 0.8 else "no" if chances[0] <= 0.2 else "unclear")
    assert curve.metric in told.sentence
    assert "nan" not in told.sentence
    assert told.ceiling.lower <= told.ceiling.value <= told.ceiling.upper


def test_its_sentence_shows_the_difference_that_it_speaks_of() -> None:
    told = verdict(series(noisy(1 - 0.5 * N**-0.8, 1e-5)))
    assert told.more[0].gain < 1e-3
    [before, after] = re.findall(r"is (0\.\d+) at .* to (0\.\d+) \(", told.sentence)[0]
    assert float(after) - float(before) == pytest.approx(told.more[0].gain, rel=0.5)
