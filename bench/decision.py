"""What buying by the decision costs beside one who knows the curve, on real curves with real outcomes.

For each curve, target and price: labels are bought round by round, the curve is measured at the new size, fitted anew,
and asked again, until the target is met, the rounds are spent or nothing more is bought; who misses pays the penalty.
Beside: the size where the curve's median or the power law meets the target (`median`, `point`), Learn-Optimize-Collect
with a density of its own (`loc`: bootstrapped power laws, a kernel density of the needed size, the same grid of sizes),
and doubling as long as rounds are left (`double`). Costs are in units of what the first curve's labels cost; regret is
cost beyond the oracle's, who buys what meets the target at once, or nothing where that costs more than the penalty.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.calibration.tasks import Lcdb, Studies, Task
from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.curve import Array
from sufficiency.method.decision import Prospect, Solver, Terms
from sufficiency.method.measurements import Series
from sufficiency.method.power_law import fit_power_law

HERE = Path(__file__).resolve().parent
# Targets: so much of what was left to the best is to be taken away.
SHARES = (0.1, 0.25, 0.5)
PENALTIES = (3.0, 10.0, 30.0)
ROUND_COSTS = (0.0, 0.25)
ROUNDS = (1, 3, 5)
_FAR = 8.0
_BOOTSTRAPS = 40

# A buyer: the curve as it is measured, its target and the terms, to the next size of those there are; itself: enough.
Buyer = Callable[[Series, Array, Terms], float]


class World:
    """A curve that can be bought up to where its truth is known.

    Parameters
    ----------
    task : Task
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        near = task.ahead <= np.log2(_FAR) + 1e-6
        self.n = float(task.series.n[-1]) * np.exp2(task.ahead[near])
        self.truth = task.truth[near]

    def measured(self, series: Series, n: float) -> Series:
        """Return the curve with a further size, whose runs scatter about the truth as those of the last did."""
        truth = float(np.interp(np.log2(n), np.log2(self.n), self.truth))
        last = series.values[:, -1]
        values = np.clip(truth + last - last.mean(), *series.bounds)
        return replace(series, n=np.append(series.n, n), values=np.column_stack([series.values, values]))

    def meets(self, n: float, target: float) -> bool:
        """Whether the truth at a size, or at a smaller one, meets the target."""
        reached = self.truth[self.n <= n * (1 + 1e-9)]
        return bool(reached.size) and bool((reached >= target).any())

    def oracle(self, target: float, terms: Terms) -> float:
        """Return the cost of one who knows the curve."""
        met = np.flatnonzero(self.truth >= target)
        if not met.size:
            return terms.penalty
        return min(float(terms.cost(self.n[met[0]] - self.task.series.n[-1])), terms.penalty)


def play(world: World, buyer: Buyer, terms: Terms) -> tuple[float, bool]:
    """Return what a buyer's way costs in all, and whether the target is missed in the end."""
    series, cost = world.task.series, 0.0
    assert terms.target is not None
    for left in range(terms.rounds, 0, -1):
        ahead = world.n[world.n > series.n[-1] * (1 + 1e-9)]
        if not ahead.size:
            break
        n = buyer(series, ahead, replace(terms, rounds=left))
        if n <= series.n[-1]:
            break
        n = float(ahead[np.argmin(np.abs(np.log(ahead / n)))])
        cost += float(terms.cost(n - series.n[-1]))
        series = world.measured(series, n)
        if world.meets(n, terms.target):
            return cost, False
    return cost + terms.penalty, True


def ours(series: Series, ahead: Array, terms: Terms) -> float:
    """Buy by the decision."""
    prospect = Prospect(series, fit_calibrated(series), reach=float(ahead[-1] / series.n[-1]), also=ahead)
    choice, _ = Solver(prospect, terms).solve()
    return float(series.n[-1] + Solver(prospect, terms).items[choice])


def _needed(value: Array, ahead: Array, target: float) -> float:
    met = np.flatnonzero(value >= target)
    return float(ahead[met[0]]) if met.size else np.inf


def median(series: Series, ahead: Array, terms: Terms) -> float:
    """Buy what the calibrated curve's median says; all there is, or nothing, where it is never met."""
    return _as_said(_needed(fit_calibrated(series).value(ahead), ahead, terms.target or 0.0), series, ahead, terms)


def point(series: Series, ahead: Array, terms: Terms) -> float:
    """Buy what the power law says; all there is, or nothing, where it is never met."""
    return _as_said(_needed(fit_power_law(series).value(ahead), ahead, terms.target or 0.0), series, ahead, terms)


def _as_said(needed: float, series: Series, ahead: Array, terms: Terms) -> float:
    n = needed if np.isfinite(needed) else float(ahead[-1])
    return n if float(terms.cost(np.array(n - series.n[-1]))) < terms.penalty else float(series.n[-1])


def double(series: Series, ahead: Array, terms: Terms) -> float:
    """Double, come what may."""
    return min(2.0 * float(series.n[-1]), float(ahead[-1]))


def loc(series: Series, ahead: Array, terms: Terms) -> float:
    """Learn-Optimize-Collect: the plan of least expected cost by a density of the needed size, given up never."""
    rng = np.random.default_rng(0)
    runs = len(series.values)
    logs = []
    for _ in range(_BOOTSTRAPS):
        steps = np.sort(rng.choice(len(series.n), max(len(series.n) - 2, 3), replace=False))
        values = series.values[rng.integers(runs, size=runs)][:, steps]
        drawn = Series("Accuracy", None, series.n[steps], values, series.direction, series.bounds)
        far = np.geomspace(series.n[-1], 64 * series.n[-1], 200)
        logs.append(np.log(min(_needed(fit_power_law(drawn).value(far), far, terms.target or 0.0), 128 * series.n[-1])))
    width = max(1.06 * float(np.std(logs)) * len(logs) ** -0.2, 0.05)
    from scipy.special import ndtr

    sizes = np.concatenate([[series.n[-1]], ahead])
    missed = 1.0 - ndtr((np.log(sizes)[:, None] - np.array(logs)) / width).mean(axis=1)
    missed[0] = 1.0  # it is not met yet
    cost = terms.cost(np.maximum(sizes[None, :] - sizes[:, None], 0.0))
    ahead_of = np.full(len(sizes), terms.penalty)
    best = 0
    for _ in range(terms.rounds):
        then = cost + missed[None, :] / np.maximum(missed[:, None], 1e-9) * ahead_of[None, :]
        then = np.where(np.tri(len(sizes), k=-1).T > 0, then, np.inf)
        np.fill_diagonal(then, terms.penalty)
        ahead_of, best = then.min(axis=1), int(then[0].argmin())
    return float(sizes[best])


BUYERS: dict[str, Buyer] = {"ours": ours, "median": median, "point": point, "loc": loc, "double": double}


def worlds(options: argparse.Namespace) -> Iterator[tuple[str, list[Task]]]:
    """Yield the curves, an accuracy each, that are known to eight times what was measured."""
    chosen = np.random.default_rng(0)
    if options.lcdb:
        data = Lcdb(options.lcdb)
        for title, tasks in (("LCDB, 25 splits", data.scored_means()), ("LCDB, 5 runs", data.scored_several(5))):
            known = [task for task in tasks if task.ahead[-1] >= np.log2(_FAR) - 0.1]
            yield title, [known[i] for i in chosen.permutation(len(known))[: options.cap]]
    tasks = [
        task
        for task in Studies(options.studies, apart=True).tasks(0, scored=True)
        if task.source.endswith("Accuracy") and task.ahead[-1] >= np.log2(_FAR) - 0.1
    ]
    yield "studies kept apart", [tasks[i] for i in chosen.permutation(len(tasks))[: options.cap]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=Path, default=HERE / "calibration" / "studies.npz")
    parser.add_argument("--lcdb", type=Path, help="lcdb_dev.npz")
    parser.add_argument("--cap", type=int, default=20, help="so many curves of each kind")
    parser.add_argument("--detail", action="store_true", help="every penalty and cost of a round for itself")
    options = parser.parse_args()
    for title, tasks in worlds(options):
        # By rounds, then by penalty and cost of a round: regret and misses of each buyer.
        found: dict[tuple[int, float, float], list[dict[str, tuple[float, bool]]]] = {}
        for task, share in itertools.product(tasks, SHARES):
            world = World(task)
            now = float(task.series.mean()[-1])
            target = now + share * (1.0 - now)
            for rounds, penalty, round_cost in itertools.product(ROUNDS, PENALTIES, ROUND_COSTS):
                terms = Terms(1.0 / float(task.series.n[-1]), round_cost, rounds, target=target, penalty=penalty)
                least = world.oracle(target, terms)
                results = {name: play(world, buyer, terms) for name, buyer in BUYERS.items()}
                found.setdefault((rounds, penalty, round_cost), []).append(
                    {name: (cost - least, missed) for name, (cost, missed) in results.items()}
                )
        for rounds in ROUNDS:
            every = [one for key, of in found.items() if key[0] == rounds for one in of]
            _line(f"{title}, {rounds} rounds", every)
        if options.detail:
            for (rounds, penalty, round_cost), of in found.items():
                _line(f"   {rounds} rounds, penalty {penalty:g}, {round_cost:g} a round", of)


def _line(title: str, results: list[dict[str, tuple[float, bool]]]) -> None:
    regret = {name: float(np.mean([one[name][0] for one in results])) for name in BUYERS}
    missed = {name: float(np.mean([one[name][1] for one in results])) for name in BUYERS}
    best = min((name for name in BUYERS if name != "ours"), key=lambda name: regret[name])
    told = "  ".join(f"{name} {regret[name]:.2f} ({missed[name]:.0%})" for name in BUYERS)
    ratio = regret["ours"] / max(regret[best], 1e-9)
    print(f"{title:40s} regret (missed): {told}   ours/{best} {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
