"""How well earlier answers foresaw what was measured later: each forecast, and the record of all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sufficiency.schemas.forecasts import ForecastRecord
from sufficiency.schemas.text import level_text, number
from sufficiency.schemas.words import Direction

# Of the intervals that are kept with each forecast, narrowest first.
LEVELS = (0.5, 0.8, 0.95)
# How far ahead of the largest measured size a forecast reached; the last has no end.
DISTANCES = (1.5, 2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class Scored:
    """A forecast and what came.

    Attributes
    ----------
    study : hashable
        What it was made of: forecasts of one study are no independent evidence.
    distance : float
        The size in units of the largest that was measured then.
    lower, upper : sequence of float
        Ends of the intervals of `LEVELS`.
    measured : float
        The mean that came.
    """

    study: object
    metric: str
    direction: Direction
    distance: float
    value: float
    lower: Sequence[float]
    upper: Sequence[float]
    measured: float

    def inside(self) -> list[bool]:
        """Return whether what came lies in the interval of each level."""
        return [low <= self.measured <= high for low, high in zip(self.lower, self.upper, strict=True)]

    @property
    def surplus(self) -> float:
        """How much better it came than was said; negative: worse."""
        ahead = self.measured - self.value
        return ahead if self.direction == "maximize" else -ahead


def record(scored: Iterable[Scored]) -> list[ForecastRecord]:
    """Return coverage, bias and sharpness by metric and distance, metrics by name, the nearest first."""
    groups: dict[tuple[str, int], list[Scored]] = {}
    for one in scored:
        groups.setdefault((one.metric, int(np.searchsorted(DISTANCES, one.distance))), []).append(one)
    return [_record(metric, place, ones) for (metric, place), ones in sorted(groups.items())]


def _record(metric: str, place: int, ones: Sequence[Scored]) -> ForecastRecord:
    inside = np.array([one.inside() for one in ones], dtype=float).mean(axis=0).tolist()
    surplus = np.array([one.surplus for one in ones])
    return ForecastRecord(
        metric=metric,
        further_than=DISTANCES[place - 1] if place else 1.0,
        up_to=DISTANCES[place] if place < len(DISTANCES) else None,
        forecasts=len(ones),
        studies=len({one.study for one in ones}),
        coverage={f"{level:g}": share for level, share in zip(LEVELS, inside, strict=True)},
        bias=float(-surplus.mean()),
        mean_absolute_error=float(np.abs(surplus).mean()),
        width=float(np.mean([one.upper[-1] - one.lower[-1] for one in ones])),
    )


def said(value: float, lower: float, upper: float, measured: float | None) -> str:
    """Return a forecast as a sentence: "We said .962 [.935, .985]; it came .964."."""
    foretold = f"We said {number(value)} [{number(lower)}, {number(upper)}]"
    if measured is None:
        return f"{foretold}; it is not measured yet."
    came = "it came" if lower <= measured <= upper else f"outside the {level_text(LEVELS[-1])} interval it came"
    return f"{foretold}; {came} {number(measured)}."
