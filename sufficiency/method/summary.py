"""What the correcting network sees of a curve: summary statistics, each of order one whatever the metric."""

import math

import numpy as np
from numpy.typing import NDArray

from sufficiency.method.course import slope
from sufficiency.method.curve import Array
from sufficiency.method.lines import on_lines
from sufficiency.method.mixture import Mixture
from sufficiency.method.observed import Observed
from sufficiency.method.remembered import by_sizes

# Where the recent course of the curve is read, in doublings before the last step.
_LOOK_BACK = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0])
_EXPONENTS = np.geomspace(1e-3, 20.0, 100)
# How far out the power laws are read: where they and the mixture part ways, in standard deviations of the latter.
_APART = 4.0
_LIMIT = 6.0
# Which of the inputs is the distance, in doublings; counted from the last, because the first ones may stand apart.
AHEAD = -6
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
    inputs : ndarray, shape (..., X, F)
        Their order is what the network was learned with: what `summaries` says of the curve, and of the sizes.
    mean, sd : ndarray, shape (..., X)
        On the link's scale.
    """
    curve, place, mean, sd = summaries(seen, mixture, ahead)
    fixed = np.broadcast_to(curve[..., None, :], (*place.shape[:-1], curve.shape[-1]))
    return np.concatenate([fixed, place], axis=-1), mean, sd


def summaries(seen: Observed, mixture: Mixture, ahead: Array) -> tuple[Array, Array, Array, Array]:
    """Return what `summarise` does, with what is the same at all sizes apart.

    Returns
    -------
    curve : ndarray, shape (..., S)
        The first inputs, which tell of the curve.
    place : ndarray, shape (..., X, F − S)
        The last ones, which tell of the sizes.
    mean, sd : ndarray, shape (..., X)
    """
    count = len(seen.x)
    at = np.concatenate([seen.x, [0.0, 1.0, 3.0], ahead])
    means = mixture.mean(at)
    sds = np.sqrt(mixture.variance(at[count:]))
    mean, sd = means[..., count + 3 :], sds[..., 3:]
    laws, exponents = _power_laws(seen, ahead)
    last, lately = seen.z[..., -1:], seen.spread[..., -4:]
    # A run that is ahead of the others shows where they may be soon.
    ends = seen.spread[..., -2:].reshape(*seen.z.shape[:-1], 4)
    course = [on_lines(-_LOOK_BACK, seen.x, seen.z) - last, ends, lately.sum(axis=-1) / lately.shape[-1]]
    curve = [
        _kind(seen),
        _rise(seen),
        _surprise(seen, means[..., : count + 3], sds[..., :3]),
        _believed(mixture),
        _between(np.log(exponents), -4.0, 3.0),
        _steps(seen),
        _costs(seen),
        _within(np.concatenate(course, axis=-1), 4.0),
    ]
    apart = _within((laws - mean[..., None]) / sd[..., None], _APART)
    place = _together(mean, ahead, np.log(ahead + 0.1), mean - last, np.log(sd), apart[..., 0], apart[..., 1])
    return _within(np.concatenate(curve, axis=-1), _LIMIT), _within(place, _LIMIT), mean, sd


def _together(like: Array, *columns: Array | float) -> Array:
    """Return numbers of each curve side by side, shape (*like, columns)."""
    made = np.empty((*like.shape, len(columns)))
    for place, column in enumerate(columns):
        made[..., place] = column
    return made


def _kind(seen: Observed) -> Array:
    """How much was measured, and of what kind of metric."""
    last = seen.z[..., -1]
    return _together(
        last,
        math.log(len(seen.x)) / 2.3,
        float(not seen.noise.known),
        np.log(np.minimum(seen.runs_lately, 5.0)),
        -seen.x[0] / 5.0,
        math.log2(seen.n[-1]) / 10.0 - 1.0,
        float(seen.link.kind == "logit") * last / 4.0,
        float(seen.link.kind == "log"),
        float(seen.link.kind == "identity"),
    )


def _rise(seen: Observed) -> Array:
    """How steep the curve was, lately and as a whole."""
    slopes = (slope(seen.x, seen.z, window) for window in (1.0, 2.0, 4.0))
    last = seen.z[..., -1]
    return _together(last, *slopes, (last - seen.z[..., 0]) / max(-seen.x[0], 0.5))


def _surprise(seen: Observed, means: Array, sds: Array) -> Array:
    """Where the mixture goes from here, how sure it is, and how far the measurements are from it.

    Parameters
    ----------
    means : ndarray, shape (..., K + 3)
        Of the mixture at the steps, and at 1, 2 and 8 times the largest size.
    sds : ndarray, shape (..., 3)
        At the latter.
    """
    at_last, at_double, at_eight = (means[..., place] for place in (-3, -2, -1))
    residual = seen.z - means[..., :-3]
    latest = residual[..., -3:]
    recent = np.exp2(0.5 * seen.x)
    last, unsure = seen.z[..., -1], np.maximum(sds[..., 1], 1e-3)
    unlike = np.sqrt(np.vecdot(recent * residual, residual) / recent.sum())
    lately = np.sqrt(np.vecdot(latest, latest) / latest.shape[-1])
    sizes = [sds[..., 1], sds[..., 2], unlike, lately]
    if seen.noise.known:
        scatter = np.sqrt(seen.noise.mean)
        sizes += [scatter[..., -1], _median(scatter)]
    logs = np.zeros((*last.shape, 6))
    logs[..., : len(sizes)] = _log(_together(last, *sizes))
    least, most = seen.z.min(axis=-1), seen.z.max(axis=-1)
    return _together(
        last,
        at_double - at_last,
        (at_eight - at_double) / 2.0,
        logs[..., 0],
        logs[..., 1],
        _within((last - at_last) / unsure, 3.0),
        *(logs[..., place] for place in (2, 3, 4, 5)),
        (seen.z[..., 1:] > seen.z[..., :-1]).sum(axis=-1) / (len(seen.x) - 1),
        (last - least) / unsure,
        (most - least) / 4.0,
    )


def _believed(mixture: Mixture) -> Array:
    """What the mixture believes of the curve's shape, misfit and slope."""
    prior = mixture.prior
    return _together(
        mixture.level,
        np.vecdot(mixture.weight_shape, prior.shape),
        np.vecdot(mixture.weight_noise, np.log(prior.noise[:, 0])) / 3.0,
        np.vecdot(mixture.weight_noise, prior.noise[:, 1]) / 3.0,
        np.vecdot(mixture.weight_slope, prior.slope[:, 0]) * 3.0,
    )


def _steps(seen: Observed) -> Array:
    """How far the curve went from step to step."""
    steps, gaps = (of[..., 1:] - of[..., :-1] for of in (seen.z, seen.x[-3:]))
    far = np.abs(steps)
    rates = _within(steps[..., -2:] / np.maximum(gaps, 0.2), 2.0)
    return _together(
        steps[..., -1],
        _log(far.max(axis=-1)),
        _log(far[..., -2:].max(axis=-1)),
        rates[..., -1],
        rates[..., -2] if steps.shape[-1] > 1 else 0.0,
    )


def _costs(seen: Observed) -> Array:
    """How much of a metric between two bounds was gone through, and what is left of it."""
    if seen.link.kind != "logit":
        return np.zeros((*seen.z.shape[:-1], 2))
    cost = np.abs(seen.mean - seen.link.origin) / seen.link.unit
    left = cost[..., -1]
    return _together(left, cost.max(axis=-1) - cost.min(axis=-1), _log(left) / 3.0)


def _log(values: Array) -> Array:
    return np.log(np.maximum(values, 1e-3))


def _within(values: Array, limit: float) -> Array:
    return _between(values, -limit, limit)


def _between(values: Array, low: float, high: float) -> Array:
    """Return what `numpy.clip` does, which takes longer."""
    return np.minimum(np.maximum(values, low), high)


def _median(values: Array) -> Array:
    """Return what `numpy.median` does of a few numbers, which takes it ten times as long."""
    ordered, middle = np.sort(values, axis=-1), values.shape[-1] // 2
    if values.shape[-1] % 2:
        return np.asarray(ordered[..., middle])
    return np.asarray((ordered[..., middle - 1] + ordered[..., middle]) / 2)


def _power_laws(seen: Observed, ahead: Array) -> tuple[Array, Array]:
    """Return z at `ahead`, (..., X, 2), of two power laws through the costs, and their exponents, (..., 2).

    In the one all steps count alike, in the other by n. Coarser cousins of `power_law.fit_power_law`: the best of a
    hundred exponents is near enough for a hint.
    """
    link = seen.link
    low = 0.0 if link.kind == "logit" or (link.kind == "log" and not link.away) else -np.inf
    high = 1.0 if link.kind == "logit" else 0.0 if link.away else np.inf
    cost = _between(link.cost(seen.mean), max(low, -_LARGEST_COST), min(high, _LARGEST_COST))
    laws, exponents = [], []
    for weight in (0.0, 1.0):
        w, basis, centre, square, deviation, variance = _laws_at(seen.x, weight)
        middle = np.vecdot(cost, w)[..., None]
        scale = (deviation @ (w * (cost - middle))[..., None])[..., 0] / variance
        free = middle - scale * centre
        asymptote = _between(free, low, high)
        rest = cost[..., None, :] - asymptote[..., None]
        bound = asymptote != free
        if bound.any():
            scale = np.where(bound, ((basis * rest) @ w) / square, scale)
        rest -= scale[..., None] * basis
        rest *= rest
        best = (rest @ w).argmin(axis=-1)
        exponents.append(_EXPONENTS[best])
        laws.append(_of_each(asymptote, best) + _of_each(scale, best) * np.exp2(-exponents[-1][..., None] * ahead))
    return link.z_of_cost(np.stack(laws, axis=-1)), np.stack(exponents, axis=-1)


@by_sizes
def _laws_at(x: Array, weight: float) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Return the weights of the steps, (K,), and of a law of each exponent what it is there.

    Returns
    -------
    w : ndarray, shape (K,)
    basis : ndarray, shape (E, K)
    centre, square : ndarray, shape (E,)
        Weighted means of it and of its square.
    deviation : ndarray, shape (E, K)
        From its mean.
    variance : ndarray, shape (E,)
    """
    basis = np.exp2(-_EXPONENTS[:, None] * np.maximum(x, -12.0))
    w = np.exp2(weight * x)
    w /= w.sum()
    centre = basis @ w
    deviation = basis - centre[:, None]
    variance = np.maximum((deviation * deviation) @ w, 1e-300)
    return w, basis, centre, (basis * basis) @ w, deviation, variance


def _of_each(values: Array, place: NDArray[np.int64]) -> Array:
    """Return of each curve's values, (..., E), the one in its place, (..., 1)."""
    rows = values.reshape(-1, values.shape[-1])
    return np.asarray(rows[np.arange(len(rows)), place.reshape(-1)].reshape(*place.shape, 1))
