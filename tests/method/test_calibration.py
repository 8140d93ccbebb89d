"""The learned networks: what one ensemble of both says."""

from dataclasses import replace

import numpy as np
import pytest

from sufficiency.method.calibration import Calibration, calibration
from sufficiency.method.course import CONTEXT
from sufficiency.method.mixture import posterior
from sufficiency.method.observed import observe
from sufficiency.method.summary import AHEAD, summarise
from sufficiency.schemas.words import METRIC_FAMILIES, MetricFamily
from tests.method.curves import series


def parts(learned: Calibration, family: MetricFamily) -> dict[str, np.ndarray]:
    """Return what is said of random curves of a family, whose widths are not scaled."""
    rng = np.random.default_rng(0)
    inputs, context = rng.normal(size=(3, 5, len(learned.network.offset))), rng.normal(size=(3, CONTEXT))
    mean, sd = rng.normal(size=(3, 5)), np.exp(rng.normal(size=(3, 5)))
    said = learned.correct(inputs, context[:, None], mean, sd, "logit", family, single=False)
    in_two = learned.correct(
        inputs[..., -6:], context, mean, sd, "logit", family, single=False, curve=inputs[..., 0, :-6]
    )
    alike = inputs.copy()
    alike[..., :-6] = inputs[..., :1, :-6]
    whole = learned.correct(alike, context[:, None], mean, sd, "logit", family, single=False)
    for name, values in vars(whole).items():
        np.testing.assert_allclose(vars(in_two)[name], values, rtol=1e-9)
    return vars(said)


@pytest.mark.parametrize("family", METRIC_FAMILIES)
def test_the_median_of_both_networks_lies_between_theirs_by_the_share(family: MetricFamily) -> None:
    learned = calibration()
    place = METRIC_FAMILIES.index(family)
    share = float(learned.share[place])
    alone = [replace(learned, share=np.full(len(METRIC_FAMILIES), one)) for one in (0.0, 1.0)]
    first, second, both = (parts(one, family)["centre"] for one in (*alone, learned))
    np.testing.assert_allclose(both, (1.0 - share) * first + share * second, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("single", [False, True], ids=["several-runs", "one-run"])
def test_widths_grow_with_the_distance_and_the_median_stays(single: bool) -> None:
    learned = calibration()
    assert (learned.growth >= 0.0).all(), "widths never shrink outwards"
    inputs = np.random.default_rng(1).normal(size=(7, len(learned.network.offset)))
    inputs[:, AHEAD] = [0.0, 0.25, 0.5, 1.5, 2.5, 3.0, 5.0]
    none, growing = (
        replace(learned, growth=np.full((2, len(METRIC_FAMILIES)), by)).correct(
            inputs, np.zeros(CONTEXT), np.zeros(7), np.ones(7), "log", "loss", single=single
        )
        for by in (0.0, 0.1)
    )
    expected = np.exp(0.1 * np.array([-1.0, -1.0, -1.0, 0.0, 1.0, 1.5, 1.5]))
    for side in ("below", "above"):
        np.testing.assert_allclose(vars(growing)[side] / vars(none)[side], expected, rtol=1e-12)
    for same in ("centre", "tail"):
        np.testing.assert_array_equal(vars(growing)[same], vars(none)[same])


def test_the_distance_is_the_input_that_it_is_read_from() -> None:
    ahead = np.array([0.25, 1.0, 3.0])
    seen = observe(series([[0.5, 0.6, 0.7, 0.75], [0.52, 0.6, 0.69, 0.75]], [50, 100, 200, 400]))
    mixture = posterior(seen.x, seen.z, seen.noise.mean, calibration().several)
    inputs, _, _ = summarise(seen, mixture, ahead)
    np.testing.assert_array_equal(inputs[:, AHEAD], ahead)
