"""Learn what the second edition of the calibrated method adds to the first.

A second network, told of the metric's family and of how its companions went, learned from LCDB's development part
(--lcdb), the studies of ``run_studies.py`` and the quick studies, without anything kept apart; how much of it there is
to be in each family, and how wide the intervals are, both set on datasets that neither network of four folds had seen.
For that the first network is learned by the same folds, from what ``learn.py`` learns it from. The mixture's prior and
the first network that is carried stay as ``learn.py`` made them; with --keep the second one that is carried does too,
and shares and widths alone are set anew. Writes ``sufficiency/method/calibration.npz``.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri

from bench.calibration.learn import HERE, PACKAGE, Array, Rows, alone, learn_network
from bench.calibration.tasks import Lcdb, Studies, Task, as_loss
from sufficiency.method.calibration import KINDS, Calibration, grow
from sufficiency.method.course import CONTEXT
from sufficiency.method.curve import NotEnoughData
from sufficiency.method.mixture import posterior
from sufficiency.method.observed import observe, pool
from sufficiency.method.summary import summarise
from sufficiency.schemas.words import METRIC_FAMILIES

FARTHEST = 12.0
# What ``calibration.npz`` holds of the second edition.
OF_SECOND = ("second_", "share", "widen_family", "growth")
FOLDS = 4
# Shares of the second network that are tried.
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
# Widths of a family are drawn to those of all, as if these had so many curves in it.
_PULL = 40.0
# Studies are fewer than LCDB's curves, but of what users bring: what they weigh together, of all of LCDB. Accuracies of
# small tables are what a network told of companions errs in first.
_STUDIES = {"studies.npz": 0.7, "quick_studies.npz": 1.0}
_QUICK_ACCURACY = 2.0
# Distances at which it is seen how much wider intervals have to be.
_DISTANCES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
LEVELS = (0.5, 0.8, 0.95)
_LEAST_GROWTH = 0.03
# Of a source with fewer rows than this nothing can be said by which to choose.
_LEAST_ROWS = 30


def gather(lcdb: Path, seed: int, draws: int) -> tuple[list[Task], int]:
    """Return all development tasks, and how many of the first of them the first network learns from."""
    data = Lcdb(lcdb)
    tasks = [*data.means(seed, 0.6), *(task for k in range(3) for task in data.several(seed + k, 1.0))]
    tasks += [*data.scored_means(), *data.scored_several(5), *data.scored_several(1)]
    links = [*data.means(seed + 10, 0.1), *data.several(seed + 10, 0.2)]
    tasks += [as_loss(task, kind) for kind in ("log", "identity") for task in links]
    total = sum(task.weight for task in tasks)
    counts = []
    for file, share in _STUDIES.items():
        own = Studies([HERE / file], apart=False)
        measured = [task for k in range(draws) for task in own.tasks(seed + k, scored=False)]
        whole = sum(task.weight for task in measured)
        for task in measured:
            more = _QUICK_ACCURACY if "quick" in file and task.source.endswith("/Accuracy") else 1.0
            tasks.append(replace(task, weight=task.weight * more * share * total / whole))
        counts.append(len(tasks))
    return tasks, counts[0]


def to_rows(tasks: Sequence[Task], learned: Calibration) -> tuple[Rows, NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of all tasks, and the family and the task of each."""
    parts: dict[str, list[Any]] = {name: [] for name in Rows.__dataclass_fields__}
    families, places = [], []
    for place, task in enumerate(tasks):
        try:
            whole = observe(task.series)
        except NotEnoughData:
            continue
        seen, offset = pool(whole)
        truth = seen.link.z(task.truth)
        # Seen flat, then moving by many times its range: nothing that a law of the identity link could tell.
        if np.abs(truth).max() >= FARTHEST:
            continue
        mixture = posterior(seen.x, seen.z, seen.noise.mean, learned.several if seen.noise.known else learned.single)
        inputs, mean, sd = summarise(seen, mixture, task.ahead + offset)
        count = len(task.ahead)
        context = np.broadcast_to(seen.context, (count, CONTEXT))
        found = {
            "inputs": np.concatenate([context, inputs], axis=1).astype(np.float32),
            "mean": mean,
            "sd": sd,
            "truth": truth,
            "kind": np.full(count, KINDS.index(seen.link.kind)),
            "weight": np.full(count, task.weight / count),
            "single": np.full(count, not seen.noise.known),
            "group": np.full(count, task.group),
            "source": np.full(count, task.source),
            "ahead": task.ahead,
            "unit": np.full(count, seen.link.unit if task.series.family == "r2" else np.nan),
        }
        for name, array in found.items():
            parts[name].append(array)
        families.append(np.full(count, METRIC_FAMILIES.index(task.series.family)))
        places.append(np.full(count, place))
    rows = Rows(**{name: np.concatenate(arrays) for name, arrays in parts.items()})
    return rows, np.concatenate(families), np.concatenate(places)


def second(network: dict[str, Array], share: Array, widen: Array, growth: Array) -> dict[str, Any]:
    """Return what ``calibration.npz`` holds of the second edition."""
    arrays: dict[str, Any] = {f"second_{name}": array.astype(np.float32) for name, array in network.items()}
    return arrays | {"share": share, "widen_family": widen, "growth": growth}


def first_of(network: dict[str, Array]) -> dict[str, Array]:
    """Return what ``calibration.npz`` holds of the first network."""
    return {f"network_{name}": array.astype(np.float32) for name, array in network.items()}


def not_told(rows: Rows) -> Rows:
    """Return the rows as the first network sees them."""
    return replace(rows, inputs=rows.inputs[:, CONTEXT:])


def predict(first: dict[str, Any], rows: Rows, family: NDArray[np.int64]) -> dict[str, Array]:
    """Return the median, and how far the ends of the 95 % interval are, on the link's scale."""
    learned = Calibration.of(first)
    found = {name: np.empty(len(rows.mean)) for name in ("centre", "below", "above", "tail")}
    for index, name in enumerate(METRIC_FAMILIES):
        for single, kind in product((False, True), KINDS):
            k = np.flatnonzero((family == index) & (rows.single == single) & (rows.kind == KINDS.index(kind)))
            inputs = rows.inputs[k].astype(np.float64)
            p = learned.correct(
                inputs[:, CONTEXT:], inputs[:, :CONTEXT], rows.mean[k], rows.sd[k], kind, name, single=single
            )
            for part, values in found.items():
                values[k] = getattr(p, part)
    return found


def cost_error(rows: Rows, centre: Array) -> Array:
    """Return the absolute error of a median on the scale on which a user reads it.

    That is the metric's own where it is bounded on both sides, and of R² too, whose unit is the same in every study;
    elsewhere the link's.
    """

    def scaled(z: Array) -> Array:
        t = np.exp(np.clip(z, -30, 30))
        share = np.clip((t * 1.001 - 0.001) / (1 + t), 0, 1)
        loss = np.where(np.isnan(rows.unit), 0.15 * z, rows.unit * t)
        return np.where(rows.kind == 0, share, np.where(rows.kind == 1, loss, 0.1 * z))

    return np.asarray(np.abs(scaled(centre) - scaled(rows.truth)))


def growths(rows: Rows, family: NDArray[np.int64], found: dict[str, Array]) -> Array:
    """Return, by number of runs and family, how much more the widths have to grow with each doubling.

    At some distances it is seen by what factor intervals of unseen curves would hold; the mean slope of its logarithm
    over three levels is drawn to none, as if the family had so many curves more without it. Next to none is none.
    """
    factors = np.stack([_held_by(rows, found, level) for level in LEVELS])
    found_growth = np.zeros((2, len(METRIC_FAMILIES)))
    for single, k in product(range(2), range(len(METRIC_FAMILIES))):
        mine = (rows.single == bool(single)) & (family == k)
        distances, logs, weights = [], [], []
        for distance in _DISTANCES:
            here = mine & (np.abs(rows.ahead - distance) < 0.06)
            if here.sum() >= _LEAST_ROWS:
                distances.append(distance)
                weights.append(rows.weight[here].sum())
                needed = [
                    _quantile(of[here], rows.weight[here], level) for of, level in zip(factors, LEVELS, strict=True)
                ]
                logs.append(np.log(needed).mean())
        if len(distances) >= 3:
            slope = np.polyfit(distances, logs, 1, w=np.sqrt(weights))[0]
            curves = _curves(rows, mine)
            drawn = slope * curves / (curves + _PULL)
            found_growth[single, k] = drawn if drawn >= _LEAST_GROWTH else 0.0
    return found_growth


def _held_by(rows: Rows, found: dict[str, Array], level: float) -> Array:
    """Return the factor of the widths by which each truth would lie on the end of its interval."""
    reach = np.sinh(found["tail"] * ndtri(0.5 + level / 2)) / found["tail"]
    width = np.where(rows.truth >= found["centre"], found["above"], found["below"])
    return np.asarray(np.abs(rows.truth - found["centre"]) / (width * reach))


def _quantile(values: Array, weight: Array, q: float) -> float:
    order = np.argsort(values)
    place = int(np.searchsorted(np.cumsum(weight[order]), q * weight.sum()))
    return max(float(values[order][min(place, len(order) - 1)]), 1e-3)


def _curves(rows: Rows, chosen: NDArray[np.bool_]) -> float:
    """Return about how many curves some rows are of."""
    return len(np.unique(np.stack([rows.mean[chosen], rows.truth[chosen]]), axis=1).T) / 4.0


def widths(rows: Rows, family: NDArray[np.int64], found: dict[str, Array]) -> Array:
    """Return the factors, by number of runs, family and side, by which 95 % intervals of unseen curves hold."""
    side, ratio = (rows.truth >= found["centre"]).astype(int), _held_by(rows, found, 0.95)
    near = (rows.ahead >= 0.45) & (rows.ahead <= 3.05)
    factors = np.ones((2, len(METRIC_FAMILIES), 2))
    for single in range(2):
        for k in range(len(METRIC_FAMILIES)):
            mine = near & (rows.single == bool(single)) & (family == k)
            others = near & (rows.single == bool(single))
            if not others.any():
                continue
            curves = _curves(rows, mine)
            lean = curves / (curves + _PULL)
            for end in range(2):
                own, every = (_passed(ratio, rows.weight, chosen, side == end) for chosen in (mine, others))
                factors[single, k, end] = np.exp(lean * np.log(own) + (1 - lean) * np.log(every))
    return factors


def _passed(ratio: Array, weight: Array, chosen: NDArray[np.bool_], side: NDArray[np.bool_]) -> float:
    """Return the ratio that 2.5 % of the chosen pass on one side."""
    here = chosen & side
    if not here.any():
        return 1.0
    order = np.argsort(-ratio[here])
    share = np.cumsum(weight[here][order]) / weight[chosen].sum()
    return float(np.clip(ratio[here][order][min(np.searchsorted(share, 0.025), len(order) - 1)], 0.3, 4.0))


def best_share(
    rows: Rows, family: NDArray[np.int64], found: dict[str, dict[str, Array]], place: int
) -> tuple[float, Array]:
    """Return the share by which a family's medians err least, and the errors by share, the first network's being one.

    Sources count alike, by the logarithm of their error: the many curves of one kind of data do not outvote another.
    """
    far = (rows.ahead >= 0.95) & (rows.ahead <= 3.05) & (family == place)
    logs = []
    for source in np.unique(rows.source[far]):
        k = far & (rows.source == source)
        if k.sum() >= _LEAST_ROWS:
            w = rows.weight[k]
            errors = [float(w @ cost_error(rows, found[f"{share:g}"]["centre"])[k]) for share in SHARES]
            logs.append(np.log(np.maximum(errors, 1e-12)) - np.log(max(errors[0], 1e-12)))
    if not logs:
        return 0.0, np.ones(len(SHARES))
    errors_by_share = np.exp(np.mean(logs, axis=0))
    return SHARES[int(errors_by_share.argmin())], errors_by_share


def report(rows: Rows, family: NDArray[np.int64], found: dict[str, dict[str, Array]], factors: Array) -> None:
    """Print, by source and family, the errors of each share, and how often the last one's intervals hold."""
    sets = [(str(source), rows.source == source) for source in np.unique(rows.source)]
    for title, chosen in sets + [(f"all of {name}", family == k) for k, name in enumerate(METRIC_FAMILIES)]:
        k = chosen & (np.abs(rows.ahead - 2.0) < 0.05)
        if k.sum() < 8:
            continue
        w = rows.weight[k] / rows.weight[k].sum()
        errors = {name: float(w @ cost_error(rows, p["centre"])[k]) for name, p in found.items()}
        first = next(iter(errors.values()))
        told = "  ".join(f"{name} {error / first:.3f}" for name, error in errors.items())
        p = list(found.values())[-1]
        held = []
        for level in LEVELS:
            reach = np.sinh(p["tail"] * ndtri(0.5 + level / 2)) / p["tail"]
            f = factors[rows.single.astype(int), family]
            low, high = p["centre"] - p["below"] * reach * f[:, 0], p["centre"] + p["above"] * reach * f[:, 1]
            held.append(f"{w @ ((rows.truth >= low - 1e-9) & (rows.truth <= high + 1e-9))[k]:.2f}")
        print(f"  {title:26s} {int(k.sum()):5d}  {first:.4f}  {told}   {'/'.join(held)}", flush=True)


def main() -> None:
    """Learn, and say how well it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lcdb", type=Path, required=True, help="lcdb_dev.npz")
    parser.add_argument("--output", type=Path, default=PACKAGE / "calibration.npz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--share", nargs="*", default=[], metavar="FAMILY=SHARE", help="of these families, not chosen")
    parser.add_argument("--keep", action="store_true", help="keep the second network that is carried")
    parser.add_argument("--folds", type=Path, help="a folder to keep in what each fold's networks learned, to score by")
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {what}", flush=True)

    with np.load(PACKAGE / "calibration.npz", allow_pickle=False) as kept:
        carried = {name: kept[name] for name in kept.files}
    base = {name: array for name, array in carried.items() if not name.startswith(OF_SECOND)}
    learned = Calibration.of(base | alone())
    tasks, count = gather(options.lcdb, options.seed, options.draws)
    rows, family, place = to_rows(tasks, learned)
    firsts = place < count
    say(f"{len(rows.mean)} rows of {len(np.unique(rows.group))} datasets, {rows.inputs.shape[1]} inputs")
    learning: dict[str, Any] = {"epochs": options.epochs, "batch": 2048, "rate": 7e-3}
    if options.keep:
        parts = ("offset", "scale", "hidden_1", "hidden_2", "output")
        final = {part: carried[f"second_{part}"] for part in parts}
    else:
        final = learn_network(rows, options.seed, members=options.members, **learning)
        say("the second network")
    groups = np.unique(rows.group)
    fold_of = dict(zip(groups, np.random.default_rng(options.seed).permutation(len(groups)) % FOLDS, strict=True))
    fold = np.array([fold_of[group] for group in rows.group])
    found: dict[str, dict[str, Array]] = {
        f"{share:g}": {name: np.empty(len(fold)) for name in ("centre", "below", "above", "tail")} for share in SHARES
    }
    ones, none = np.ones((2, len(METRIC_FAMILIES), 2)), np.zeros((2, len(METRIC_FAMILIES)))
    without = []
    for k in range(FOLDS):
        first = learn_network(not_told(rows.take((fold != k) & firsts)), options.seed + k, members=2, **learning)
        network = learn_network(rows.take(fold != k), options.seed + k, members=2, **learning)
        without.append((first, network))
        say(f"fold {k + 1} of {FOLDS}")
        for share in SHARES:
            arrays = base | first_of(first) | second(network, np.full(len(METRIC_FAMILIES), share), ones, none)
            part = predict(arrays, rows.take(fold == k), family[fold == k])
            for name, values in part.items():
                found[f"{share:g}"][name][fold == k] = values
    shares = np.zeros(len(METRIC_FAMILIES))
    given = dict(one.split("=") for one in options.share)
    for k, name in enumerate(METRIC_FAMILIES):
        best, errors = best_share(rows, family, found, k)
        shares[k] = float(given.get(name, best))
        say(f"{name}: {shares[k]:g} of the second network; errors by share {np.round(errors, 3).tolist()}")
    chosen = {
        name: np.choose(np.searchsorted(SHARES, shares[family]), [found[f"{s:g}"][name] for s in SHARES])
        for name in ("centre", "below", "above", "tail")
    }
    growth = growths(rows, family, chosen)
    grown = grow(rows.ahead, growth[rows.single.astype(int), family])
    chosen |= {side: chosen[side] * grown for side in ("below", "above")}
    factors = widths(rows, family, chosen)
    # Where the first network stands alone its own widths do, which were set on curves that it had not seen.
    factors[:, shares == 0.0] = 1.0
    growth[:, shares == 0.0] = 0.0
    say(f"widths grow by {np.round(growth, 3).tolist()} a doubling (several runs, one run; by family)")
    say(f"widths times {np.round(factors, 2).tolist()} (several runs, one run; by family; below, above)")
    report(rows, family, found | {"chosen": chosen}, factors)
    if options.folds:
        for k, (first, network) in enumerate(without):
            arrays = base | first_of(first) | second(network, shares, factors, growth)
            np.savez_compressed(
                options.folds / f"fold_{k}.npz", groups=[g for g, of in fold_of.items() if of == k], **arrays
            )
    np.savez_compressed(options.output, **(base | second(final, shares, factors, growth)))
    say(f"wrote {options.output.name}, {options.output.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
