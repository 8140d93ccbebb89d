"""Which cells to measure next, where not all of a grid are worth their cost: those from which a projection gains most.

V-optimal design under the mixture's posterior (`sufficiency.method.mixture`): a component's projection at x* has the
variance gᵀJ⁻¹g, J being the information that the measured means give of its level and slope, and falls by
(gᵀJ⁻¹h)²·δ/(1 + δ·hᵀJ⁻¹h) with one more run of a step, whose weight that raises by δ. Summed over the components by
their posterior weight and divided by what a cell costs, the steps are taken one after the other, greedily, until a
stage is full. What is chosen depends on the measurements alone: so it is the same whoever measured them, and when.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sufficiency.method.calibrated import single_scatter
from sufficiency.method.calibration import calibration
from sufficiency.method.curve import Array, NotEnoughData
from sufficiency.method.measurements import Series
from sufficiency.method.mixture import Prior, condition, posterior, shape_function
from sufficiency.method.observed import Observed, observe
from sufficiency.method.plan import CellPlan

# A stage costs at least so much of a run: enough for the slots of a machine to share, and few enough to stop in time.
STAGE_SHARE = 0.5


@dataclass(frozen=True)
class Grid:
    """All cells that a study may measure.

    Attributes
    ----------
    steps : sequence of int
        Sizes by step number.
    runs : int
    costs : sequence of float
        Of one cell of each step, such as SGD steps.
    """

    steps: Sequence[int]
    runs: int
    costs: Sequence[float]

    @property
    def run_cost(self) -> float:
        """What one run costs."""
        return float(sum(self.costs))

    @property
    def cost(self) -> float:
        """What all of it costs."""
        return self.runs * self.run_cost

    def cost_of(self, cells: Sequence[tuple[int, int]]) -> float:
        """Return what some cells, each (run, step), cost."""
        return float(sum(self.costs[step] for _, step in cells))

    def first(self) -> list[CellPlan]:
        """Return the cells of the first stage: a run."""
        return [CellPlan(0, step, n) for step, n in enumerate(self.steps)]


def next_stage(
    grid: Grid, series: Series, taken: set[tuple[int, int]], at: float, *, budget: float = np.inf
) -> list[CellPlan]:
    """Return the cells to measure next, or none where no cell is left that the budget pays for.

    Parameters
    ----------
    series : Series
        What is measured of the metric in question.
    taken : set of (run, step)
        The cells that have ended, measured or not.
    at : float
        The size at which the projection is to gain.
    budget : float
        What may still be spent.
    """
    free = {step: [run for run in range(grid.runs) if (run, step) not in taken] for step in range(len(grid.steps))}
    gains = _Gains.of(grid, series, at)
    chosen: list[CellPlan] = []
    spent = 0.0
    while spent < STAGE_SHARE * grid.run_cost:
        open_steps = [step for step, runs in free.items() if runs and spent + grid.costs[step] <= budget]
        if not open_steps:
            break
        step = gains.best(open_steps)
        chosen.append(CellPlan(free[step].pop(0), step, grid.steps[step]))
        spent += grid.costs[step]
        gains.add(step)
    return chosen


class _Gains:
    """By how much one more run of each step lets the variance of a projection fall, for its cost."""

    def __init__(
        self, prior: Prior, weight: Array, x: Array, scatter: Array, runs: Array, costs: Array, ahead: float
    ) -> None:
        self._weight, self._runs, self._costs = weight, runs, costs
        self._variance = scatter**2
        self._misfit = prior.noise[:, :1] ** 2 * np.exp2(-prior.noise[:, 1:] * x)
        self._shape = shape_function(x, prior.shape[:, None])
        self._ahead = shape_function(np.array([ahead]), prior.shape[:, None])
        self._slope_precision = 1.0 / prior.slope[:, 1] ** 2

    @classmethod
    def of(cls, grid: Grid, series: Series, at: float) -> "_Gains | _Cheapest":
        """Return the gains by what is measured; with too little for a curve, the cheapest cells come first."""
        costs = np.array(grid.costs, dtype=np.float64)
        try:
            seen = observe(series)
        except NotEnoughData:
            return _Cheapest(costs)
        prior = calibration().several if seen.noise.known else calibration().single
        found = condition(seen.x, seen.z, seen.noise.mean, prior)
        log_weight = prior.power(len(seen.x)) * found.log_evidence + prior.log_weight
        weight = np.exp(log_weight - log_weight.max())
        x = np.log2(np.array(grid.steps, dtype=np.float64) / seen.n[-1])
        measured: Mapping[float, float] = dict(zip(series.n.tolist(), series.runs().tolist(), strict=True))
        runs = np.array([measured.get(float(n), 0.0) for n in grid.steps])
        scatter = np.interp(x, seen.x, _scatter(seen, prior))
        return cls(prior, weight / weight.sum(), x, scatter, runs, costs, np.log2(at / seen.n[-1]))

    def best(self, steps: Sequence[int]) -> int:
        """Return the step of some whose next run is worth most."""
        gains = self._gains() / self._costs
        return max(steps, key=lambda step: (gains[step], -step))

    def add(self, step: int) -> None:
        """Count a run of a step as measured."""
        self._runs[step] += 1

    def _weights(self, runs: Array) -> Array:
        """Return the weight of the mean over so many runs of each step, by noise component; shape (C, K)."""
        variance = np.where(runs > 0, self._variance / np.maximum(runs, 1.0), np.inf)
        weights: Array = 1.0 / (self._misfit + variance)
        return weights

    def _gains(self) -> Array:
        w, f = self._weights(self._runs), self._shape
        more = (self._weights(self._runs + 1.0) - w)[:, None, None, :]
        total = w.sum(axis=1)
        mean = w @ f.T / total[:, None]
        s_ff = np.maximum(w @ (f * f).T - total[:, None] * mean**2, 1e-12)
        precision = (self._slope_precision + s_ff[..., None])[..., None]
        level = (1.0 / total)[:, None, None, None]
        to_step = (f - mean[..., None])[:, :, None, :]
        to_goal = (self._ahead[None, :, 0] - mean)[:, :, None, None]
        shared = level + to_goal * to_step / precision
        own = level + to_step**2 / precision
        gains: Array = np.einsum("cms,cmsk->k", self._weight, more * shared**2 / (1.0 + more * own))
        return gains


class _Cheapest:
    """Where nothing can be said of the curve yet, what costs least is worth most."""

    def __init__(self, costs: Array) -> None:
        self._costs = costs

    def best(self, steps: Sequence[int]) -> int:
        """Return the cheapest of some steps."""
        return min(steps, key=lambda step: (self._costs[step], step))

    def add(self, step: int) -> None:
        """Make nothing of it."""


def _scatter(seen: Observed, prior: Prior) -> Array:
    """Return the standard deviation of one run at each measured step, on the link's scale."""
    if seen.noise.known:
        return seen.noise.run
    return single_scatter(seen, posterior(seen.x, seen.z, seen.noise.mean, prior))
