"""The usable means of a series, on the scale on which curves are fitted."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sufficiency.method.course import context
from sufficiency.method.curve import LARGEST_VALUE, LEAST_STEPS, Array, NotEnoughData
from sufficiency.method.links import Link
from sufficiency.method.measurements import FEW_RUNS, Series
from sufficiency.method.noise import Noise, estimate_noise

SMALLEST_VALUE = 1e-200
# More steps are made so many, in either of two ways: by the means of neighbours, and by leaving out all but a few.
MOST_STEPS, _THINNED = 18, 10


@dataclass(frozen=True)
class Observed:
    """The usable means of one curve.

    Attributes
    ----------
    n : ndarray, shape (K,)
        Increasing.
    x : ndarray, shape (K,)
        log2(n / n[-1]).
    mean : ndarray, shape (K,)
        In the metric's units.
    z : ndarray, shape (K,)
    link : Link
    noise : Noise
    runs : float
        Mean number of runs a step.
    runs_lately : float
        As many runs a step as make as much scatter of the later means as there is; equal to `runs` where all steps have
        the same number.
    spread : ndarray, shape (2, K)
        How far the best run is below and the worst run above the mean, on the link's scale, of at most five runs.
    context : ndarray, shape (course.CONTEXT,)
        The metric's family, and how its companions went.
    test_sd : ndarray, shape (K,), or None
        What the test split alone adds, in the metric's units.
    """

    n: Array
    x: Array
    mean: Array
    z: Array
    link: Link
    noise: Noise
    runs: float
    runs_lately: float
    spread: Array
    context: Array
    test_sd: Array | None


def observe(series: Series) -> Observed:
    """Return the usable means of a series on its link's scale.

    Raises
    ------
    NotEnoughData
        For fewer than three steps with a value, and for values too large to compute with.
    """
    low, high = (edge if edge is not None else far for edge, far in zip(series.bounds, (-np.inf, np.inf), strict=True))
    # Numbers so small that their ratios overflow are as good as nothing.
    values = np.clip(np.where(np.abs(series.values) < SMALLEST_VALUE, 0.0, series.values), low, high)
    if not np.array_equal(values, series.values, equal_nan=True):
        series = replace(series, values=values)
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
    test_sd, shared = (None if of is None else of[order] for of in (series.test_sd, series.shared))
    if distinct < len(n):
        first = np.unique(n, return_index=True)[1]
        least, most = np.minimum.reduceat(least, first), np.maximum.reduceat(most, first)
        n, mean, runs, sd = _merge(n, mean, runs, sd)
        test_sd, shared = (None if of is None else of[first] for of in (test_sd, shared))
    link = Link.of(mean, sd, series.direction, series.bounds)
    x, z = np.log2(n / n[-1]), link.z(mean)
    noise = estimate_noise(x, mean, sd, runs, link, shared)
    # More runs than the method was learned from are as good as five whose mean is as precise.
    spread = (np.sort(link.z(np.stack([least, most])), axis=0) - z) * np.sqrt(FEW_RUNS / np.maximum(runs, FEW_RUNS))
    company = {one.family: one.course for one in series.companions}
    told = context(series.family, company)
    return Observed(n, x, mean, z, link, noise, float(runs.mean()), _lately(x, runs, noise), spread, told, test_sd)


def _lately(x: Array, runs: NDArray[np.int64], noise: Noise) -> float:
    """Return the harmonic mean of the numbers of runs, weighted by size; 2 or more where a step has that many."""
    weight = np.exp2(x)
    worth = runs / noise.inflated if noise.known else runs
    found = float(weight.sum() / (weight / worth).sum())
    return max(found, min(2.0, float(runs.max())))


def views(seen: Observed) -> list[tuple[Observed, float]]:
    """Return a curve as one or two of at most `MOST_STEPS` steps, and how far the last one is before the true last.

    A law learned of ten steps takes forty, one by one, for forty times the evidence; what they are is less scatter. The
    one has neighbouring steps made one, which scatter less; the other has ten of the steps as they are, with the first
    and the last. They err in different ways: in the mean of what they say the larger part of both is gone.
    """
    pooled = pool(seen)
    if pooled[0] is seen:
        return [pooled]
    at = np.linspace(seen.x[0], 0.0, _THINNED)
    kept = np.unique(np.abs(seen.x[:, None] - at).argmin(axis=0))
    noise = replace(seen.noise, run=seen.noise.run[kept], mean=seen.noise.mean[kept])
    parts = {name: getattr(seen, name)[kept] for name in ("n", "x", "mean", "z")}
    return [pooled, (replace(seen, **parts, noise=noise, spread=seen.spread[:, kept]), 0.0)]


def pool(seen: Observed) -> tuple[Observed, float]:
    """Return a curve of at most `MOST_STEPS` steps, and by how many doublings its last one is before the true last.

    Neighbouring steps are made one, evenly on the scale of log n.

    Notes
    -----
    Neighbouring subsets of a run share most of their items, so that the scatter falls with the root of what theory has
    for independent ones.
    """
    if len(seen.n) <= MOST_STEPS:
        return seen, 0.0
    place = np.minimum((1.0 - seen.x / seen.x[0]) * MOST_STEPS, MOST_STEPS - 1).astype(int)
    _, group, count = np.unique(place, return_inverse=True, return_counts=True)

    def mean(values: Array) -> Array:
        return np.bincount(group, weights=values) / count

    x = mean(seen.x)
    noise = replace(seen.noise, run=mean(seen.noise.run), mean=mean(seen.noise.mean) / np.sqrt(count))
    pooled = replace(
        seen,
        n=seen.n[-1] * np.exp2(x),
        x=x - x[-1],
        mean=mean(seen.mean),
        z=mean(seen.z),
        noise=noise,
        spread=np.stack([mean(side) for side in seen.spread]),
    )
    return pooled, float(-x[-1])


def _merge(n: Array, mean: Array, runs: NDArray[np.int64], sd: Array) -> tuple[Array, Array, NDArray[np.int64], Array]:
    """Make one step of several with the same size: their runs are so many more."""
    sizes, group = np.unique(n, return_inverse=True)
    count = np.bincount(group, weights=runs).astype(np.int64)
    total = np.bincount(group, weights=mean * runs) / count
    within = np.bincount(group, weights=np.where(runs > 1, np.nan_to_num(sd) ** 2 * (runs - 1), 0.0))
    between = np.bincount(group, weights=runs * (mean - total[group]) ** 2)
    spread = np.sqrt((within + between) / np.maximum(count - 1, 1))
    return sizes, total, count, np.where(count > 1, spread, np.nan)
