"""The calibrated method: a learned Bayesian mixture beyond what was measured, the measurements themselves within."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from scipy.special import ndtr, ndtri

from sufficiency.method.calibration import FARTHEST_LEARNED, Predictive, calibration
from sufficiency.method.curve import ASSURANCE, HORIZON, LEAST_PROBABILITY, Array, InverseAnswer, NotEnoughData
from sufficiency.method.exact import ExactLaw, exact_laws
from sufficiency.method.lines import on_lines
from sufficiency.method.links import Link
from sufficiency.method.measurements import Series
from sufficiency.method.mixture import Mixture, posterior
from sufficiency.method.observed import Alike, Observed, observe_all, views
from sufficiency.method.remembered import by_sizes
from sufficiency.method.summary import summaries
from sufficiency.method.trend import have_fallen
from sufficiency.schemas.words import Direction, Of, TargetStatus

# Sizes ahead at which the curve is worked out, in doublings past the largest measured one; straight lines between.
_JOIN = 0.25
_AHEAD = np.concatenate([np.arange(0.0, _JOIN, 0.0625), np.arange(_JOIN, FARTHEST_LEARNED + 0.1, 0.25)])
# Farther than anything that was learned from: straight on, as the last doubling went.
_BEYOND = np.arange(0.5, math.log2(HORIZON) - FARTHEST_LEARNED + 0.1, 0.5)
_TO_THE_HORIZON = np.concatenate([_AHEAD, FARTHEST_LEARNED + _BEYOND])
# How much of the last mean there still is at each, on the way from it into what the mixture says.
_OF_LAST = np.minimum(np.maximum(1.0 - _AHEAD / _JOIN, 0.0), 1.0)
# Which of them is a doubling before the last, and at which the weight of the tails is read, which is one for all
# distances.
_DOUBLING_BEFORE, _TAIL = (int(np.flatnonzero(x == _AHEAD)[0]) for x in (FARTHEST_LEARNED - 1.0, 2.0))
# Where, as standard normal quantile, a width stays what it is when its tail changes.
_KEPT_AT = float(ndtri(0.975))
# The standard deviations of few runs are themselves uncertain: a little heavier than normal tails.
_MEASURED_TAIL = 0.5
# How much of the law's misfit a single run's scatter is; of one class, of few test items, it is more.
_SINGLE_SHARE, _SINGLE_SHARE_OF_CLASS = 0.7, 1.225
# That share is itself a guess: heavier tails than where the scatter is measured.
_SINGLE_TAIL = 1.1
# A doubling before the first step, on the link's scale: most that the curve may have fallen by, and how unsure that is.
_STEEPEST_BEFORE, _UNSURE_BEFORE = 2.0, 0.5
_KNOTS = ("log2_n", "z", "below", "above", "tail", "run")


@dataclass(frozen=True, eq=False)
class CalibratedFit:
    """A learning curve with its uncertainty, as knots over log2 n with straight lines between them.

    At a knot the q-quantile of a new mean, on the link's scale, is `z` + width·sinh(tail·u)/tail with u = Φ⁻¹(q) and
    width `below` for u < 0, `above` for u ≥ 0. Between knots quantiles are interpolated, so that they never cross.

    All answers are of one posterior, whose draws are the curves that follow one quantile. Past the largest measured
    size, unless a fall was measured, no draw that is better than the last mean gets worse with more data. So a better
    mean than the last one gets ever more probable, and the inverse reads the same draws the other way round.

    Attributes
    ----------
    link : Link
    log2_n : ndarray, shape (P,)
        Increasing, from n = 1 to 1024 times the largest measured size.
    z, below, above, tail : ndarray, shape (P,)
    run : ndarray, shape (P,)
        Standard deviation of one training about the mean, on the link's scale.
    test : ndarray, shape (P,), or None
        Standard deviation that the test split adds, on the link's scale; None where nobody knows it.
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
    test: Array | None = None

    def quantile_z(self, q: Any, *, of: Of = "mean") -> Array:
        """Return the q-quantiles at the knots of what `of` says; shape (*q.shape, P)."""
        u = np.asarray(ndtri(q))[..., None]
        width = self._with_noise(np.where(u < 0, self.below, self.above), of)
        return np.asarray(self.z + width * np.sinh(self._tail * u) / self._tail)

    @cached_property
    def _tail(self) -> Array:
        """The weight of the tails, shape (1,) where it is the same at all knots, as it is of each new fit."""
        return self.tail[:1] if (self.tail == self.tail[0]).all() else self.tail

    def _with_noise(self, width: Array, of: Of) -> Array:
        """Return the width of a mean's distribution, made that of what `of` says; NaN where it is not known."""
        if of == "mean":
            return width
        if of == "one_training":
            return np.hypot(width, self.run)
        return np.full_like(width, np.nan) if self.test is None else np.hypot(width, self.test)

    def probability_at_most(self, z: float) -> Array:
        """Return the probability at each knot that a new mean is at most z; shape (P,)."""
        return _probability_at_most(z, self.z, self.below, self.above, self.tail)

    def value(self, n: Any) -> Array:
        """Return the median of the metric at sizes `n`, of any shape, each ≥ 1."""
        return self._read(n, self.z)

    def quantile(self, n: Any, q: Any, *, of: Of = "mean") -> Array:
        """Return the q-quantiles of the metric at sizes `n`; shape (*q.shape, *n.shape)."""
        level = np.asarray(q, dtype=np.float64)
        return self._read(n, self.quantile_z(level if self.link.sign == 1 else 1.0 - level, of=of))

    def probability_of_meeting(self, n: Any, target: Any) -> Array:
        """Return the probability that a new mean at sizes `n` is at the target or better, of the shape of both."""
        sizes = np.asarray(n, dtype=np.float64)
        knots = np.array([self.z, self.below, self.above, self.tail])
        at = on_lines(np.log2(sizes.reshape(-1)), self.log2_n, knots).reshape(4, *sizes.shape)
        return _probability_at_most(self.link.z(np.asarray(target, dtype=np.float64)), *at)

    def draws(self, n: Any, count: int, seed: int | None = None) -> Array:
        """Return `count` equally likely curves of new means at sizes `n`: see `Fit.draws`."""
        order = np.arange(count) if seed is None else np.random.default_rng(seed).permutation(count)
        return self.quantile(n, (order + 0.5) / count)

    def invert(self, target: float, direction: Direction, level: float, horizon: float) -> InverseAnswer:
        """Return the size at which the median first meets the target; the link knows the direction."""
        goal = float(self.link.z(np.array([target]))[0])
        first, last = math.log2(self.n_min), math.log2(self.n_max)
        known = (self.log2_n >= first - 1e-9) & (self.log2_n <= last + 1e-9)
        ahead = (self.log2_n >= last - 1e-9) & (self.log2_n <= math.log2(self.n_max * horizon) + 1e-9)
        # What no measured mean meets can be met only from the largest measured size on: the noise of the smaller ones,
        # each with its own chance, says nothing for it.
        within = known | ahead if (self.z[known] <= goal).any() else ahead
        log2_n = self.log2_n[within]
        probability = float(self.probability_at_most(goal)[within].max())
        ends = self.quantile_z([0.5 - level / 2, 0.5, 0.5 + level / 2])
        optimistic, median, pessimistic, assured = (
            _first_crossing(log2_n, z[within], goal) for z in (*ends, self.quantile_z(ASSURANCE, of="one_training"))
        )
        status: TargetStatus
        if median is not None:
            status = "reached" if median <= self.n_max else "needs"
        else:
            status = "beyond_horizon" if probability >= LEAST_PROBABILITY else "unreachable"
        if status != "reached" and optimistic is not None:
            # At the largest measured size it was measured not to be.
            optimistic = max(optimistic, math.floor(self.n_max) + 1)
        return InverseAnswer(target, status, median, optimistic, pessimistic, probability, assured)

    def bends(self, low: float, high: float) -> Array:
        """Return the sizes of the knots between two others."""
        between = (self.log2_n > np.log2(low)) & (self.log2_n < np.log2(high))
        sizes: Array = np.exp2(self.log2_n[between])
        return sizes

    def params(self) -> None:
        """Return None: the curve is no power law."""

    def _read(self, n: Any, z: Array) -> Array:
        """Return the metric at sizes `n` of curves (..., P) on the link's scale; shape (..., *n.shape)."""
        sizes = np.asarray(n, dtype=np.float64)
        at = on_lines(np.log2(sizes.reshape(-1)), self.log2_n, z)
        return self.link.value(at).reshape((*z.shape[:-1], *sizes.shape))

    def to_dict(self) -> dict[str, Any]:
        """Return the fit as JSON values."""
        rest = {"n_min": self.n_min, "n_max": self.n_max, "steps": self.steps, "link": asdict(self.link)}
        rest["test"] = None if self.test is None else self.test.tolist()
        return rest | {name: getattr(self, name).tolist() for name in _KNOTS}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the fit that `to_dict` wrote."""
        knots: dict[str, Any] = {name: np.array(data[name], dtype=np.float64) for name in _KNOTS}
        rest = {name: data[name] for name in ("n_min", "n_max", "steps")}
        test = data.get("test")
        rest["test"] = None if test is None else np.array(test, dtype=np.float64)
        return cls(link=Link(**data["link"]), **knots, **rest)


def _probability_at_most(z: Array | float, centre: Array, below: Array, above: Array, tail: Array) -> Array:
    """Return the probability of at most z by distributions as `CalibratedFit` has them at its knots."""
    width = np.where(z < centre, below, above)
    with np.errstate(over="ignore"):
        u = np.arcsinh(tail * (z - centre) / width) / tail
    return np.asarray(ndtr(u), dtype=np.float64)


def fit_calibrated(series: Series) -> CalibratedFit:
    """Fit the calibrated curve.

    Parameters
    ----------
    series : Series
        Steps without a value are left out.

    Raises
    ------
    NotEnoughData
        For fewer than three steps with a value, and for values too large to compute with.

    Notes
    -----
    Up to the largest measured size the curve goes through the means, with their run noise as its width. From there it
    passes into the corrected mixture over a quarter of a doubling, so that neither the curve nor its intervals jump.
    More than 32 times the largest measured size nothing was learned of: there it goes straight on in log n, with the
    slope and the widening of the last doubling. Where the means are a power law to the fourth digit, which real ones
    never are, the curve is that law.
    """
    [fit] = fit_all_calibrated([series])
    if isinstance(fit, NotEnoughData):
        raise fit
    return fit


def fit_all_calibrated(series: Sequence[Series]) -> list[CalibratedFit | NotEnoughData]:
    """Return what `fit_calibrated` does of each of many series, worked out side by side; or why there is no curve."""
    groups, refused = observe_all(series)
    found: dict[int, CalibratedFit | NotEnoughData] = dict(refused)
    for group in groups:
        found.update(zip(group.places, _fits(group, exact_laws(group.seen)), strict=True))
    return [found[place] for place in range(len(series))]


def _fits(group: Alike, laws: Mapping[int, ExactLaw]) -> list[CalibratedFit]:
    """Fit the curves of series that are alike; those that are laws, by place, by them."""
    seen, known = group.seen, group.seen.noise.known
    corrected, mixtures = _corrected(group, _AHEAD)
    of_class = group.like.class_index is not None
    run = seen.noise.run
    if not known:
        run = np.mean([single_scatter(seen, one, offset, of_class=of_class) for one, offset in mixtures], axis=0)
    error = np.sqrt(seen.noise.mean) if known else run
    # One weight of the tails at every distance, so that between two knots the quantiles are those of one distribution.
    tail = np.maximum(corrected.tail[..., _TAIL], 0.0 if known else _SINGLE_TAIL)[..., None]
    stretch = _stretch(_MEASURED_TAIL, tail)
    error = error * stretch
    log2_n, short_of = _knots(seen.n)
    # Up to the last mean, with which the way ahead begins, the means themselves.
    measured = seen.z[..., :-1], error[..., :-1], error[..., :-1]
    parts = _before(seen, short_of, error, stretch), measured, _ahead(seen, corrected, error, tail, laws)
    z, below, above = (np.concatenate(of, axis=-1) for of in zip(*parts, strict=True))
    ends = np.repeat(run[..., :1], len(short_of), axis=-1), np.repeat(run[..., -1:], len(_TO_THE_HORIZON), axis=-1)
    run = np.concatenate([ends[0], run[..., :-1], ends[1]], axis=-1)
    tail = np.repeat(tail, len(log2_n), axis=-1)
    test = _of_the_test_split(seen, log2_n, z)
    return [
        CalibratedFit(
            link=seen.link.of_curve(place),
            log2_n=log2_n,
            z=z[place],
            below=below[place],
            above=above[place],
            tail=tail[place],
            run=run[place],
            test=None if test is None else test[place],
            n_min=float(seen.n[0]),
            n_max=float(seen.n[-1]),
            steps=len(seen.n),
        )
        for place in range(len(group.places))
    ]


def medians(series: Sequence[Series], n: float) -> list[float | NotEnoughData]:
    """Return the median of each of many series at a size, by what was learned alone and without all else.

    It is that of `fit_calibrated`, but for curves that are laws: of these, one with a value moved is none any more, and
    what lies between the two would be no answer to the move.
    """
    groups, refused = observe_all(series)
    found: dict[int, float | NotEnoughData] = dict(refused)
    for group in groups:
        seen = group.seen
        at, knots = np.log2([n]), np.log2(seen.n[-1]) + _AHEAD
        if knots[0] <= at[0] <= knots[-1]:
            count = int(np.searchsorted(knots, at[0])) + 1
            z = _never_worse(_join(seen.z[..., -1:], _corrected(group, _AHEAD[:count])[0].centre), _worst(seen))
            values = seen.link.value(on_lines(at, knots[:count], z))[..., 0].tolist()
        else:
            values = [float(fit.value(n)) for fit in _fits(group, {})]
        found.update(zip(group.places, values, strict=True))
    return [found[place] for place in range(len(series))]


def _corrected(group: Alike, ahead: Array) -> tuple[Predictive, list[tuple[Mixture, float]]]:
    """Return what is said of series that are alike at sizes ahead, and the mixtures, each with its view's offset."""
    seen, learned = group.seen, calibration()
    known = seen.noise.known
    said, mixtures = [], []
    for few, offset in views(seen):
        mixture = posterior(few.x, few.z, few.noise.mean, learned.several if known else learned.single)
        curve, inputs, mean, sd = summaries(few, mixture, ahead + offset)
        kind, family = seen.link.kind, group.like.family
        said.append(learned.correct(inputs, seen.context, mean, sd, kind, family, single=not known, curve=curve))
        mixtures.append((mixture, offset))
    return (said[0] if len(said) == 1 else _mean_of(said)), mixtures


def _mean_of(said: Sequence[Predictive]) -> Predictive:
    """Return what lies in the middle of several predictions of one curve."""
    return Predictive(**{name: np.mean([getattr(one, name) for one in said], axis=0) for name in vars(said[0])})


# Of curves at some knots: medians, widths below and above; each of shape (..., P).
_Part = tuple[Array, Array, Array]


@by_sizes
def _knots(n: Array) -> tuple[Array, Array]:
    """Return log2 of the knots' sizes, and by how many doublings those before the first step are short of it."""
    first = np.log2(n[0])
    before = np.arange(np.floor(first) if n[0] > 1 else -1.0, -0.5, -1.0)[::-1]
    before = before[before < first]
    return np.concatenate([before, np.log2(n[:-1]), np.log2(n[-1]) + _TO_THE_HORIZON]), first - before


def _before(seen: Observed, short_of: Array, error: Array, stretch: Array) -> _Part:
    """Smaller than what was measured: on as it began, the mixture having left the earliest steps out of account."""
    first, second = seen.z[..., :1], seen.z[..., 1:2]
    fall = np.minimum(np.maximum((first - second) / (seen.x[1] - seen.x[0]), 0.0), _STEEPEST_BEFORE)
    width = np.hypot(_UNSURE_BEFORE * stretch * short_of, error[..., :1])
    return first + fall * short_of, width, width


def _ahead(seen: Observed, corrected: Predictive, error: Array, tail: Array, laws: Mapping[int, ExactLaw]) -> _Part:
    """From the last mean into the corrected mixture, and past what was learned of straight on."""
    last, least = seen.z[..., -1:], _worst(seen)
    stretch = _stretch(corrected.tail, tail)
    below, above = (_join(error[..., -1:], width * stretch) for width in (corrected.below, corrected.above))
    z, below, above = _straight_on(np.stack(one_posterior(_join(last, corrected.centre), below, above, least)))
    for place, law in laws.items():
        if np.isfinite(least[place, 0]):
            of_law = seen.link.of_curve(place).z(law.value(seen.n[-1] * np.exp2(_TO_THE_HORIZON)))
            z[place] = law.pull(z[place], of_law)
            below[place], above[place] = law.narrowed(below[place]), law.narrowed(above[place])
    return one_posterior(z, below, above, least)


def _worst(seen: Observed) -> Array:
    """Return the mean that no median ahead may fall behind, shape (..., 1): the last; infinite where one fell."""
    return np.where(have_fallen(seen)[..., None], np.inf, seen.z[..., -1:])


def _never_worse(z: Array, last: Array | float) -> Array:
    """Return medians from the last mean outwards that never get worse: more data need not hurt, one may leave it."""
    return np.minimum.accumulate(np.minimum(z, last), axis=-1)


def one_posterior(z: Array, below: Array, above: Array, last: Array | float) -> tuple[Array, Array, Array]:
    """Make one posterior of what is believed at each distance by itself.

    Parameters
    ----------
    z, below, above : ndarray, shape (..., P)
        Median and widths, lower being better, from the last mean outwards.
    last : float, or ndarray of shape (..., 1)
        The mean that no median may fall behind; infinite where a fall was measured.

    Returns
    -------
    z, below, above : ndarray, shape (..., P)
        The median never gets worse, the widths never get smaller. And with a weight of the tails that is the same
        everywhere, the probability of a mean better than the last one, by however much, never falls: above the median
        the width grows no faster than the distance from that mean.
    """
    z = _never_worse(z, last)
    below, above = np.maximum.accumulate(below, axis=-1), np.maximum.accumulate(above, axis=-1)
    gain = last - z
    gains = np.isfinite(gain) & (gain > 0)
    gain = np.where(gains, gain, 1.0)
    slowest = np.minimum.accumulate(np.where(gains, above / gain, np.inf), axis=-1)
    return z, below, np.where(gains, gain * slowest, above)


def _of_the_test_split(seen: Observed, log2_n: Array, z: Array) -> Array | None:
    """Return what the test split adds at the knots, on the link's scale; None where nobody knows it.

    Notes
    -----
    Outside the measured sizes it is what it is at the nearest of them; of a metric between two bounds it follows the
    curve, as a proportion's does: sqrt(c(1 − c)).
    """
    if seen.test_sd is None:
        return None
    link = seen.link
    if link.kind != "logit":
        return on_lines(log2_n, np.log2(seen.n), seen.test_sd * link.slope(seen.mean))

    def spread(value: Array) -> Array:
        cost = np.minimum(np.maximum(link.cost(value), 1e-3), 1.0 - 1e-3)
        return np.sqrt(cost * (1.0 - cost))

    value = link.value(z)
    share = on_lines(log2_n, np.log2(seen.n), seen.test_sd / spread(seen.mean))
    return np.asarray(share * spread(value) * link.slope(value))


def _stretch(tail: Array | float, other: Array | float) -> Array:
    """By how much a width grows when its tail is to have another weight, and the end of its 95 % interval stays."""
    return np.asarray(np.sinh(tail * _KEPT_AT) / tail * other / np.sinh(other * _KEPT_AT))


def _join(at_last: Array, beyond: Array) -> Array:
    """Pass from what it is at the last mean into what it is at the first of `_AHEAD`."""
    of_last = _OF_LAST[: beyond.shape[-1]]
    return of_last * at_last + (1.0 - of_last) * beyond


def _straight_on(at: Array) -> Array:
    """Go on from `_AHEAD` to `_BEYOND` at the rate of the last doubling."""
    rate = at[..., -1:] - at[..., _DOUBLING_BEFORE, None]
    return np.concatenate([at, at[..., -1:] + rate * _BEYOND], axis=-1)


def single_scatter(seen: Observed, mixture: Mixture, offset: float = 0.0, *, of_class: bool = False) -> Array:
    """Return the standard deviation of one run at each step, shape (..., K), where no step has two of them.

    One run shows no scatter of its own. What stands for it is a share of the law's misfit at the last step, or of what
    it leaves over at the steps where that is more. By it the mean of the other four runs of LCDB-dev lies in the 50, 80
    and 95 % interval of one run 59, 80 and 92 % of the time, of the studies 61, 80 and 93.
    """
    misfit = np.sqrt(mixture.misfit.sum(axis=-1))
    # The median, because the mixture may leave the earliest steps out of account and pass them by far.
    left_over = 1.4826 * np.median(np.abs(seen.z - mixture.mean(seen.x + offset)), axis=-1)
    share = _SINGLE_SHARE_OF_CLASS if of_class else _SINGLE_SHARE
    return np.asarray(share * np.maximum(misfit, left_over)[..., None] * np.exp2(-seen.x / 8.0))


def _first_crossing(log2_n: Array, z: Array, goal: float) -> int | None:
    """First whole n at which the line through the knots is at or below `goal`; None if never.

    Parameters
    ----------
    log2_n, z : ndarray, shape (P,)
        The first knot is a whole n.
    """
    met = z <= goal
    if met[0]:
        return round(float(np.exp2(log2_n[0])))
    for k in np.flatnonzero(met[1:] & ~met[:-1]) + 1:
        share = (z[k - 1] - goal) / (z[k - 1] - z[k])
        first = float(np.exp2(log2_n[k - 1] + share * (log2_n[k] - log2_n[k - 1])))
        # Rounding must not carry it past a whole number, nor leave it where the line is not yet there.
        n = max(round(first) if abs(first - round(first)) < 1e-9 * first else math.ceil(first), 1)
        slack = 1e-12 * (1.0 + abs(goal))
        if np.interp(math.log2(n), log2_n, z) <= goal + slack:
            return n
        if np.interp(math.log2(n + 1), log2_n, z) <= goal + slack:
            return n + 1
    return None
