"""What the correcting network sees of a curve: summary statistics, each of order one whatever the metric."""

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
    laws = [_power_law(seen, weight, ahead) for weight in (0.0, 1.0)]
    curve = [
        *_kind(seen),
        *_rise(seen),
        *_surprise(seen, means[: count + 3], sds[:3]),
        *_believed(mixture),
        *(np.clip(np.log(exponent), -4.0, 3.0) for _, exponent in laws),
        *_steps(seen),
        *_costs(seen),
        *np.clip(np.interp(-_LOOK_BACK, seen.x, seen.z) - seen.z[-1], -4.0, 4.0),
        # A run that is ahead of the others shows where they may be soon.
        *np.clip(seen.spread[:, -2:].ravel(), -4.0, 4.0),
        *np.clip(seen.spread[:, -4:].mean(axis=1), -4.0, 4.0),
    ]
    place = [
        ahead,
        np.log(ahead + 0.1),
        mean - seen.z[-1],
        np.log(sd),
        *(np.clip((law - mean) / sd, -_APART, _APART) for law, _ in laws),
    ]
    fixed = np.broadcast_to(np.array(curve, dtype=np.float64), (len(ahead), len(curve)))
    inputs = np.concatenate([fixed, np.stack(place, axis=1)], axis=1)
    return np.clip(inputs, -_LIMIT, _LIMIT), mean, sd


def _kind(seen: Observed) -> list[float]:
    """How much was measured, and of what kind of metric."""
    return [
        np.log(len(seen.x)) / 2.3,
        float(not seen.noise.known),
        np.log(min(seen.runs, 10.0)),
        -seen.x[0] / 5.0,
        np.log2(seen.n[-1]) / 10.0 - 1.0,
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
        np.clip((seen.z[-1] - at_last) / max(sds[1], 1e-3), -3.0, 3.0),
        _log(np.sqrt((recent * residual**2).sum() / recent.sum())),
        _log(np.sqrt((residual[-3:] ** 2).mean())),
        _log(scatter[-1]) if seen.noise.known else 0.0,
        _log(np.median(scatter)) if seen.noise.known else 0.0,
        rises.mean(),
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
        np.clip(steps[-1] / gaps[-1], -2.0, 2.0),
        np.clip(steps[-2] / gaps[-2], -2.0, 2.0) if len(steps) > 1 else 0.0,
    ]


def _costs(seen: Observed) -> list[float]:
    """How much of a metric between two bounds was gone through, and what is left of it."""
    if seen.link.kind != "logit":
        return [0.0, 0.0]
    cost = np.abs(seen.mean - seen.link.origin) / seen.link.unit
    return [np.ptp(cost), np.log(max(float(cost[-1]), 1e-3)) / 3.0]


def _log(value: float) -> float:
    return float(np.log(max(value, 1e-3)))


def _power_law(seen: Observed, weight: float, ahead: Array) -> tuple[Array, float]:
    """Return z at `ahead` of the power law through the costs, steps weighted by n^weight, and its exponent.

    A coarser cousin of `power_law.fit_power_law`: the best of a hundred exponents is near enough for a hint.
    """
    link = seen.link
    low = 0.0 if link.kind == "logit" or (link.kind == "log" and not link.away) else -np.inf
    high = 1.0 if link.kind == "logit" else 0.0 if link.away else np.inf
    cost = np.clip(link.cost(seen.mean), max(low, -_LARGEST_COST), min(high, _LARGEST_COST))
    w = np.exp2(weight * seen.x)
    w /= w.sum()
    basis = np.exp2(-_EXPONENTS[:, None] * np.maximum(seen.x, -12.0))
    centre, middle = basis @ w, float(cost @ w)
    deviation = basis - centre[:, None]
    scale = (deviation * (cost - middle)) @ w / np.maximum((deviation * deviation) @ w, 1e-300)
    asymptote = middle - scale * centre
    clipped = np.clip(asymptote, low, high)
    bound = np.flatnonzero(clipped != asymptote)
    if bound.size:
        rest = cost - clipped[bound, None]
        scale[bound] = ((basis[bound] * rest) @ w) / ((basis[bound] ** 2) @ w)
    best = int(((cost - clipped[:, None] - scale[:, None] * basis) ** 2 @ w).argmin())
    law = clipped[best] + scale[best] * np.exp2(-_EXPONENTS[best] * ahead)
    return link.z(link.origin + link.sign * link.unit * law), float(_EXPONENTS[best])
