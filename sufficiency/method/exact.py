"""Whether the means lie on a power law as closely as no real curve does: a constructed curve, or one without any noise.

Real curves bend away from a power law, which is what the calibrated method has learned to expect. Where they plainly do
not, its caution would be wrong: whoever tries the service on 1 − n^−0.5 is told what 1 − n^−0.5 is.
"""

from dataclasses import dataclass

import numpy as np

from sufficiency.method.curve import Array
from sufficiency.method.observed import Observed
from sufficiency.method.remembered import by_sizes

# Three parameters go through any three means, and near to any four.
_LEAST_STEPS, _LEAST_RANGE = 5, 8.0
# The misfit, as a share of the whole change, at which the law is all that counts, and at which it counts for nothing.
# Of LCDB's curves by ten steps the closest one has .004, in means of 25 splits; of five runs .011.
_ALL, _NOTHING = 1e-4, 1e-3
_STEPS = 12
_EXPONENTS = np.geomspace(0.02, 4.0, 80)
# Between two of the exponents above the best law is missed by less than this share.
_WORTH_A_LOOK = 1e-2
# The limit is told less exactly than the means are: what it lies beyond the metric's bounds counts so much as misfit.
_OF_THE_LIMIT = 0.1
# A scatter that is none: so much of the change is what the means of equal runs are given.
_NO_SCATTER = 1e-3
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


@np.errstate(over="ignore", invalid="ignore")  # a curve of such numbers is none of these
def exact_laws(seen: Observed) -> dict[int, ExactLaw]:
    """Return of several curves, shape (B, K), those whose means all lie on a law, by place; no real one does."""
    if len(seen.n) < _LEAST_STEPS or seen.n[-1] < _LEAST_RANGE * seen.n[0]:
        return {}
    change = seen.mean[:, -1:] - seen.mean[:, :1]
    improves = seen.z[:, -1] < seen.z[:, 0]
    share = (seen.mean - seen.mean[:, :1]) / np.where(improves[:, None], change, 1.0)
    off, off_squares = _laws_at(seen.n)
    rest = share - share.sum(axis=-1, keepdims=True) / len(seen.n)
    squares = np.maximum(np.vecdot(rest, rest)[:, None] - (rest @ off) ** 2 / off_squares, 0.0)
    closest = squares.argmin(axis=-1)
    near = np.sqrt(squares.min(axis=-1) / (len(seen.n) - 3)) <= _WORTH_A_LOOK
    inside = (closest > 0) & (closest < len(_EXPONENTS) - 1)
    worth_a_look = improves & near & inside
    if not worth_a_look.any():
        return {}
    worth_a_look &= _scatter(seen) < _NOTHING * np.abs(change[:, 0])
    found = {
        int(place): _exact_law(seen.of_curve(int(place)), float(_EXPONENTS[closest[place]]))
        for place in np.flatnonzero(worth_a_look)
    }
    return {place: law for place, law in found.items() if law.weight > 0.0}


@by_sizes
def _laws_at(n: Array) -> tuple[Array, Array]:
    """Return by how much laws of each exponent are off their means, (K, E), and the sums of the squares, (E,)."""
    t = np.exp(-_EXPONENTS * np.log(n / n[0])[:, None])
    off = t - t.mean(axis=0)
    return off, (off * off).sum(axis=0)


def _exact_law(seen: Observed, exponent: float) -> ExactLaw:
    """Return the best law of a curve, by Gauss and Newton's steps from one with an exponent near the best."""
    change = float(seen.mean[-1] - seen.mean[0])
    share = (seen.mean - seen.mean[0]) / change
    log_n = np.log(seen.n / seen.n[0])
    asymptote, scale = 1.0, -1.0
    for _ in range(_STEPS):
        t = np.exp(-exponent * log_n)
        slopes = np.stack([np.ones_like(t), t, -scale * log_n * t], axis=1)
        if not np.isfinite(slopes).all():
            break
        step = np.linalg.lstsq(slopes, share - asymptote - scale * t)[0]
        asymptote, scale = asymptote + float(step[0]), scale + float(step[1])
        exponent = float(np.clip(exponent + step[2], *_EXPONENTS[[0, -1]]))
    misfits = share - asymptote - scale * np.exp(-exponent * log_n)
    limit = float(seen.mean[0]) + change * asymptote
    # What a metric cannot reach is no limit of its curve.
    beyond = abs(float(seen.link.value(seen.link.z(np.array([limit])))[0]) - limit) / abs(change)
    misfit = float(np.sqrt(misfits @ misfits / (len(share) - 3)))
    misfit = max(misfit, float(_scatter(seen)) / abs(change), _OF_THE_LIMIT * beyond, 1e-15)
    weight = float(np.clip(np.log(_NOTHING / misfit) / np.log(_NOTHING / _ALL), 0.0, 1.0))
    return ExactLaw(limit, change * scale, exponent, float(seen.n[0]), weight)


def _scatter(seen: Observed) -> Array:
    """Return by how much means scatter, in the metric's units, shape (...): those that do lie on a law by chance."""
    if not seen.noise.known:
        return np.zeros(seen.mean.shape[:-1])
    error = np.max(np.sqrt(seen.noise.mean) / seen.link.slope(seen.mean), axis=-1)
    none: Array = _NO_SCATTER * np.abs(seen.mean[..., -1] - seen.mean[..., 0])
    return np.asarray(np.maximum(error - none, 0.0))
