"""The calibrated method: a learned Bayesian mixture beyond what was measured, the measurements themselves within."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from sufficiency.method.calibration import FARTHEST_LEARNED, Calibration, calibration
from sufficiency.method.fit import LARGEST_VALUE, LEAST_STEPS, NotEnoughData
from sufficiency.method.links import Link
from sufficiency.method.measurements import Series
from sufficiency.method.mixture import Mixture, posterior
from sufficiency.method.noise import estimate_noise
from sufficiency.method.summary import Observed, summarise

Array = NDArray[np.float64]

SMALLEST_VALUE = 1e-200
HORIZON_DOUBLINGS = 10.0
# Sizes ahead at which the curve is worked out, in doublings past the largest measured one; straight lines between.
_JOIN = 0.25
_AHEAD = np.concatenate([np.arange(0.0, _JOIN, 0.0625), np.arange(_JOIN, FARTHEST_LEARNED + 0.1, 0.25)])
# Farther than anything that was learned from: straight on, as the last doublings went.
_BEYOND = np.arange(0.5, HORIZON_DOUBLINGS - FARTHEST_LEARNED + 0.1, 0.5)
_LAST_DOUBLINGS = 2.0
# The standard deviations of few runs are themselves uncertain: a little heavier than normal tails.
_MEASURED_TAIL = 0.5
# A doubling before the first step, on the link's scale: most that the curve may have fallen by, and how unsure that is.
_STEEPEST_BEFORE, _UNSURE_BEFORE = 2.0, 0.5
_KNOTS = ("log2_n", "z", "below", "above", "tail", "run")


@dataclass(frozen=True, eq=False)
class CalibratedFit:
    """A learning curve with its uncertainty, as knots over log2 n with straight lines between them.

    At a knot the q-quantile of a new mean, on the link's scale, is `z` + width·sinh(tail·u)/tail with u = Φ⁻¹(q) and
    width `below` for u < 0, `above` for u ≥ 0. Between knots quantiles are interpolated, so that they never cross.

    Attributes
    ----------
    link : Link
    log2_n : ndarray, shape (P,)
        Increasing, from n = 1 to 1024 times the largest measured size.
    z, below, above, tail : ndarray, shape (P,)
    run : ndarray, shape (P,)
        Standard deviation of one training about the mean, on the link's scale.
    n_min, n_max : float
        Smallest and largest measured size with a value.
    steps : int
        Steps that the fit used.
    """

    link: Link
    log2_n: Array
    z: Array
    below: Array
    above: Array
    tail: Array
    run: Array
    n_min: float
    n_max: float
    steps: int

    def quantile_z(self, q: float, *, training: bool = False) -> Array:
        """Return the q-quantile at the knots, of a new mean or of one new training; shape (P,)."""
        u = float(ndtri(q))
        width = self.below if u < 0 else self.above
        if training:
            width = np.hypot(width, self.run)
        return self.z + width * np.sinh(self.tail * u) / self.tail

    def probability_at_most(self, z: float, *, training: bool = False) -> Array:
        """Return the probability at each knot that a new mean (or training) is at most z; shape (P,)."""
        width = np.where(z < self.z, self.below, self.above)
        if training:
            width = np.hypot(width, self.run)
        with np.errstate(over="ignore"):
            u = np.arcsinh(self.tail * (z - self.z) / width) / self.tail
        return np.asarray(ndtr(u), dtype=np.float64)

    def value(self, n: Any) -> Array:
        """Return the median of the metric at sizes `n`, of any shape, each ≥ 1."""
        return self._read(n, self.z)

    def quantile(self, n: Any, q: float, *, training: bool = False) -> Array:
        """Return the q-quantile of the metric at sizes `n`."""
        return self._read(n, self.quantile_z(q if self.link.sign == 1 else 1.0 - q, training=training))

    def probability_of_meeting(self, n: float, target: float) -> float:
        """Return the probability that a new mean at size `n` is at the target or better."""
        goal = float(self.link.z(np.array([target]))[0])
        return float(np.interp(np.log2(n), self.log2_n, self.probability_at_most(goal)))

    def _read(self, n: Any, z: Array) -> Array:
        return self.link.value(np.interp(np.log2(np.asarray(n, dtype=np.float64)), self.log2_n, z))

    def to_dict(self) -> dict[str, Any]:
        """Return the fit as JSON values."""
        rest = {"n_min": self.n_min, "n_max": self.n_max, "steps": self.steps, "link": self.link.model_dump()}
        return rest | {name: getattr(self, name).tolist() for name in _KNOTS}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the fit that `to_dict` wrote."""
        knots: dict[str, Any] = {name: np.array(data[name], dtype=np.float64) for name in _KNOTS}
        rest = {name: data[name] for name in ("n_min", "n_max", "steps")}
        return cls(link=Link.model_validate(data["link"]), **knots, **rest)


def observe(series: Series) -> Observed:
    """Return the usable means of a series on its link's scale.

    Raises
    ------
    NotEnoughData
        For fewer than three steps with a value, and for values too large to compute with.
    """
    low, high = (edge if edge is not None else far for edge, far in zip(series.bounds, (-np.inf, np.inf), strict=True))
    # Numbers so small that their ratios overflow are as good as nothing.
    values = np.where(np.abs(series.values) < SMALLEST_VALUE, 0.0, series.values)
    series = replace(series, values=np.clip(values, low, high))
    mean, runs = series.mean(), series.runs()
    usable = np.isfinite(mean)
    order = np.flatnonzero(usable)[np.argsort(series.n[usable], kind="stable")]
    n, mean, runs, sd = series.n[order], mean[order], runs[order], series.sd()[order]
    distinct = len(np.unique(n))
    if distinct < LEAST_STEPS:
        raise NotEnoughData(
            f"{series.metric} has values at {distinct} of {len(series.n)} steps; a curve needs at least {LEAST_STEPS}"
        )
    if np.abs(mean).max() > LARGEST_VALUE:
        raise NotEnoughData(f"{series.metric} reaches {np.abs(mean).max():.3g}: too large for a curve")
    least, most = (ends[order] for ends in series.extremes())
    if distinct < len(n):
        first = np.unique(n, return_index=True)[1]
        least, most = np.minimum.reduceat(least, first), np.maximum.reduceat(most, first)
        n, mean, runs, sd = _merge(n, mean, runs, sd)
    link = Link.of(mean, sd, series.direction, series.bounds)
    x, z = np.log2(n / n[-1]), link.z(mean)
    noise = estimate_noise(x, mean, sd, runs, link)
    spread = np.sort(link.z(np.stack([least, most])), axis=0) - z
    return Observed(n, x, mean, z, link, noise, float(runs.mean()), spread)


def _merge(n: Array, mean: Array, runs: NDArray[np.int64], sd: Array) -> tuple[Array, Array, NDArray[np.int64], Array]:
    """Make one step of several with the same size: their runs are so many more."""
    sizes, group = np.unique(n, return_inverse=True)
    count = np.bincount(group, weights=runs).astype(np.int64)
    total = np.bincount(group, weights=mean * runs) / count
    within = np.bincount(group, weights=np.where(runs > 1, np.nan_to_num(sd) ** 2 * (runs - 1), 0.0))
    between = np.bincount(group, weights=runs * (mean - total[group]) ** 2)
    spread = np.sqrt((within + between) / np.maximum(count - 1, 1))
    return sizes, total, count, np.where(count > 1, spread, np.nan)


def fit_calibrated(series: Series, learned: Calibration | None = None) -> CalibratedFit:
    """Fit the calibrated curve.

    Parameters
    ----------
    series : Series
        Steps without a value are left out.
    learned : Calibration, optional
        Default what the package carries.

    Raises
    ------
    NotEnoughData
        For fewer than three steps with a value, and for values too large to compute with.
    """
    return fit_observed(observe(series), learned)


def fit_observed(seen: Observed, learned: Calibration | None = None) -> CalibratedFit:
    """Fit the calibrated curve to usable means.

    Notes
    -----
    Up to the largest measured size the curve goes through the means, with their run noise as its width. From there it
    passes into the corrected mixture over a quarter of a doubling, so that neither the curve nor its intervals jump.
    More than 32 times the largest measured size nothing was learned of: there it goes straight on in log n, with the
    widening of the last two doublings and the slope of those or of the mixture's last doubling, whichever is steeper.
    The corrected curve alone levels off so early that a target which lies just above it would be called out of reach
    for ever; the mixture still counts on curves that go on.
    """
    learned = learned or calibration()
    single = not seen.noise.known
    mixture = posterior(seen.x, seen.z, seen.noise.mean, learned.single if single else learned.several)
    inputs, mean, sd = summarise(seen, mixture, _AHEAD)
    ahead = learned.correct(inputs, mean, sd, seen.link.kind, single=single)
    # More data need not hurt, one may leave them out: ahead the median never gets worse.
    centre = np.minimum.accumulate(ahead.centre)
    scatter = seen.noise.run if seen.noise.known else single_scatter(seen, mixture)
    error = np.sqrt(seen.noise.mean) if seen.noise.known else scatter
    measured = np.clip(1.0 - _AHEAD / _JOIN, 0.0, 1.0)

    def join(at_last: float, beyond: Array) -> Array:
        return measured * at_last + (1.0 - measured) * beyond

    before = np.arange(np.floor(np.log2(seen.n[0])) if seen.n[0] > 1 else -1.0, -0.5, -1.0)[::-1]
    before = before[before < np.log2(seen.n[0])]
    # Smaller than what was measured: on as it began, the mixture having left the earliest steps out of account.
    short_of = np.log2(seen.n[0]) - before
    fall = float(np.clip((seen.z[0] - seen.z[1]) / (seen.x[1] - seen.x[0]), 0.0, _STEEPEST_BEFORE))
    back_width = np.hypot(_UNSURE_BEFORE * short_of, error[0])

    def beyond(at: Array, steepest: float = np.inf) -> Array:
        rate = (at[-1] - np.interp(FARTHEST_LEARNED - _LAST_DOUBLINGS, _AHEAD, at)) / _LAST_DOUBLINGS
        return np.concatenate([at, at[-1] + min(rate, steepest) * _BEYOND])

    [before_last, last] = mixture.mean(np.array([FARTHEST_LEARNED - 1.0, FARTHEST_LEARNED]))

    knots = {
        "log2_n": [before, np.log2(seen.n[:-1]), np.log2(seen.n[-1]) + beyond(_AHEAD)],
        "z": [
            seen.z[0] + fall * short_of,
            seen.z[:-1],
            beyond(join(float(seen.z[-1]), centre), steepest=min(last - before_last, 0.0)),
        ],
        "below": [back_width, error[:-1], beyond(join(float(error[-1]), np.maximum.accumulate(ahead.below)))],
        "above": [back_width, error[:-1], beyond(join(float(error[-1]), np.maximum.accumulate(ahead.above)))],
        "tail": [
            np.full(len(before) + len(seen.n) - 1, _MEASURED_TAIL),
            join(_MEASURED_TAIL, ahead.tail),
            np.full(len(_BEYOND), ahead.tail[-1]),
        ],
        "run": [np.full(len(before), scatter[0]), scatter[:-1], np.full(len(_AHEAD) + len(_BEYOND), scatter[-1])],
    }
    return CalibratedFit(
        link=seen.link,
        **{name: np.concatenate(parts) for name, parts in knots.items()},
        n_min=float(seen.n[0]),
        n_max=float(seen.n[-1]),
        steps=len(seen.n),
    )


def single_scatter(seen: Observed, mixture: Mixture) -> Array:
    """Return the standard deviation of one run at each step, shape (K,), where no step has two of them.

    One run shows no scatter of its own. What stands for it is the law's misfit at the last step, or what it leaves over
    at the steps where that is more; by its 95 % interval so wide, 92 to 98 % of the runs of LCDB-dev were nearer to the
    mean of the other four, with ten steps and with five.
    """
    misfit = float(np.sqrt(mixture.misfit.sum()))
    # The median, because the mixture may leave the earliest steps out of account and pass them by far.
    left_over = 1.4826 * float(np.median(np.abs(seen.z - mixture.mean(seen.x))))
    return max(misfit, left_over) * np.exp2(-seen.x / 8.0)
