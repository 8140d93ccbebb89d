"""A Bayesian mixture of learning curves on the link's scale, with everything about a component in closed form.

A component (σ, γ; m; μ, s) says z(x) = L − a·φ_m(x) + noise, x = log2(n / n_obs), φ_m(x) = (1 − 2^(−m x))/(m ln 2),
L flat, a ~ N(μ, s²) and noise of variance σ²·2^(−γ x) + v_k: m > 0 levels off, m < 0 still accelerates, γ > 0 makes
early steps count less, v_k is the scatter of the measured means. The prior is a product of one factor for (σ, γ), one
for m and one for (μ, s); it was learned from real learning curves (bench/calibration).
"""

from dataclasses import dataclass

import numpy as np

from sufficiency.method.curve import Array
from sufficiency.method.remembered import by_sizes

_LN2 = float(np.log(2.0))
_LEAST_TEMPER = 0.07
# The axes of a component's σ and γ, m, μ and s.
_COMPONENTS = (-3, -2, -1)


@dataclass(frozen=True, eq=False)
class Prior:
    """What is believed of curves before any is seen.

    Attributes
    ----------
    noise : ndarray, shape (C, 2)
        σ, γ.
    shape : ndarray, shape (M,)
        m, none of them zero.
    slope : ndarray, shape (S, 2)
        μ, s.
    log_weight : ndarray, shape (C, M, S)
    temper : (float, float)
        (u, b): with K steps the evidence counts to the power max(0.07, sigmoid(u − b·log((K − 1)/9))), because the
        misfit of neighbouring steps is not independent.
    """

    noise: Array
    shape: Array
    slope: Array
    log_weight: Array
    temper: tuple[float, float]

    def power(self, steps: int) -> float:
        """Return the power of the evidence of a curve with so many steps."""
        u, b = self.temper
        return max(_LEAST_TEMPER, float(1.0 / (1.0 + np.exp(-(u - b * np.log(max(steps - 1, 1) / 9.0))))))


@dataclass(frozen=True)
class Conditionals:
    """What the data say within each component.

    Attributes
    ----------
    log_evidence : ndarray, shape (..., C, M, S)
    z, f : ndarray, shape (..., C) and (..., C, M)
        Weighted means of z and of φ_m over the steps.
    weight : ndarray, shape (..., C)
        Sum of the steps' weights: 1/variance of the weighted mean of z.
    slope, precision : ndarray, shape (..., C, M, S)
        Posterior mean and precision of a.
    """

    log_evidence: Array
    z: Array
    f: Array
    weight: Array
    slope: Array
    precision: Array


def shape_function(x: Array, m: Array) -> Array:
    """Return φ_m(x) = (1 − 2^(−m x))/(m ln 2), of the shape that x and m broadcast to."""
    with np.errstate(over="ignore"):
        return (1.0 - np.exp2(np.minimum(-m * x, 60.0))) / (m * _LN2)


def condition(x: Array, z: Array, variance: Array, prior: Prior) -> Conditionals:
    """Condition every component on the means of one curve, or of several with the same steps.

    Parameters
    ----------
    x : ndarray, shape (K,)
        log2(n / n_obs) ≤ 0 of the steps.
    z, variance : ndarray, shape (..., K)
        The means, and how much they scatter.
    prior : Prior

    Notes
    -----
    Weighted least squares with L integrated out under a flat prior; the evidence of a is a Gaussian integral.
    """
    misfit, f, f_square = _of_steps(x, prior)
    w = 1.0 / (misfit + variance[..., None, :])
    total = w.sum(axis=-1)
    z_mean = _times(w, z) / total
    f_mean = w @ f.T / total[..., None]
    s_ff = np.maximum(w @ f_square.T - total[..., None] * f_mean**2, 1e-12)[..., None]
    s_fz = (w @ (f * z[..., None, :]).swapaxes(-1, -2) - (total * z_mean)[..., None] * f_mean)[..., None]
    s_zz = (_times(w, z * z) - total * z_mean**2)[..., None, None]
    mu, v = prior.slope[:, 0], prior.slope[:, 1] ** 2
    h = 1.0 + v * s_ff
    s_fr = s_fz + mu * s_ff
    s_rr = s_zz + 2.0 * mu * s_fz + mu * mu * s_ff
    log_evidence = -0.5 * (
        (np.log(total) - np.log(w).sum(axis=-1))[..., None, None] + np.log(h) + s_rr - v * s_fr * s_fr / h
    )
    precision = 1.0 / v + s_ff
    return Conditionals(log_evidence, z_mean, f_mean, total, (mu / v - s_fz) / precision, precision)


@by_sizes
def _of_steps(x: Array, prior: Prior) -> tuple[Array, Array, Array]:
    """Return the variance of the misfit, (C, K), φ_m, (M, K), and its square at the steps."""
    sigma, gamma = prior.noise[:, :1], prior.noise[:, 1:]
    f = shape_function(x, prior.shape[:, None])
    return sigma**2 * np.exp2(-gamma * x), f, f * f


@by_sizes
def _of_sizes(x: Array, prior: Prior) -> tuple[Array, Array, Array]:
    """Return φ_m, (X, M), its square, and how many times its variance at n_obs the misfit has, (X, C), at any sizes."""
    f = shape_function(x[:, None], prior.shape)
    with np.errstate(over="ignore"):
        return f, f * f, np.exp2(np.minimum(-prior.noise[:, 1] * x[:, None], 60.0))


def _times(w: Array, z: Array) -> Array:
    """Return the sums (..., C) of z (..., K) by the weights (..., C, K)."""
    return np.asarray((w @ z[..., None])[..., 0])


@dataclass(frozen=True)
class Mixture:
    """The posterior: its mean and variance at any size are sums over the shapes m, made once.

    Attributes
    ----------
    level : ndarray, shape (...)
        Constant of the mean; `mean(x)` = level − Σ_m tilt_m φ_m(x).
    tilt : ndarray, shape (..., M)
    square : (ndarray, ndarray, ndarray), shape (...), (..., M) and (..., M)
        Constant, coefficients of φ_m and of φ_m² in the second moment.
    misfit : ndarray, shape (..., C)
        Weight·σ² of each noise component.
    weight_noise, weight_shape, weight_slope : ndarray, shape (..., C), (..., M), (..., S)
        Posterior weights, summed over the other factors.
    """

    prior: Prior
    level: Array
    tilt: Array
    square: tuple[Array, Array, Array]
    misfit: Array
    weight_noise: Array
    weight_shape: Array
    weight_slope: Array

    def mean(self, x: Array) -> Array:
        """Return E[z], shape (..., X), at x = log2(n / n_obs), shape (X,)."""
        return self.level[..., None] - _times(_of_sizes(x, self.prior)[0], self.tilt)

    def variance(self, x: Array) -> Array:
        """Return the variance of a new mean at x, with the misfit of the law but without the scatter of runs."""
        f, f_square, grown = _of_sizes(x, self.prior)
        constant, linear, quadratic = self.square
        square = constant[..., None] + _times(f, linear) + _times(f_square, quadratic)
        between = square - (self.level[..., None] - _times(f, self.tilt)) ** 2
        return np.asarray(np.maximum(between, 0.0) + _times(grown, self.misfit))


def posterior(x: Array, z: Array, variance: Array, prior: Prior) -> Mixture:
    """Return the posterior mixture given the means `z` at `x` ≤ 0, K ≥ 2, with their variance; see `condition`."""
    found = condition(x, z, variance, prior)
    log_weight = prior.power(len(x)) * found.log_evidence + prior.log_weight
    weight = np.exp(log_weight - log_weight.max(axis=_COMPONENTS, keepdims=True))
    weight /= weight.sum(axis=_COMPONENTS, keepdims=True)
    of_noise = weight.sum(axis=(-2, -1))
    # A component's mean is z̄ − a·(φ − φ̄), its variance around that (φ − φ̄)²/P + 1/S_w + σ²·2^(−γ x).
    a1 = (weight * found.slope).sum(axis=-1)
    a2 = (weight * (found.slope**2 + 1.0 / found.precision)).sum(axis=-1)
    tilt = a1.sum(axis=-2)
    level = np.vecdot(of_noise, found.z) + (a1 * found.f).sum(axis=(-2, -1))
    constant = (
        np.vecdot(of_noise, found.z**2 + 1.0 / found.weight)
        + 2.0 * (a1 * found.f * found.z[..., None]).sum(axis=(-2, -1))
        + (a2 * found.f**2).sum(axis=(-2, -1))
    )
    linear = -2.0 * (a1 * found.z[..., None] + a2 * found.f).sum(axis=-2)
    return Mixture(
        prior=prior,
        level=level,
        tilt=tilt,
        square=(constant, linear, a2.sum(axis=-2)),
        misfit=of_noise * prior.noise[:, 0] ** 2,
        weight_noise=of_noise,
        weight_shape=weight.sum(axis=(-3, -1)),
        weight_slope=weight.sum(axis=(-3, -2)),
    )
