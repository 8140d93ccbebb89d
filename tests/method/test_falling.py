"""Whether a loss still fell when its training ended, told from its course."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sufficiency.method.falling import LEAST_STEPS, Ending, ending

T = np.arange(1, 1001, dtype=np.float64)
RNG = np.random.default_rng(0)
# Of ten batches that always come in the same order, some are harder.
EPOCHS = np.tile(1 + 0.8 * np.sin(np.arange(10)), 100)


def told(losses: NDArray[np.float64], highest: float | None = 0.1, last: float | None = 0.1) -> Ending | None:
    return ending(losses, np.ones(len(losses), dtype=np.int64), highest, last)


@pytest.mark.parametrize(
    ("losses", "falls"),
    [
        pytest.param(3 * T**-0.5, True, id="falling"),
        pytest.param(3 * T**-0.5 * EPOCHS, True, id="falling-in-epochs"),
        pytest.param(3 * T**-0.5 * RNG.gamma(2, 0.5, 1000), True, id="falling-with-noise"),
        pytest.param(np.full(1000, 0.5), False, id="level"),
        pytest.param(0.5 * EPOCHS, False, id="level-in-epochs"),
        pytest.param(0.5 * RNG.gamma(2, 0.5, 1000), False, id="level-with-noise"),
        pytest.param(0.5 + 2 * np.exp(-T / 50), False, id="come-down-early"),
        pytest.param(0.5 + 0.001 * T, False, id="rising"),
        pytest.param(1 - 0.00002 * T, False, id="hardly-falling"),
        pytest.param(np.zeros(1000), False, id="nothing-left"),
        pytest.param(-np.log(T), None, id="below-zero"),
    ],
)
def test_it_falls_beyond_its_noise_or_not(losses: NDArray[np.float64], falls: bool | None) -> None:
    found = told(losses)
    assert found is not None
    assert found.falls is falls


def test_its_figures_are_those_of_the_loss() -> None:
    found = told(3 * T**-0.5)
    assert found is not None
    assert (found.start, found.halfway, found.end) == pytest.approx((1.5, 3 * 500**-0.5, 3 * 1000**-0.5), rel=0.06)
    in_parts = ending((3 * T**-0.5).reshape(-1, 8).mean(1), np.full(125, 8), 0.1, 0.1)
    assert in_parts is not None
    assert (in_parts.halfway, in_parts.end) == pytest.approx((found.halfway, found.end), rel=1e-3)


@pytest.mark.parametrize(
    ("highest", "last"), [pytest.param(0.1, 0.0, id="cosine"), pytest.param(None, None, id="not-known")]
)
def test_what_ended_as_it_was_meant_to_is_not_told(highest: float | None, last: float | None) -> None:
    found = told(3 * T**-0.5, highest, last)
    assert found is not None
    assert found.falls is None


def test_few_steps_and_what_is_no_number_tell_nothing() -> None:
    assert told(3 * T[: LEAST_STEPS - 1] ** -0.5) is None
    assert told(np.where(T == 700, np.nan, T)) is None
    assert told(np.zeros(0)) is None
