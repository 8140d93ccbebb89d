"""Ratios of what was measured in turn: the median, and how far apart the turns were."""

from collections.abc import Mapping, Sequence
from statistics import median


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> dict[str, float]:
    """Return how many times ours goes into theirs, turn by turn: the median, the least and the greatest."""
    found = [one / other for one, other in zip(theirs, ours, strict=True)]
    return {"median": round(median(found), 3), "least": round(min(found), 3), "greatest": round(max(found), 3)}


def told(found: Mapping[str, float]) -> str:
    """Return a ratio in words."""
    return f"{found['median']:.2f} × ({found['least']:.2f} to {found['greatest']:.2f})"
