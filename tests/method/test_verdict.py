"""The verdict: worth it or not, in sentences that fit its numbers and one another."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from sufficiency.method.backtest import Backtest, Prediction, backtest
from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.diagnosis import Drivers, diagnose
from sufficiency.method.projection import project
from sufficiency.method.verdict import Verdict, judge
from sufficiency.method.worthwhile import least_worthwhile
from tests.method.contradictions import contradictions
from tests.method.curves import BOUNDS, RISING, N, Series, noisy, series, studies

STEEP = series(noisy(1 - 3.0 * N**-0.4))
LEVEL = series(noisy(np.minimum(0.3 + 0.1 * np.log2(N / 25), 0.6), 0.002))
SLOW = series(noisy(0.9 + 0.002 * np.log2(N / 25), 0.0005))
JUMPING = series(noisy(np.where(N < 1000, 0.1, 0.5 + 0.1 * np.log2(N / 1000))))


def verdict(curve: Series, items: int | None = None, min_gain: float | None = None) -> Verdict:
    test = backtest(curve, "calibrated")
    return judge(curve, fit_calibrated(curve), diagnose(curve), test=test, items=items, min_gain=min_gain)


def kinds(told: Verdict) -> list[str]:
    return [one.kind for one in told.statements]


def test_a_steep_curve_is_worth_more_data() -> None:
    told = verdict(STEEP)
    assert told.worth == "yes"
    assert [gain.n for gain in told.more] == [5000, 7500, 12_500]
    assert [gain.added for gain in told.more] == [1, 2, 4]
    assert told.more[0].gain < told.more[1].gain < told.more[2].gain
    assert "More data is worth it: a gain of about 0.029 is to be expected, and 0.01 is the least" in told.sentence
    assert "n = 2,500" in told.sentence


def test_a_level_curve_is_not_worth_more_data_and_the_model_is_what_limits_it() -> None:
    told = verdict(LEVEL)
    assert told.worth == "no"
    assert [limit.code for limit in told.limits] == ["model"]
    assert "hardly worth it" in told.sentence
    assert "It is level" in told.sentence
    assert told.ceiling.in_sight
    assert told.ceiling.value == pytest.approx(0.6, abs=0.1)


def test_only_a_level_curve_is_called_level() -> None:
    slow = verdict(SLOW)
    assert slow.worth == "no"
    assert "level" not in slow.sentence
    assert [limit.code for limit in slow.limits] == ["slow"]
    # What misled: 3.5 points a doubling, far from any ceiling, were called hardly worth it and nearly level.
    rising = verdict(series(noisy(0.4 + 0.22 * np.log2(N / 25) / 6.6)))
    assert rising.worth == "yes"
    assert "No ceiling is in sight" in rising.sentence


def test_what_counts_is_the_users_to_say_and_always_said() -> None:
    curve = series(noisy(RISING))
    assert verdict(curve, min_gain=1e-6).worth == "yes"
    assert verdict(curve, min_gain=0.4).worth == "no"
    assert verdict(curve, min_gain=0.4).more[0].probability == 0.0, "there is no room for it"
    for told in (verdict(curve), verdict(curve, min_gain=0.4), verdict(LEVEL), verdict(JUMPING), verdict(SLOW)):
        assert f"{told.min_gain:.2g} is the least" in told.sentence


@pytest.mark.parametrize(
    ("now", "direction", "bounds", "expected"),
    [
        pytest.param(0.5, "maximize", (0.0, 1.0), 0.01, id="far"),
        pytest.param(0.93, "maximize", (0.0, 1.0), 0.007, id="near"),
        pytest.param(0.999, "maximize", (0.0, 1.0), 0.005, id="at_the_top"),
        pytest.param(93.0, "maximize", (0.0, 100.0), 0.7, id="percent"),
        pytest.param(0.4, "minimize", (0.0, None), 0.02, id="loss"),
        pytest.param(0.8, "maximize", (None, 1.0), 0.01, id="r2"),
        pytest.param(-20.0, "maximize", (None, None), 1.0, id="reward"),
    ],
)
def test_what_counts_unless_somebody_says(now: float, direction: str, bounds: object, expected: float) -> None:
    curve = series([[now * 0.9, now * 0.95, now]], [10, 20, 40], direction, bounds)
    assert least_worthwhile(curve, now) == pytest.approx(expected)


def test_noise_is_no_higher_bar_but_a_reason_not_to_know() -> None:
    curve = series(noisy(1 - 1.2 * N**-0.45))
    few, many = verdict(curve, items=120), verdict(curve, items=1_000_000)
    assert few.test_sd == pytest.approx((curve.mean()[-1] * (1 - curve.mean()[-1]) / 120) ** 0.5)
    assert few.min_gain == many.min_gain == verdict(curve).min_gain
    assert (few.worth, many.worth) == ("unclear", "yes")
    assert "120 test items give such a difference a noise of" in few.sentence
    assert few.limits[0].code == "test_set"
    needed = int(re.findall(r"about ([\d,]+) items", few.limits[0].remedy)[0].replace(",", ""))
    assert verdict(curve, items=needed).worth == "yes", "what is said to tell does"
    assert "test_set" not in [limit.code for limit in many.limits]
    assert verdict(curve).test_sd is None


def test_at_the_best_nothing_is_left_and_near_it_so_much() -> None:
    ones = verdict(series(np.ones((5, 10))))
    assert ones.worth == "no"
    assert "Nothing is left to gain" in ones.sentence
    assert not ones.limits
    near = verdict(series(np.minimum(noisy(1 - 0.03 * N**-0.5, 2e-4), 1)))
    assert near.worth == "no", "from .9990 to .9995 is no reason to buy"
    assert near.left is not None
    assert f"at most {near.left:.2g} is left to gain" in near.sentence


def test_a_curve_that_did_not_foresee_itself_bears_no_answer() -> None:
    told = verdict(JUMPING)
    assert told.more[0].probability > 0.8
    assert told.worth == "unclear"
    assert told.limits[0].code == "backtest"
    assert "missed the larger ones by 0.39 on average" in told.sentence
    assert "ceiling" not in told.sentence
    test = Backtest((Prediction(625, 2500, 0.3, 0.2, 0.4, 0.871),))
    fit = fit_calibrated(STEEP)
    assert judge(STEEP, fit, diagnose(STEEP), test=test).worth == "unclear"
    assert judge(STEEP, fit, diagnose(STEEP), test=Backtest(())).worth == "yes"


def test_a_metric_without_values_where_others_have_them_bears_no_answer() -> None:
    told = judge(STEEP, fit_calibrated(STEEP), diagnose(STEEP), n_observed=10_000)
    assert told.worth == "unclear"
    assert "no value beyond n = 2,500, while n = 10,000 is measured" in told.sentence
    assert judge(STEEP, fit_calibrated(STEEP), diagnose(STEEP), n_observed=4_000).worth == "yes"


def test_too_few_runs_limit_a_scattered_curve() -> None:
    one = verdict(series(RISING))
    assert [limit.code for limit in one.limits if limit.code == "runs"] == ["runs"]
    assert "3 to 5 runs" in next(limit.remedy for limit in one.limits if limit.code == "runs")


def test_a_loss_gains_by_falling() -> None:
    told = verdict(series(2.0 * noisy(N**-0.4, 0.002), direction="minimize", bounds=(0.0, None)))
    assert told.more[0].gain > 0
    assert told.more[0].value < told.now.value
    assert told.more[0].gain_lower <= told.more[0].gain <= told.more[0].gain_upper
    assert "Twice the data should lower it to" in told.sentence
    assert "a reduction of about" in told.sentence
    assert "gain" not in told.sentence


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
    assert curve.metric in told.sentence
    assert "nan" not in told.sentence
    assert "e+" not in told.sentence
    assert told.ceiling.lower <= told.ceiling.value <= told.ceiling.upper


def test_its_sentence_shows_the_difference_that_it_speaks_of() -> None:
    told = verdict(series(noisy(1 - 0.5 * N**-0.8, 1e-5)), min_gain=1e-4)
    assert told.more[0].gain < 1e-3
    [before, after] = re.findall(r"is (0\.\d+) at .* to (0\.\d+) \(", told.sentence)[0]
    assert float(after) - float(before) == pytest.approx(told.more[0].gain, rel=0.5)


def random_curve(rng: np.random.Generator) -> Series:
    """Return a curve of any kind: rising, level, falling, jumping, at its best; of any range, noise and number."""
    n = np.unique(np.round(np.geomspace(rng.integers(5, 50), rng.choice([200, 2500, 60_000]), rng.integers(3, 12))))
    u = np.log2(n / n[0]) / np.log2(n[-1] / n[0])
    shape = rng.integers(6)
    floor, drop = rng.uniform(0, 0.3), rng.choice([0.001, 0.05, 0.5])
    error = {
        0: floor + drop * (n / n[0]) ** -rng.uniform(0.05, 1.2),
        1: np.full(len(n), floor),
        2: floor + 0.2 * drop * u,
        3: floor + drop * (u < rng.uniform(0.2, 0.9)),
        4: floor + drop * (1 - u) ** 2,
        5: 1e-4 * rng.uniform() * (1 - u),
    }[int(shape)]
    runs = int(rng.choice([1, 2, 5]))
    values = np.clip(error + rng.choice([0, 1e-3, 0.02]) * rng.normal(size=(runs, len(n))), 0, 1)
    maximize = bool(rng.integers(2))
    scale = rng.choice([1.0, 1.0, 1e4])
    low, high = BOUNDS[rng.integers(len(BOUNDS))]
    bounds = (low, None if high is None else high * scale)
    values = scale * (1 - values if maximize else values)
    return Series("Metric", None, n, values, "maximize" if maximize else "minimize", bounds)


def look_for_contradictions(count: int) -> tuple[list[tuple[int, list[str], str]], set[str]]:
    """Return what is wrong with the verdicts of random curves, and which answers there were."""
    found, answers = [], set()
    for seed in range(count):
        rng = np.random.default_rng([seed, 15])
        curve = random_curve(rng)
        fit = fit_calibrated(curve)
        told = judge(
            curve,
            fit,
            diagnose(curve),
            items=int(rng.choice([50, 1000, 10**6])) if curve.bounds == (0.0, 1.0) else None,
            drivers=Drivers(int(5 * fit.n_max), [], [], float(abs(rng.normal()) * curve.mean().std())),
        )
        answers |= {told.worth, *kinds(told)}
        if wrong := list(contradictions(told.statements)):
            found.append((seed, wrong, told.sentence))
    return found, answers


def test_no_two_claims_of_one_answer_contradict_each_other() -> None:
    found, answers = look_for_contradictions(700)
    assert not found
    assert answers >= {"yes", "no", "unclear", "worth_it", "not_worth_it", "cannot_be_told", "ceiling", "no_ceiling"}


@pytest.mark.slow
def test_no_two_claims_of_ten_thousand_answers_contradict_each_other() -> None:
    found, _ = look_for_contradictions(10_000)
    assert not found


def test_a_contradiction_would_be_found() -> None:
    told = verdict(STEEP)
    level = [replace(one, direction="level") if one.kind == "expected" else one for one in told.statements]
    assert list(contradictions(level))
    assert list(contradictions([*told.statements, verdict(LEVEL).statements[2]])) == ["2 answers"]
    swapped = [replace(one, kind="not_worth_it") if one.kind == "worth_it" else one for one in told.statements]
    assert list(contradictions(swapped)) == ["not worth it for all that counts"]
