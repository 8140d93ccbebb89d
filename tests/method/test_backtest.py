"""A curve is asked what it would have said of its own later steps."""

import json

import numpy as np
import pytest

from sufficiency.method.backtest import Backtest, backtest
from tests.method.curves import N, series

ERROR = 3.0 * N**-0.6 + 0.05


def test_later_steps_are_predicted_from_the_earlier_ones() -> None:
    test = backtest(series(1 - ERROR), "power_law")
    # Up to 2500/4: seven steps; up to 2500/2: eight.
    assert [(p.n_fitted, p.n) for p in test.predictions] == [
        (538, 898),
        (538, 1498),
        (538, 2500),
        (898, 1498),
        (898, 2500),
    ]
    assert test.error == pytest.approx(0.0, abs=1e-6)
    assert test.inside_interval is None, "the power law gives no interval"
    assert [p.measured for p in test.predictions] == pytest.approx(1 - np.array(ERROR)[[7, 8, 9, 8, 9]])


def test_a_regular_curve_is_inside_its_intervals_and_a_broken_one_is_not() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.004, (5, 10))
    regular = backtest(series(1 - ERROR + noise), "calibrated")
    assert regular.inside_interval == 1.0
    assert regular.error is not None
    assert regular.error < 0.02
    broken = 1 - ERROR + noise
    broken[:, 8:] -= 0.4
    test = backtest(series(broken), "calibrated")
    assert test.inside_interval is not None
    assert test.inside_interval <= 0.5
    assert test.error is not None
    assert test.error > 0.15


def test_too_few_early_steps_predict_nothing() -> None:
    for curve in (series([0.5, 0.6, 0.7], [100, 200, 300]), series(np.full(10, np.nan))):
        test = backtest(curve, "calibrated")
        assert (test.predictions, test.error, test.inside_interval) == ((), None, None)


def test_it_survives_storage() -> None:
    test = backtest(series(1 - ERROR), "calibrated")
    assert Backtest.from_dict(json.loads(json.dumps(test.to_dict()))) == test
