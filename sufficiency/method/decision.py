"""How many labels to buy now, at what they cost and what the metric is worth: 0 is an answer, and one may look again.

See docs/decisions/0029-a-verdict-that-can-be-held-to-its-word.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from sufficiency.method.curve import Array, Fit
from sufficiency.method.measurements import Reading
from sufficiency.method.worthwhile import best_of

# Sizes that may be bought up to: quarters of a doubling, as far as curves were learned from.
FAR = 32.0
_DOUBLINGS = np.arange(0.25, 5.01, 0.25)
# Places of a curve among those that are likely, as normal scores: where one is, and where one may be later.
_PLACES = np.linspace(-3.0, 3.0, 41)
_WEIGHTS = np.diff(ndtr(np.concatenate([[-np.inf], (_PLACES[1:] + _PLACES[:-1]) / 2, [np.inf]])))
_PATHS = 400
# Of a metric bounded at its best, this part of the range keeps the scale of its uncertainty finite there.
_EDGE = 1e-3


@dataclass(frozen=True)
class Terms:
    """What labels cost, and what the metric is worth.

    Attributes
    ----------
    price : float
        Of a label, ≥ 0.
    round_cost : float
        Of each purchase, however large, ≥ 0.
    rounds : int
        Purchases that are left, ≥ 1; after each one looks again.
    target : float or None
        What the metric has to meet, where that is the aim.
    penalty : float
        Of not meeting the target.
    value : float
        Of an improvement by one of the metric's units, where there is no target.
    budget : float or None
        Most to spend in all.
    """

    price: float
    round_cost: float = 0.0
    rounds: int = 1
    target: float | None = None
    penalty: float = 0.0
    value: float = 0.0
    budget: float | None = None

    def cost(self, items: Array) -> Array:
        """Return what it costs to buy so many at once."""
        return np.where(items > 0, self.round_cost + self.price * items, 0.0)


@dataclass(frozen=True)
class Outcome:
    """What comes of a plan, on average over the curves that are likely.

    Attributes
    ----------
    loss : float
        What is spent and what missing the target costs, less what the improvement is worth.
    spend : float
    probability : float
        Of meeting the target; without one, of any improvement.
    gain : float
        Improvement, in the metric's units.
    """

    loss: float
    spend: float
    probability: float
    gain: float


@dataclass(frozen=True)
class Purchase:
    """Buying so many at once and never again.

    Attributes
    ----------
    items, n : int
        To buy, and to have then.
    cost : float
    probability : float
        Of meeting the target; without one, of any improvement.
    gain : float
        Expected improvement, in the metric's units.
    loss : float
        Cost and what missing the target costs, less what the improvement is worth.
    """

    items: int
    n: int
    cost: float
    probability: float
    gain: float
    loss: float


@dataclass(frozen=True)
class Trade:
    """What may be spent with the rounds that are left, and how likely the target is then met."""

    spend: float
    probability: float
    gain: float
    items: int


@dataclass(frozen=True)
class Decision:
    """What to buy now, and what is to be expected of it.

    Attributes
    ----------
    buy, n : int
        Items to buy now, and to have then.
    plan : Outcome
        Of buying that, looking again, and going on as is best then.
    stop : Outcome
        Of buying nothing, ever.
    regret : float
        How much less would be lost on average by one who knew the curve.
    purchases : sequence of Purchase
        Everything that may be bought at once, from nothing on.
    frontier : sequence of Trade
        From the cheapest to the surest.
    """

    buy: int
    n: int
    plan: Outcome
    stop: Outcome
    regret: float
    purchases: Sequence[Purchase]
    frontier: Sequence[Trade]


class Prospect:
    """The curves that are likely, at the sizes that may be bought up to.

    At each size the metric is the posterior's quantile at a place, and places go on from size to size as a Markov chain
    with normal scores: after a look at n the rest of the curve is as uncertain, at so many times n, as it is now at so
    many times the largest measured size.

    Parameters
    ----------
    reading : Reading
    fit : Fit
        Of a method that gives intervals.
    reach : float
        As far as that, in units of the largest measured size, at most 32.
    also : sequence of float
        Sizes besides.
    """

    def __init__(self, reading: Reading, fit: Fit, reach: float = FAR, also: Sequence[float] = ()) -> None:
        doublings = _DOUBLINGS[math.log2(max(reach, 1.0)) + 1e-9 >= _DOUBLINGS]
        self.now_n = int(fit.n_max)
        sizes = np.unique(
            np.concatenate([np.ceil(fit.n_max * np.exp2(doublings) - 1e-9), np.asarray(also, dtype=float)])
        )
        self.n = sizes[(sizes > fit.n_max) & (sizes <= FAR * fit.n_max)]
        self.sign = 1.0 if reading.direction == "maximize" else -1.0
        self._reading, self._fit = reading, fit
        self.now = float(fit.value(np.array([fit.n_max]))[0])
        levels = ndtr(_PLACES)
        drawn = fit.quantile(self.n, levels if self.sign > 0 else 1 - levels)
        low, high = reading.bounds
        inside = np.clip(drawn, -np.inf if low is None else low, np.inf if high is None else high)
        # More data need not hurt, one may leave them out: at no place does a curve get worse.
        self.values = self.sign * np.maximum.accumulate(self.sign * inside, axis=1)

    @cached_property
    def gains(self) -> Array:
        """Improvement on now, at least 0, shape (places, J)."""
        return np.maximum(self.sign * (self.values - self.now), 0.0)

    @cached_property
    def memory(self) -> Array:
        """Correlation of the place at size k with that at the earlier size j, shape (J, J)."""
        wide, ratio = self._width(self.n), self.n[None, :] / self.n[:, None]
        ahead = self._width(np.maximum(ratio, 1.0) * self.now_n)
        left = np.clip((ahead / np.maximum(wide[None, :], 1e-12)) ** 2, 0.0, 1.0)
        return np.sqrt(1.0 - left)

    @cached_property
    def moves(self) -> Array:
        """From place to place, by earlier and later size, rows adding up to 1; shape (J, J, places, places)."""
        return _moves(self.memory)

    def _width(self, n: Array) -> Array:
        """Return the uncertainty of the metric at sizes, on a scale on which it does not shrink towards the best."""
        lower, upper = (self._scaled(self._fit.quantile(n, q)) for q in (0.16, 0.84))
        return np.abs(upper - lower) / 2

    def _scaled(self, values: Array) -> Array:
        best = best_of(self._reading)
        if best is None:
            return values
        low, high = self._reading.bounds
        edge = _EDGE * ((high - low) if low is not None and high is not None else abs(self.now - best) or 1.0)
        return np.log(np.abs(values - best) + edge)

    def met(self, target: float) -> NDArray[np.bool_]:
        """Return whether the target is met at each place and size, shape (places, J)."""
        return self.sign * (self.values - target) >= 0

    def paths(self) -> Array:
        """Return places of curves drawn at random, the same each time; shape (curves, J)."""
        rng = np.random.default_rng(0)
        place = np.empty((_PATHS, len(self.n)))
        if not len(self.n):
            return place
        place[:, 0] = ndtri((rng.permutation(_PATHS) + 0.5) / _PATHS)
        for k in range(1, len(self.n)):
            kept = self.memory[k - 1, k]
            place[:, k] = kept * place[:, k - 1] + math.sqrt(max(1.0 - kept**2, 0.0)) * rng.normal(size=_PATHS)
        return place


class Solver:
    """Finds what to buy by going backwards from the last round.

    Parameters
    ----------
    prospect : Prospect
    terms : Terms
    """

    def __init__(self, prospect: Prospect, terms: Terms) -> None:
        self.prospect, self.terms = prospect, terms
        self.items = np.concatenate([[0.0], prospect.n - prospect.now_n])
        met = prospect.met(terms.target) if terms.target is not None else prospect.gains > 0
        here = terms.target is not None and prospect.sign * (prospect.now - terms.target) >= 0
        places = len(_PLACES)
        # Column 0 is now, where one is at no place yet.
        self.met = np.concatenate([np.full((places, 1), here), met], axis=1).astype(float)
        self.gain = np.concatenate([np.zeros((places, 1)), prospect.gains], axis=1)
        self.stop = terms.penalty * (1.0 - self.met) if terms.target is not None else 0.0 - terms.value * self.gain

    def solve(self, known: float = 0.0, seen: float = 0.0) -> tuple[int, Outcome]:
        """Return what to buy now, as a place in `items`, and what comes of it.

        Parameters
        ----------
        known : float
            Correlation of what is known besides with where the curve is, as of further runs.
        seen : float
            What that is, as a normal score.
        """
        terms, items = self.terms, self.items
        sizes = len(items)
        cost = terms.cost(np.maximum(items[None, :] - items[:, None], 0.0))
        # What was spent before is at least the price of what one has by then.
        afforded = np.ones(sizes, dtype=bool)
        if terms.budget is not None:
            afforded = terms.cost(items) <= terms.budget * (1 + 1e-9)
        first = np.tile(_weights(np.array(known * seen), np.array(known)) if known else _WEIGHTS, (len(_PLACES), 1))
        still = np.stack([self.stop, np.zeros_like(self.stop), self.met, self.gain])
        plan, choice = still, 0
        for left in range(1, terms.rounds + 1):
            now = still.copy()
            last = left == terms.rounds
            for j in [0] if last else range(1, sizes):
                ahead = np.flatnonzero(afforded[j + 1 :]) + j + 1
                if not ahead.size:
                    continue
                step = (
                    np.broadcast_to(first, (len(ahead), *first.shape))
                    if j == 0
                    else self.prospect.moves[j - 1, ahead - 1]
                )
                # What each part of the plan is on average after each purchase, from each place; shape (4, K, places).
                then = np.einsum("kpq,aqk->akp", step, plan[:, :, ahead])
                then[:2] += cost[j, ahead][:, None]
                best = then[0].argmin(axis=0)
                chosen = then[:, best, np.arange(len(_PLACES))]
                better = chosen[0] < now[0, :, j] - 1e-12 * (1.0 + np.abs(now[0, :, j]))
                now[:, better, j] = chosen[:, better]
                if j == 0 and better[len(_PLACES) // 2]:
                    choice = int(ahead[best[len(_PLACES) // 2]])
            plan = now
        loss, spend, probability, gain = plan[:, len(_PLACES) // 2, 0].tolist()
        return choice, Outcome(loss, spend, probability, gain)

    def purchases(self) -> list[Purchase]:
        """Return everything that may be bought at once, from nothing on."""
        made = []
        for k, items in enumerate(self.items.tolist()):
            cost = float(self.terms.cost(np.array(items)))
            # Now one is at no place.
            mean = _mean if k else _first
            probability, gain = mean(self.met[:, k]), mean(self.gain[:, k])
            loss = cost + mean(self.stop[:, k])
            made.append(Purchase(int(items), self.prospect.now_n + int(items), cost, probability, gain, loss))
        return made

    def knowing(self) -> float:
        """Return what is lost on average by one who knows the curve, and buys what is best for it at once."""
        cost = self.terms.cost(self.items)
        if self.terms.budget is not None:
            cost = np.where(cost <= self.terms.budget * (1 + 1e-9), cost, np.inf)
        paths = self.prospect.paths()
        stops = [np.full(_PATHS, self.stop[0, 0])]
        stops += [np.interp(paths[:, k], _PLACES, self.stop[:, k + 1]) for k in range(paths.shape[1])]
        if self.terms.target is not None:  # met or not: nothing between
            stops = [np.where(one < self.terms.penalty / 2, 0.0, self.terms.penalty) for one in stops]
        return float((np.stack(stops, axis=1) + cost).min(axis=1).mean())


def _mean(places: Array) -> float:
    return float(_WEIGHTS @ places)


def _first(places: Array) -> float:
    return float(places[0])


def _moves(memory: Array) -> Array:
    """Return the matrices from place to place for correlations of any shape; shape (*memory.shape, places, places)."""
    return _weights(memory[..., None] * _PLACES, memory[..., None])


def _weights(centre: Array, memory: Array) -> Array:
    """Return the weights of the places for a normal about `centre` with what the correlation leaves open."""
    spread = np.maximum(np.sqrt(np.maximum(1.0 - memory**2, 0.0)), 0.5 * float(_PLACES[1] - _PLACES[0]))
    edges = np.concatenate([[-np.inf], (_PLACES[1:] + _PLACES[:-1]) / 2, [np.inf]])
    return np.asarray(np.diff(ndtr((edges - centre[..., None]) / spread[..., None]), axis=-1), dtype=np.float64)


def decide(prospect: Prospect, terms: Terms) -> Decision:
    """Return how many items to buy now."""
    solver = Solver(prospect, terms)
    choice, plan = solver.solve()
    bought = solver.purchases()
    nothing = bought[0]
    stop = Outcome(nothing.loss, 0.0, nothing.probability, 0.0)
    items = int(solver.items[choice])
    regret = max(plan.loss - solver.knowing(), 0.0)
    return Decision(items, solver.prospect.now_n + items, plan, stop, regret, bought, _frontier(prospect, terms))


def _frontier(prospect: Prospect, terms: Terms) -> list[Trade]:
    """Return what the rounds that are left can buy, from nothing on: the best for ever more that is at stake."""
    whole = float(terms.cost(np.array([max(prospect.n.max(initial=prospect.now_n) - prospect.now_n, 1.0)]))[0]) or 1.0
    found: dict[tuple[float, float], Trade] = {}
    for stake in np.geomspace(1e-3, 1e3, 13) * whole:
        changed = replace(terms, penalty=stake) if terms.target is not None else replace(terms, value=stake)
        if terms.target is None:
            scale = float(prospect.gains.max(initial=0.0)) or 1.0
            changed = replace(changed, value=stake / scale)
        solver = Solver(prospect, changed)
        choice, outcome = solver.solve()
        trade = Trade(outcome.spend, outcome.probability, outcome.gain, int(solver.items[choice]))
        found.setdefault((round(trade.spend, 9), round(trade.probability, 9)), trade)
    return sorted(found.values(), key=lambda trade: trade.spend)


def worth_of_knowing(prospect: Prospect, terms: Terms, share: float) -> float:
    """Return what it is worth to know more before anything is bought: at most so much may it cost.

    Parameters
    ----------
    share : float
        Of the variance of what the curve will be, that which is then known.

    Notes
    -----
    The expected value of sample information: the mean over what one may learn of the best plan then, less the best plan
    now. As it is a difference of two plans on one grid, it is kept at 0 or more.
    """
    if share <= 0:
        return 0.0
    known = math.sqrt(min(share, 1.0))
    solver = Solver(prospect, terms)
    now = solver.solve()[1].loss
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    weights = weights / weights.sum()
    then = sum(w * solver.solve(known, float(seen))[1].loss for seen, w in zip(nodes, weights, strict=True))
    return max(now - float(then), 0.0)
