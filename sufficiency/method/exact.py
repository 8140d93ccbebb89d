"""Whether the means lie on a power law as closely as no real curve does: a constructed curve, or one without any noise.

Real curves bend away from a power law, which is what the calibrated method has learned to expect. Where they plainly do
not, its caution would be wrong: whoever tries the service on 1 − n^−0.5 is told what 1 − n^−0.5 is.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from sufficiency.method.curve import Array
from sufficiency.method.observed import Observed

# Three parameters go through any three means, and near to any four.
_LEAST_STEPS, _LEAST_RANGE = 5, 8.0
# The misfit, as a share of the whole change, at which the law is all that counts, and at which it counts for nothing.
# Of LCDB's curves by ten steps the closest one has .004, in means of 25 splits; of five runs .011.
_ALL, _NOTHING = 1e-4, 1e-3
_EXPONENTS = np.geomspace(0.02, 4.0, 120)
# Between two of the exponents above the best law is missed by less than this share.
_WORTH_A_LOOK = 3e-3
# The limit is told less exactly than the means are: what it lies beyond the metric's bounds counts so much as misfit.
_OF_THE_LIMIT = 0.1
# A scatter that is none: so much of the change is what the means of equal runs are given.
_NO_SCATTER = 5e-4
# What is left of the widths: that the law goes on is an assumption all the same.
_NARROWEST = 0.2


@dataclass(frozen=True)
class ExactLaw:
    """The law asymptote + scale·(n / n_min)^−exponent, in the metric's units.

    Attributes
    ----------
    asymptote, scale, exponent, n_min : float
    weight : float
        How far it takes the place of what was learned, in (0, 1].
    """

    asymptote: float
    scale: float
    exponent: float
    n_min: float
    weight: float

    def value(self, n: Array) -> Array:
        """Return the law's values at sizes of any shape."""
        value: Array = self.asymptote + self.scale * (n / self.n_min) ** -self.exponent
        return value

    def pull(self, z: Array, law_z: Array) -> Array:
        """Return a median moved to the law's, both on the link's scale."""
        moved: Array = z + self.weight * (law_z - z)
        return moved

    def narrowed(self, width: Array) -> Array:
        """Return a width, shape (P,), as narrow as the law allows; never less than what the last mean has."""
        narrowed: Array = np.maximum(width * (1.0 - (1.0 - _NARROWEST) * self.weight), min(width[0], width[-1]))
        return narrowed


def exact_law(seen: Observed) -> ExactLaw | None:
    """Return the law on which all means lie; None where there is none, as with all real curves.

    Notes
    -----
    Least squares by variable projection: for each exponent the asymptote and the scale in closed form.
    """
    change = float(seen.mean[-1] - seen.mean[0])
    if len(seen.n) < _LEAST_STEPS or seen.n[-1] < _LEAST_RANGE * seen.n[0] or change == 0.0 or seen.z[-1] >= seen.z[0]:
        return None
    share = (seen.mean - seen.mean[0]) / change
    log_n = np.log(seen.n / seen.n[0])
    freedom = len(share) - 3
    misfits = _fitted(_EXPONENTS, log_n, share)[2]
    place = int(misfits.argmin())
    if np.sqrt(misfits[place] / freedom) > _WORTH_A_LOOK or place in (0, len(_EXPONENTS) - 1):
        return None
    around = (float(np.log(_EXPONENTS[place - 1])), float(np.log(_EXPONENTS[place + 1])))
    found = minimize_scalar(
        lambda at: float(_fitted(np.exp([at]), log_n, share)[2][0]),
        bounds=around,
        method="bounded",
        options={"xatol": 1e-9},
    )
    exponent = float(np.exp(found.x))
    asymptote, scale, squares = (float(one[0]) for one in _fitted(np.array([exponent]), log_n, share))
    limit = float(seen.mean[0]) + change * asymptote
    # What a metric cannot reach is no limit of its curve.
    beyond = abs(float(seen.link.value(seen.link.z(np.array([limit])))[0]) - limit) / abs(change)
    # Means that scatter lie on a law by chance.
    error = seen.noise.mean if seen.noise.known else np.zeros(1)
    scatter = float(np.sqrt(np.mean(error / seen.link.slope(seen.mean) ** 2))) / abs(change) - _NO_SCATTER
    misfit = max(float(np.sqrt(squares / freedom)), scatter, _OF_THE_LIMIT * beyond, 1e-15)
    weight = float(np.clip(np.log(_NOTHING / misfit) / np.log(_NOTHING / _ALL), 0.0, 1.0))
    return ExactLaw(limit, change * scale, exponent, float(seen.n[0]), weight) if weight > 0.0 else None


def _fitted(exponents: Array, log_n: Array, share: Array) -> tuple[Array, Array, Array]:
    """Return asymptote, scale and sum of squared misfits of the best law of each exponent, each of shape (M,)."""
    t = np.exp(-exponents[:, None] * log_n)
    t_mean, s_mean = t.mean(axis=1), float(share.mean())
    off, rest = t - t_mean[:, None], share - s_mean
    scale = off @ rest / np.maximum((off * off).sum(axis=1), 1e-300)
    misfit = rest - scale[:, None] * off
    return s_mean - scale * t_mean, scale, (misfit * misfit).sum(axis=1)
