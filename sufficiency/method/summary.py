"""What the correcting network sees of a curve: summary statistics, each of order one whatever the metric."""

import math

import numpy as np

from sufficiency.method.course import slope
from sufficiency.method.curve import Array
from sufficiency.method.mixture import Mixture
from sufficiency.method.observed import Observed

# Where the recent course of the curve is read, in doublings before the last step.
_LOOK_BACK = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0])
_EXPONENTS = np.geomspace(1e-3, 20.0, 100)
# How far out the power laws are read: where they and the mixture part ways, in standard deviations of the latter.
_APART = 4.0
_LIMIT = 6.0
# Larger ones, of a training that diverged, are as good as this: their squares must not overflow.
_LARGEST_COST = 1e12


def summarise(seen: Observed, mixture: Mixture, ahead: Array) -> tuple[Array, Array, Array]:
    """Return the network's inputs at `ahead`, and the mixture's prediction that it corrects.

    Parameters
    ----------
    ahead : ndarray, shape (X,)
        log2(n / n_obs) ≥ 0.

    Returns
    -------
    inputs : ndarray, shape (X, F)
        Their order is what the network was learned with.
    mean, sd : ndarray, shape (X,)
        On the link's scale.
    """
    count = len(seen.x)
    at = np.concatenate([seen.x, [0.0, 1.0, 3.0], ahead])
    means = mixture.mean(at)
    sds = np.sqrt(mixture.variance(at[count:]))
    mean, sd = means[count + 3 :], sds[3:]
    laws = _power_laws(seen, ahead)
    lately = seen.spread[:, -4:]
    curve = [
        *_kind(seen),
        *_rise(seen),
        *_surprise(seen, means[: count + 3], sds[:3]),
        *_believed(mixture),
        *(_within(math.log(exponent), -4.0, 3.0) for _, exponent in laws),
        *_steps(seen),
        *_costs(seen),
        *_between(
            np.concatenate(
                [
                    np.interp(-_LOOK_BACK, seen.x, seen.z) - seen.z[-1],
                    # A run that is ahead of the others shows where they may be soon.
                    seen.spread[:, -2:].ravel(),
                    lately.sum(axis=1) / lately.shape[1],
                ]
            ),
            4.0,
        ),
    ]
    place = [
        ahead,
        np.log(ahead + 0.1),
        mean - seen.z[-1],
        np.log(sd),
        *(_between((law - mean) / sd, _APART) for law, _ in laws),
    ]
    fixed = np.broadcast_to(np.array(curve, dtype=np.float64), (len(ahead), len(curve)))
    inputs = np.concatenate([fixed, np.stack(place, axis=1)], axis=1)
    return _between(inputs, _LIMIT), mean, sd


def _kind(seen: Observed) -> list[float]:
    """How much was measured, and of what kind of metric."""
    return [
        math.log(len(seen.x)) / 2.3,
        float(not seen.noise.known),
        math.log(min(seen.runs_lately, 5.0)),
        -seen.x[0] / 5.0,
        math.log2(seen.n[-1]) / 10.0 - 1.0,
        float(seen.link.kind == "logit") * seen.z[-1] / 4.0,
        float(seen.link.kind == "log"),
        float(seen.link.kind == "identity"),
    ]


def _rise(seen: Observed) -> list[float]:
    """How steep the curve was, lately and as a whole."""
    slopes = [slope(seen.x, seen.z, window) for window in (1.0, 2.0, 4.0)]
    return [*slopes, (seen.z[-1] - seen.z[0]) / max(-seen.x[0], 0.5)]


def _surprise(seen: Observed, means: Array, sds: Array) -> list[float]:
    """Where the mixture goes from here, how sure it is, and how far the measurements are from it.

    Parameters
    ----------
    means : ndarray, shape (K + 3,)
        Of the mixture at the steps, and at 1, 2 and 8 times the largest size.
    sds : ndarray, shape (3,)
        At the latter.
    """
    at_last, at_double, at_eight = means[-3:]
    residual = seen.z - means[:-3]
    recent = np.exp2(0.5 * seen.x)
    scatter = np.sqrt(seen.noise.mean)
    rises = np.diff(seen.z) > 0
    return [
        at_double - at_last,
        (at_eight - at_double) / 2.0,
        _log(sds[1]),
        _log(sds[2]),
        _within((seen.z[-1] - at_last) / max(sds[1], 1e-3), -3.0, 3.0),
        _log(math.sqrt((recent * residual) @ residual / recent.sum())),
        _log(math.sqrt((residual[-3:] @ residual[-3:]) / len(residual[-3:]))),
        _log(scatter[-1]) if seen.noise.known else 0.0,
        _log(_median(scatter)) if seen.noise.known else 0.0,
        rises.sum() / len(rises),
        (seen.z[-1] - seen.z.min()) / max(sds[1], 1e-3),
        np.ptp(seen.z) / 4.0,
    ]


def _believed(mixture: Mixture) -> list[float]:
    """What the mixture believes of the curve's shape, misfit and slope."""
    prior = mixture.prior
    return [
        float(mixture.weight_shape @ prior.shape),
        float(mixture.weight_noise @ np.log(prior.noise[:, 0])) / 3.0,
        float(mixture.weight_noise @ prior.noise[:, 1]) / 3.0,
        float(mixture.weight_slope @ prior.slope[:, 0]) * 3.0,
    ]


def _steps(seen: Observed) -> list[float]:
    """How far the curve went from step to step."""
    steps = np.diff(seen.z)
    gaps = np.maximum(np.diff(seen.x), 0.2)
    return [
        _log(np.abs(steps).max()),
        _log(np.abs(steps[-2:]).max()),
        _within(steps[-1] / gaps[-1], -2.0, 2.0),
        _within(steps[-2] / gaps[-2], -2.0, 2.0) if len(steps) > 1 else 0.0,
    ]


def _costs(seen: Observed) -> list[float]:
    """How much of a metric between two bounds was gone through, and what is left of it."""
    if seen.link.kind != "logit":
        return [0.0, 0.0]
    cost = np.abs(seen.mean - seen.link.origin) / seen.link.unit
    return [np.ptp(cost), math.log(max(float(cost[-1]), 1e-3)) / 3.0]


def _log(value: float) -> float:
    return math.log(max(value, 1e-3))


def _between(values: Array, limit: float) -> Array:
    return np.minimum(np.maximum(values, -limit), limit)


def _median(values: Array) -> float:
    """Return what `numpy.median` does of a few numbers, which takes it ten times as long."""
    ordered, middle = np.sort(values), len(values) // 2
    return float(ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def _within(value: float, low: float, high: float) -> float:
    """Return what `numpy.clip` does of one number, which takes it ten times as long."""
    return min(max(value, low), high)


def _power_laws(seen: Observed, ahead: Array) -> list[tuple[Array, float]]:
    """Return z at `ahead` of two power laws through the costs, all steps alike and weighted by n, and their exponents.

    Coarser cousins of `power_law.fit_power_law`: the best of a hundred exponents is near enough for a hint.
    """
    link = seen.link
    low = 0.0 if link.kind == "logit" or (link.kind == "log" and not link.away) else -np.inf
    high = 1.0 if link.kind == "logit" else 0.0 if link.away else np.inf
    cost = np.minimum(np.maximum(link.cost(seen.mean), max(low, -_LARGEST_COST)), min(high, _LARGEST_COST))
    basis = np.exp2(-_EXPONENTS[:, None] * np.maximum(seen.x, -12.0))
    found = []
    for weight in (0.0, 1.0):
        w = np.exp2(weight * seen.x)
        w /= w.sum()
        centre, middle = basis @ w, float(cost @ w)
        deviation, apart = basis - centre[:, None], cost - middle
        scale = (deviation @ (w * apart)) / np.maximum((deviation * deviation) @ w, 1e-300)
        asymptote = middle - scale * centre
        clipped = np.minimum(np.maximum(asymptote, low), high)
        bound = np.flatnonzero(clipped != asymptote)
        if bound.size:
            rest = cost - clipped[bound, None]
            scale[bound] = ((basis[bound] * rest) @ w) / ((basis[bound] ** 2) @ w)
        best = int(((cost - clipped[:, None] - scale[:, None] * basis) ** 2 @ w).argmin())
        law = clipped[best] + scale[best] * np.exp2(-_EXPONENTS[best] * ahead)
        found.append((link.z(link.origin + link.sign * link.unit * law), float(_EXPONENTS[best])))
    return found
