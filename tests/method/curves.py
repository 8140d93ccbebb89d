"""Curves on which the method is tried: the tutorial's, those of a law with noise, and any that a service may see."""

from collections.abc import Iterator

import numpy as np
from hypothesis import strategies as st

from sufficiency.method.measurements import Series
from sufficiency.schemas.words import Direction

N = np.array([25, 41, 69, 116, 193, 322, 538, 898, 1498, 2500.0])
ACCURACY = [0.226, 0.5144, 0.6348, 0.6916, 0.7592, 0.834, 0.882, 0.9012, 0.9112, 0.9372]


def series(values: object, n: object = N, direction: str = "maximize", bounds: object = (0.0, 1.0)) -> Series:
    return Series("Accuracy", None, np.asarray(n, float), np.atleast_2d(values), direction, bounds)  # type: ignore[arg-type]


RISING = 1 - (3.0 * N**-0.6 + 0.05)


def noisy(mean: object, sd: float = 0.005, runs: int = 5, seed: int = 0) -> np.ndarray:
    return np.clip(mean + np.random.default_rng(seed).normal(0, sd, (runs, 10)), 0, 1)  # type: ignore[no-any-return, operator]


BOUNDS = [(0.0, 1.0), (0.0, None), (None, 1.5), (None, None)]


@st.composite
def studies(draw: st.DrawFn) -> Series:
    """Draw a study as a service sees it: a law with noise, on any scale, with holes, sometimes falling or flat."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    steps = draw(st.integers(3, 16))
    runs = draw(st.sampled_from([1, 2, 5]))
    largest = draw(st.sampled_from([60, 2500, 10**6]))
    n = np.unique(np.round(np.geomspace(max(2, largest / draw(st.sampled_from([4, 100]))), largest, steps)))
    error = draw(st.floats(0.01, 0.9)) * (n / n[0]) ** -draw(st.floats(-0.1, 1.5)) + draw(st.floats(0.0, 0.3))
    noise = draw(st.sampled_from([0.0, 0.003, 0.05])) * rng.normal(size=(runs, len(n)))
    values = np.clip(error + noise, 0.0, 1.0)
    if draw(st.booleans()) and runs > 1:
        values[rng.integers(runs), rng.integers(len(n))] = np.nan
    bounds = draw(st.sampled_from(BOUNDS))
    maximize = draw(st.booleans())
    curve = 1.0 - values if maximize else values
    return Series("Metric", None, n, curve, "maximize" if maximize else "minimize", bounds)


def random_curves(count: int) -> Iterator[Series]:
    """Yield curves of all kinds that a service sees, the same ones at every call; a tenth of them dip."""
    for seed in range(count):
        rng = np.random.default_rng([seed, 14])
        steps, runs = int(rng.integers(3, 25)), int(rng.choice([1, 1, 2, 3, 5, 5, 10, 30]))
        largest = float(rng.choice([60, 800, 2500, 20_000, 10**6]))
        n = np.unique(np.round(np.geomspace(max(2.0, largest / rng.choice([8, 60, 300])), largest, steps)))
        x = np.log2(n / n[0])
        rest = rng.choice([0.0, 0.02, 0.1, 0.3])
        error = rest + rng.uniform(0.05, 0.9 - rest) * np.exp2(-x * rng.choice([0.0, 0.02, 0.1, 0.3, 0.6, 1.2]))
        if rng.random() < 0.15:  # at chance, and then it jumps
            error = rest + 0.6 / (1.0 + np.exp(2.0 * (x - x[-1] * rng.uniform(0.4, 1.1))))
        if rng.random() < 0.1:
            error += 0.1 * np.exp(-((x - x[-1] * rng.uniform(0.3, 1.0)) ** 2))
        scatter = rng.choice([0.0, 0.002, 0.01, 0.04]) * np.exp2(-0.3 * x)
        values = np.clip(error + scatter * rng.normal(size=(runs, len(n))), 0.0, 1.0)
        holes = rng.random(values.shape) < rng.choice([0.0, 0.0, 0.2])
        values[holes & (np.arange(runs) > 0)[:, None]] = np.nan
        bounds = BOUNDS[int(rng.choice([0, 0, 0, 1, 1, 3]))]
        maximize = bounds == (0.0, 1.0) and rng.random() < 0.8
        direction: Direction = "maximize" if maximize else "minimize"
        yield Series("Metric", None, n, 1.0 - values if maximize else values, direction, bounds)
