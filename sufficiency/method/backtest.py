"""How well a curve would have predicted its own later steps."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sufficiency.method.curve import DEFAULT_LEVEL, NotEnoughData
from sufficiency.method.measurements import Series
from sufficiency.method.methods import fit_all
from sufficiency.method.projection import project
from sufficiency.schemas.words import Method

# Parts of the largest measured size up to which the curve is fitted once more.
FRACTIONS = (0.25, 0.5)


@dataclass(frozen=True)
class Prediction:
    """One later step as the earlier ones predicted it.

    Attributes
    ----------
    n_fitted : int
        The largest size that the prediction knew.
    n : int
        The size predicted.
    value : float
        What was predicted.
    lower, upper : float or None
        95 % interval, where the method gives one.
    measured : float
        Mean over the runs.
    """

    n_fitted: int
    n: int
    value: float
    lower: float | None
    upper: float | None
    measured: float

    @property
    def inside(self) -> bool | None:
        """Whether the interval holds what was measured; None without an interval."""
        if self.lower is None or self.upper is None:
            return None
        return self.lower <= self.measured <= self.upper


@dataclass(frozen=True)
class Backtest:
    """All predictions of a curve's own later steps; none where too few steps come early enough."""

    predictions: tuple[Prediction, ...]

    @property
    def error(self) -> float | None:
        """Mean absolute error, in the metric's units; None without predictions."""
        if not self.predictions:
            return None
        return sum(abs(one.value - one.measured) for one in self.predictions) / len(self.predictions)

    @property
    def inside_interval(self) -> float | None:
        """Share of what was measured that fell inside the intervals; None where there are none."""
        inside = [one.inside for one in self.predictions if one.inside is not None]
        return sum(inside) / len(inside) if inside else None

    def to_dict(self) -> dict[str, Any]:
        """Return the back-test as JSON values."""
        return {"predictions": [asdict(one) for one in self.predictions]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the back-test that `to_dict` wrote."""
        return cls(tuple(Prediction(**one) for one in data["predictions"]))


def backtest(series: Series, method: Method) -> Backtest:
    """Fit the curve to the steps up to a quarter and up to half of the largest size, and predict the later ones."""
    [test] = backtest_all([series], method)
    return test


def backtest_all(series: Sequence[Series], method: Method) -> list[Backtest]:
    """Return what `backtest` does of each of many series, whose curves are fitted side by side."""
    looked = [(place, early) for place, one in enumerate(series) for early in _early_parts(one)]
    parts = [series[place].at(early) for place, early in looked]
    predictions: list[list[Prediction]] = [[] for _ in series]
    for (place, early), seen, fit in zip(looked, parts, fit_all(parts, method), strict=True):
        if isinstance(fit, NotEnoughData):
            continue
        n, mean = series[place].n, series[place].mean()
        later = np.isfinite(mean) & ~early
        points = project(seen, fit, n[later].tolist(), DEFAULT_LEVEL)
        predictions[place] += [
            Prediction(int(fit.n_max), int(point.n), point.value, point.lower, point.upper, measured)
            for point, measured in zip(points, mean[later].tolist(), strict=True)
        ]
    return [Backtest(tuple(ones)) for ones in predictions]


def _early_parts(series: Series) -> list[NDArray[np.bool_]]:
    """Return which steps are in each part that the curve is fitted to: the smaller part first, each once."""
    usable = np.isfinite(series.mean())
    if not usable.any():
        return []
    largest = series.n[usable].max()
    parts = [series.n <= fraction * largest for fraction in FRACTIONS]
    # Where no step lies between two of them both would say the same.
    return [part for k, part in enumerate(parts) if not k or not np.array_equal(part, parts[k - 1])]
