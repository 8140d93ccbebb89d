"""The learned networks: what one ensemble of both says."""

from dataclasses import replace

import numpy as np
import pytest

from sufficiency.method.calibration import Calibration, calibration
from sufficiency.method.course import CONTEXT
from sufficiency.schemas.words import METRIC_FAMILIES, MetricFamily


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
