"""Every answer is of one posterior: on 330 random curves no two of them contradict each other."""

import itertools
from functools import cache

import numpy as np
import pytest

from sufficiency.method.calibrated import CalibratedFit, fit_calibrated, one_posterior
from sufficiency.method.curve import HORIZON, Array
from sufficiency.method.diagnosis import diagnose
from sufficiency.method.measurements import Series
from sufficiency.method.projection import inv_project, project
from sufficiency.method.verdict import judge
from tests.method.curves import N, noisy, random_curves, series

COUNT = 330
AHEAD = np.exp2(np.arange(0.0, 10.01, 0.125))


@cache
def fitted() -> list[tuple[Series, CalibratedFit, bool]]:
    return [
        (curve, fit_calibrated(curve), any(flag.code == "non_monotone" for flag in diagnose(curve)))
        for curve in random_curves(COUNT)
    ]


def better(curve: Series, values: Array) -> Array:
    """Values turned so that higher is better."""
    return values if curve.direction == "maximize" else -values


def slack(values: Array) -> float:
    return 1e-9 * (1.0 + float(np.abs(values).max()))


def of_draws(curve: Series, fit: CalibratedFit, n: Array) -> Array:
    return better(curve, fit.draws(n, 99))


def test_the_median_never_falls_beyond_what_was_measured_unless_the_data_do() -> None:
    fallen = []
    for k, (curve, fit, dips) in enumerate(fitted()):
        ahead = better(curve, fit.value(fit.n_max * AHEAD))
        if not dips and (np.diff(ahead) < -slack(ahead)).any():
            fallen.append(k)
    assert fallen == []


def test_a_better_mean_than_the_last_gets_no_less_probable_with_more_data() -> None:
    worse = []
    for k, (_, fit, dips) in enumerate(fitted()):
        last = float(fit.z[fit.log2_n <= np.log2(fit.n_max) + 1e-9][-1])
        ahead = fit.log2_n >= np.log2(fit.n_max) - 1e-9
        goals = last - np.array([1e-6, 0.01, 0.05, 0.2, 0.5, 1.0])
        chances = np.array([fit.probability_at_most(goal)[ahead] for goal in goals])
        if not dips and (np.diff(chances, axis=1) < -1e-9).any():
            worse.append(k)
    assert worse == []


def test_the_verdicts_chances_rise_with_the_data_that_is_added() -> None:
    worse = []
    for k, (curve, fit, dips) in enumerate(fitted()[::3]):
        chances = [gain.probability for gain in judge(curve, fit, diagnose(curve)).more]
        if not dips and any(few > many + 1e-9 for few, many in itertools.pairwise(chances)):
            worse.append(k)
    assert worse == []


def test_widths_never_shrink_outwards() -> None:
    # On the scale of the link: at 0.99 of 1 there is less room for what is at 0.9 of it.
    narrower = []
    for k, (_, fit, dips) in enumerate(fitted()):
        ahead = fit.log2_n >= np.log2(fit.n_max) - 1e-9
        widths = [fit.quantile_z(0.5 + level / 2) - fit.quantile_z(0.5 - level / 2) for level in (0.5, 0.8, 0.95)]
        if not dips and any((np.diff(width[ahead]) < -1e-9 * width.max()).any() for width in widths):
            narrower.append(k)
    assert narrower == []


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_the_size_a_target_needs_is_where_the_draws_meet_it(level: float) -> None:
    contradictory = []
    for k, (curve, fit, _) in enumerate(fitted()):
        last = float(curve.mean()[np.isfinite(curve.mean())][-1])
        far = float(fit.value(fit.n_max * 64))
        for target in (last + 0.3 * (far - last), far, float(fit.quantile(fit.n_max * 8, 0.8))):
            answer = inv_project(curve, fit, target, level)
            if answer.status == "reached":
                wrong = not 0 < answer.n <= fit.n_max  # type: ignore[operator]
            else:
                # What was not met at the largest size is not said to be met with no more than it.
                wrong = any(end is not None and end <= fit.n_max for end in (answer.lower, answer.n, answer.upper))
            for n, q in ((answer.lower, 0.5 - level / 2), (answer.n, 0.5), (answer.upper, 0.5 + level / 2)):
                if n is not None:
                    value = float(fit.quantile(n, q if fit.link.sign == 1 else 1.0 - q))
                    wrong |= bool(better(curve, np.array(value - target)) < -1e-6 * (1 + abs(target)))
            if wrong:
                contradictory.append(k)
    assert contradictory == []


def test_value_interval_and_probability_are_those_of_the_draws_at_every_distance() -> None:
    for curve, fit, _ in fitted()[::10]:
        for ratio in (1.0, 1.3, 4.0, 32.0, 200.0, HORIZON):
            n = fit.n_max * ratio
            drawn = of_draws(curve, fit, np.array([n]))[:, 0]
            scale = 1e-6 + np.ptp(drawn)
            [point] = project(curve, fit, [n], 0.8)
            assert better(curve, np.array(point.value)) == pytest.approx(float(np.median(drawn)), abs=0.02 * scale)
            ends = np.sort(better(curve, np.array([point.lower, point.upper])))
            assert ends == pytest.approx(np.quantile(drawn, [0.1, 0.9]), abs=0.05 * scale)
            target = float(fit.quantile(n, 0.35))
            share = float((drawn >= float(better(curve, np.array(target)))).mean())
            assert share == pytest.approx(fit.probability_of_meeting(n, target), abs=0.02)


def test_a_draw_is_one_curve_however_it_is_asked() -> None:
    fit = fit_calibrated(series(noisy(1 - 2.0 * N**-0.5)))
    together = fit.draws([2500.0, 5000.0, 20_000.0], 50, seed=3)
    one_by_one = np.stack([fit.draws(n, 50, seed=3) for n in (2500.0, 5000.0, 20_000.0)], axis=1)
    assert together.tolist() == one_by_one.tolist()
    assert sorted(together[:, 1].tolist()) == fit.draws(5000.0, 50)[:].tolist()
    assert together[:, 1].tolist() != fit.draws(5000.0, 50, seed=4).tolist()
    gains = together[:, 1:] - 1 + 2.0 * 2500**-0.5
    assert (gains[:, 1] >= gains[:, 0])[gains[:, 0] > 0.01].all(), "what is better does not get worse"


def test_past_what_was_learned_of_there_is_no_kink() -> None:
    kinked = []
    for k, (_, fit, _) in enumerate(fitted()):
        x = np.log2(fit.n_max) + np.array([4.0, 4.5, 5.0, 5.5, 6.0, 8.0])
        z = np.interp(x, fit.log2_n, fit.z)
        before, after = (z[2] - z[0]) / 1.0, (z[4] - z[2]) / 1.0
        # It goes on as it went: no steeper than the last doubling, and no flat curve falls again.
        if after < before - 1e-9 * (1 + abs(before)) or after > 1e-12:
            kinked.append(k)
    assert kinked == []


def test_one_posterior_keeps_what_does_not_contradict_itself() -> None:
    z, width = np.array([0.0, -0.1, -0.3, -0.6]), np.array([0.05, 0.06, 0.08, 0.1])
    kept = one_posterior(z, width, width, 0.0)
    assert [part.tolist() for part in kept] == [z.tolist(), width.tolist(), width.tolist()]
    z, below, above = one_posterior(np.array([0.1, -0.1, 0.0, -0.1]), width[::-1], 10 * width, 0.0)
    assert z.tolist() == [0.0, -0.1, -0.1, -0.1]
    assert below.tolist() == [0.1] * 4
    assert above.tolist() == pytest.approx([0.5, 0.6, 0.6, 0.6])
