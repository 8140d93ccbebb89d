"""What a picture of a learning curve shows, and in which colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sufficiency.answers.study import FittedCurve, FittedStudy
from sufficiency.answers.targets import require_admitted
from sufficiency.method.curve import DEFAULT_LEVEL, RELIABLE, Array, Fit, InverseAnswer
from sufficiency.method.measurements import Series
from sufficiency.method.projection import inv_project, project
from sufficiency.schemas.text import STATUS, level_text
from sufficiency.schemas.words import Theme

PALETTES: dict[Theme, dict[str, str]] = {
    "light": {"ground": "#ffffff", "ink": "#1b1f1e", "muted": "#565e5c", "line": "#dfe2e0", "accent": "#1d5fb8"},
    "dark": {"ground": "#1a1d20", "ink": "#e9ecec", "muted": "#a6afb3", "line": "#30363b", "accent": "#84b6ff"},
}
# Levels of the intervals, and how opaque each is drawn.
_LEVELS = {DEFAULT_LEVEL: 0.13, 0.5: 0.22}
# How far ahead a picture looks when no target asks for more, in units of the largest measured size.
_AHEAD = 8.0
_SIZES = 160
_LONGEST_NAME, _LONGEST_TITLE = 60, 90


@dataclass(frozen=True)
class Band:
    """The interval of a level: its ends at the sizes of the figure, and how opaque it is."""

    level: float
    lower: Array
    upper: Array
    opacity: float

    @property
    def name(self) -> str:
        """What it is, for a legend."""
        return f"{level_text(self.level)} interval"


@dataclass(frozen=True)
class Figure:
    """What a picture of one curve shows.

    Attributes
    ----------
    title : str
    metric : str
        With the class, where it is of one.
    runs : ndarray, shape (2, V)
        Size and value of every measured value.
    n, mean, sd : ndarray, shape (K,)
        By step; `sd` is NaN with fewer than two runs.
    sizes, median : ndarray, shape (P,)
    bands : sequence of Band
        The widest first; none where the method gives no intervals.
    n_max : float
        Largest measured size: beyond it the curve is a projection.
    target : InverseAnswer or None
        A value to mark, with the size that it needs.
    """

    title: str
    metric: str
    runs: Array
    n: Array
    mean: Array
    sd: Array
    sizes: Array
    median: Array
    bands: Sequence[Band]
    n_max: float
    target: InverseAnswer | None

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Which of the sizes are within what was measured, its end included."""
        within: NDArray[np.bool_] = self.sizes <= self.n_max * (1 + 1e-9)
        return within

    @property
    def ahead(self) -> NDArray[np.bool_]:
        """Which of the sizes are projected to, from the largest measured one on."""
        beyond: NDArray[np.bool_] = self.sizes >= self.n_max * (1 - 1e-9)
        return beyond

    @property
    def heading(self) -> str:
        """The title, as short as a picture needs it."""
        return shortened(self.title, _LONGEST_TITLE)

    @property
    def axis(self) -> str:
        """The metric's name, as short as a picture needs it."""
        return shortened(self.metric, _LONGEST_NAME)


def figure(fitted: FittedStudy[Series], target: float | None = None) -> Figure:
    """Return the figure of the first metric with one value, else of the first there is.

    Parameters
    ----------
    fitted : FittedStudy
        With all that was measured.
    target : float, optional
        A value to mark, with the size that it needs.

    Raises
    ------
    OutOfBounds
        For a target that the metric cannot take.
    """
    one = next((one for one in fitted.curves if one.reading.class_index is None), fitted.curves[0])
    series, fit = one.reading, one.fit
    measured = one.whole or series  # what is left out of the curve is shown all the same
    answer = None
    if target is not None:
        require_admitted(series, target)
        answer = inv_project(series, fit, target)
    sizes = _sizes(fit, answer)
    run, step = np.nonzero(np.isfinite(measured.values))
    label = fitted.label(one)
    return Figure(
        title=f"{fitted.study.model} on {fitted.study.dataset}",
        metric=series.metric if label is None else f"{series.metric}, class {label}",
        runs=np.stack([measured.n[step], measured.values[run, step]]),
        n=measured.n,
        mean=measured.mean(),
        sd=measured.sd(),
        sizes=sizes,
        median=np.array([p.value for p in project(series, fit, sizes.tolist())]),
        bands=_bands(one, sizes),
        n_max=fit.n_max,
        target=answer,
    )


def _sizes(fit: Fit, answer: InverseAnswer | None) -> Array:
    """Sizes to draw the curve through: even on the axis, and where it bends, up to past what the target needs."""
    end = fit.n_max * _AHEAD
    if answer is not None and answer.n is not None:
        end = max(end, min(2.0 * answer.n, RELIABLE * fit.n_max), 1.2 * answer.n)
    return np.unique(np.concatenate([np.geomspace(fit.n_min, end, _SIZES), fit.bends(fit.n_min, end)]))


def _bands(one: FittedCurve[Series], sizes: Array) -> list[Band]:
    bands = []
    for level, opacity in _LEVELS.items():
        points = project(one.reading, one.fit, sizes.tolist(), level)
        lower, upper = (
            np.array(ends, dtype=np.float64) for ends in ([p.lower for p in points], [p.upper for p in points])
        )
        if np.isfinite(lower).all():
            bands.append(Band(level, lower, upper, opacity))
    return bands


def needs(answer: InverseAnswer) -> str:
    """Return in a few words what a target needs."""
    if answer.n is None:
        return f"target {answer.target:g}: " + STATUS[answer.status]
    if answer.lower is None:
        return f"target {answer.target:g}: n = {answer.n:,}"
    upper = "∞" if answer.upper is None else f"{answer.upper:,}"
    return f"target {answer.target:g}: n = {answer.n:,} [{answer.lower:,}, {upper}]"


def shortened(text: str, length: int) -> str:
    """Return at most so many characters of a text."""
    return text if len(text) <= length else text[: length - 1] + "…"
