"""Learn the calibrated method: the mixture's prior, the network that corrects it, and the widths of its intervals.

From LCDB's development part (--lcdb) and the studies of ``run_studies.py`` that are not kept apart (--studies). Writes
``sufficiency/method/calibration.npz``, to which ``learn_second.py`` then adds. Everything is seeded; on two cores it
takes some minutes. It first learns five times without a fifth of the datasets and prints the errors on those: what to
believe of new curves.
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor, nn

from bench.calibration.tasks import Lcdb, Studies, Task, as_loss
from sufficiency.method.calibration import KINDS, Calibration
from sufficiency.method.course import CONTEXT
from sufficiency.method.mixture import Prior, condition, posterior, shape_function
from sufficiency.method.observed import Observed, observe, views
from sufficiency.method.summary import summarise
from sufficiency.schemas.words import METRIC_FAMILIES

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "sufficiency" / "method"

Array = NDArray[np.float64]

SIGMA = [0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512]
GAMMA = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0]
NOISE = np.array([(sigma, gamma) for sigma in SIGMA for gamma in GAMMA])
SHAPE = np.array([-1.0, -0.6, -0.3, -0.1, 0.1, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0])
SLOPE = np.array([(0.0, 0.02), (0.08, 0.06), (0.2, 0.15), (0.5, 0.4), (1.0, 0.8), (-0.2, 0.2)])
# Components that the data gave next to no weight are not carried.
LEAST_WEIGHT = 1.5e-3
LEVEL = 0.95
FARTHEST = 12.0
STUDY_DRAWS = 6


@dataclass
class Rows:
    """One row a task and size ahead: the network's inputs, the mixture's prediction, the truth on the link's scale.

    `unit` is the link's where errors are to be read in the metric's own (R²'s), else NaN.
    """

    inputs: Array
    mean: Array
    sd: Array
    truth: Array
    kind: NDArray[np.int64]
    weight: Array
    single: NDArray[np.bool_]
    group: NDArray[np.str_]
    source: NDArray[np.str_]
    ahead: Array
    unit: Array

    def take(self, chosen: NDArray[Any]) -> "Rows":
        """Return some of the rows."""
        return Rows(**{name: array[chosen] for name, array in vars(self).items()})


# The prior


def learn_prior(tasks: Sequence[tuple[Task, Observed]], seed: int, steps: int = 260, batch: int = 500) -> Prior:
    """Maximise the log predictive density of the truths over the three factors' weights and the temper."""
    rng = np.random.default_rng([seed, 1])
    chosen = [tasks[i] for i in rng.permutation(len(tasks))[:3600]]
    flat = Prior(NOISE, SHAPE, SLOPE, np.zeros((len(NOISE), len(SHAPE), len(SLOPE))), (-1.5, 1.0))
    evidence, density, size, weight = [], [], [], []
    for task, seen in chosen:
        found = condition(seen.x, seen.z, seen.noise.mean, flat)
        ahead = np.unique(task.ahead[[int(np.abs(task.ahead - x).argmin()) for x in (1.0, 2.0, 3.0)]])
        d = (shape_function(ahead[:, None, None], SHAPE) - found.f)[..., None]
        mean = found.z[:, None, None] - found.slope * d
        misfit = NOISE[:, 0] ** 2 * 2.0 ** (-NOISE[:, 1] * ahead[:, None]) + 1.0 / found.weight
        variance = misfit[:, :, None, None] + d * d / found.precision
        truth = seen.link.z(np.interp(ahead, task.ahead, task.truth))[:, None, None, None]
        log_density = -0.5 * (np.log(2 * np.pi * variance) + (truth - mean) ** 2 / variance)
        row = (found.log_evidence - found.log_evidence.max()).ravel().astype(np.float32)
        for one in log_density:
            evidence.append(row)
            density.append(one.ravel().astype(np.float32))
            size.append(len(seen.x))
            weight.append(task.weight / len(ahead))
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    e, d_, k = torch.tensor(np.stack(evidence)), torch.tensor(np.stack(density)), torch.tensor(size)
    w = torch.tensor(np.array(weight, dtype=np.float32))
    factors = [torch.zeros(length, requires_grad=True) for length in (len(NOISE), len(SHAPE), len(SLOPE))]
    temper = torch.tensor([-1.7, 1.0], requires_grad=True)
    optimizer = torch.optim.Adam([*factors, temper], lr=0.15)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        i = torch.randint(len(k), (batch,), generator=generator)
        a, b, c = (torch.log_softmax(f, 0) for f in factors)
        log_prior = (a[:, None, None] + b[None, :, None] + c[None, None, :]).reshape(-1)
        power = torch.sigmoid(temper[0] - temper[1] * torch.log((k[i] - 1) / 9)).clamp(min=0.07)
        log_weight = torch.log_softmax(power[:, None] * e[i] + log_prior, 1)
        loss = -torch.logsumexp(log_weight + d_[i], 1).clamp(min=-8.0)
        penalty = sum(((f - f.mean()) ** 2).sum() for f in factors) * (0.05 / len(k))
        total = (w[i] * loss).sum() / w[i].sum() + penalty
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        scheduler.step()
    parts = [torch.softmax(f.detach(), 0).double().numpy() for f in factors]
    kept = [part >= LEAST_WEIGHT for part in parts]
    weights = [part[keep] / part[keep].sum() for part, keep in zip(parts, kept, strict=True)]
    log_prior = np.log(weights[0])[:, None, None] + np.log(weights[1])[None, :, None] + np.log(weights[2])[None, None]
    u, v = temper.tolist()
    return Prior(NOISE[kept[0]], SHAPE[kept[1]], SLOPE[kept[2]], log_prior, (u, v))


# The network


class Ensemble(nn.Module):
    """E perceptrons side by side; see `sufficiency.method.calibration.Network`."""

    def __init__(self, members: int, inputs: int, hidden: int) -> None:
        super().__init__()

        def layer(fan_in: int, fan_out: int, gain: float) -> nn.Parameter:
            weights = torch.randn(members, fan_in + 1, fan_out) * gain / fan_in**0.5
            weights[:, -1] = 0.0
            return nn.Parameter(weights)

        self.hidden_1 = layer(inputs, hidden, 0.6)
        self.hidden_2 = layer(hidden, hidden, 0.6)
        self.output = layer(hidden, 6, 0.0)
        with torch.no_grad():
            self.output[:, -1, 5] = -0.5

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs (E, N, 6) for inputs (E, N, F)."""
        h = torch.tanh(torch.baddbmm(self.hidden_1[:, -1:], x, self.hidden_1[:, :-1]))
        h = torch.tanh(torch.baddbmm(self.hidden_2[:, -1:], h, self.hidden_2[:, :-1]))
        return torch.baddbmm(self.output[:, -1:], h, self.output[:, :-1])


def learn_network(
    rows: Rows,
    seed: int,
    members: int = 6,
    hidden: int = 32,
    epochs: int = 28,
    batch: int = 1024,
    rate: float = 5e-3,
    decay: float = 3e-2,
    emphasis: float = 100.0,
) -> dict[str, Array]:
    """Minimise the negative log density of the truth plus `emphasis` times the median's absolute error.

    The error counts on the metric's own scale where it is bounded on both sides, because there it is what a user
    reads; elsewhere on the link's.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)

    def tensor(array: NDArray[Any]) -> Tensor:
        return torch.tensor(array, dtype=torch.float32)

    offset, scale = rows.inputs.mean(axis=0), rows.inputs.std(axis=0) + 1e-2
    x = tensor((rows.inputs - offset) / scale)
    laws, mean, sd, truth = (tensor(a) for a in (rows.inputs[:, -2:], rows.mean, rows.sd, rows.truth))
    kind, weight = torch.tensor(rows.kind), tensor(rows.weight / rows.weight.mean())
    net = Ensemble(members, x.shape[1], hidden)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay)
    count = epochs * (len(x) // batch)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, count)
    for _ in range(count):
        i = torch.randint(len(x), (members, batch), generator=generator)
        out = net(x[i])
        centre = mean[i] + sd[i] * (out[..., 0] + out[..., 1] * laws[i][..., 0] + out[..., 2] * laws[i][..., 1])
        widths = torch.exp(out[..., 3:5].clamp(-3, 3)) * sd[i][..., None]
        tail = nn.functional.softplus(out[..., 5]) + 0.05
        width = torch.where(truth[i] < centre, widths[..., 0], widths[..., 1])
        u = (truth[i] - centre) / width * tail
        y = torch.asinh(u) / tail
        nll = 0.5 * y * y + torch.log(width) + 0.5 * torch.log1p(u * u)
        error = (_scaled(centre, kind[i]) - _scaled(truth[i], kind[i])).abs().clamp(max=1.0)
        loss = (weight[i] * (nll.clamp(max=8.0) + emphasis * error)).mean() * members
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    parts = {name: p.detach().double().numpy() for name, p in net.named_parameters()}
    return {"offset": offset, "scale": scale} | parts


def _scaled(z: Tensor, kind: Tensor) -> Tensor:
    t = torch.exp(z.clamp(-30, 30))
    cost = ((t * 1.001 - 0.001) / (1 + t)).clamp(0, 1)
    return torch.where(kind == 0, cost, torch.where(kind == 1, 0.15 * z, 0.1 * z))


# Together


def to_rows(pairs: Sequence[tuple[Task, Observed]], several: Prior, single: Prior) -> Rows:
    """Return the rows of all tasks."""
    parts: dict[str, list[Any]] = {name: [] for name in Rows.__dataclass_fields__}
    looked = [(task, whole, *view) for task, whole in pairs for view in views(whole)]
    for task, whole, seen, offset in looked:
        mixture = posterior(seen.x, seen.z, seen.noise.mean, several if seen.noise.known else single)
        inputs, mean, sd = summarise(seen, mixture, task.ahead + offset)
        count, weight = len(task.ahead), task.weight / len(views(whole))
        found = {
            "inputs": inputs.astype(np.float32),
            "mean": mean,
            "sd": sd,
            "truth": seen.link.z(task.truth),
            "kind": np.full(count, KINDS.index(seen.link.kind)),
            "weight": np.full(count, weight / count),
            "single": np.full(count, not seen.noise.known),
            "group": np.full(count, task.group),
            "source": np.full(count, task.source),
            "ahead": task.ahead,
            "unit": np.full(count, np.nan),
        }
        for name, array in found.items():
            parts[name].append(array)
    return Rows(**{name: np.concatenate(arrays) for name, arrays in parts.items()})


def to_arrays(several: Prior, single: Prior, network: dict[str, Array], widen: Array) -> dict[str, Any]:
    """Return what ``calibration.npz`` holds."""
    arrays: dict[str, Any] = {"widen": widen}
    for name, prior in (("several", several), ("single", single)):
        log_weight = prior.log_weight
        parts = {"noise": (1, 2), "shape": (0, 2), "slope": (0, 1)}
        for part, axes in parts.items():
            arrays[f"{name}_{part}"] = getattr(prior, part)
            arrays[f"{name}_{part}_weight"] = np.exp(log_weight).sum(axis=axes)
        arrays[f"{name}_temper"] = np.array(prior.temper)
    return arrays | alone() | {f"network_{name}": array.astype(np.float32) for name, array in network.items()}


def alone() -> dict[str, Any]:
    """Return what ``calibration.npz`` holds of the second network where it has no share."""
    parts = {f"second_{name}": np.ones(1) for name in ("offset", "scale", "hidden_1", "hidden_2", "output")}
    families = len(METRIC_FAMILIES)
    none = {"share": np.zeros(families), "growth": np.zeros((2, families))}
    return parts | none | {"widen_family": np.ones((2, families, 2))}


def predict(arrays: dict[str, Any], rows: Rows) -> tuple[Array, Array, Array]:
    """Return the median and the ends of the 95 % interval, on the link's scale."""
    learned = Calibration.of(arrays)
    centre, low, high = (np.empty_like(rows.mean) for _ in range(3))
    for single in (False, True):
        for index, kind in enumerate(KINDS):
            k = (rows.single == single) & (rows.kind == index)
            inputs, nothing = rows.inputs[k].astype(np.float64), np.zeros(CONTEXT)
            p = learned.correct(inputs, nothing, rows.mean[k], rows.sd[k], kind, "accuracy", single=single)
            reach = np.sinh(p.tail * ndtri(0.5 + LEVEL / 2)) / p.tail
            centre[k], low[k], high[k] = p.centre, p.centre - p.below * reach, p.centre + p.above * reach
    return centre, low, high


def report(rows: Rows, predicted: tuple[Array, Array, Array], title: str) -> None:
    """Print the mean absolute error (on the metric's scale) and the coverage by source."""
    centre, low, high = predicted
    covered = (rows.truth >= low - 1e-9) & (rows.truth <= high + 1e-9)
    error = np.abs(_cost(centre, rows.kind) - _cost(rows.truth, rows.kind))
    plain = np.abs(_cost(rows.mean, rows.kind) - _cost(rows.truth, rows.kind))
    print(title)
    for source in np.unique(rows.source):
        cells = []
        for x in (1.0, 2.0, 3.0):
            k = (rows.source == source) & (np.abs(rows.ahead - x) < 0.05)
            if k.any():
                cells.append(
                    f"{2**x:.0f}x {error[k].mean():.4f} (mixture {plain[k].mean():.4f}) in {covered[k].mean():.3f}"
                )
        print(f"  {source:24s} {'   '.join(cells)}", flush=True)


def _cost(z: Array, kind: NDArray[np.int64]) -> Array:
    t = np.exp(np.clip(z, -30, 30))
    return np.where(
        kind == 0, np.clip((t * 1.001 - 0.001) / (1 + t), 0, 1), np.where(kind == 1, np.exp(np.minimum(z, 9)), z)
    )


def widening(rows: Rows, predicted: tuple[Array, Array, Array]) -> Array:
    """Return the factors of the widths that make the intervals of unseen curves hold as often as they say."""
    centre, low, high = predicted
    half = np.where(rows.truth < centre, centre - low, high - centre)
    ratio = np.abs(rows.truth - centre) / half
    near = (rows.ahead >= 0.95) & (rows.ahead <= 3.05)
    factors = np.ones((2, len(KINDS), 2))
    for single in range(2):
        for kind in range(len(KINDS)):
            k = near & (rows.single == bool(single)) & (rows.kind == kind)
            for side, here in enumerate((rows.truth < centre, rows.truth >= centre)):
                # Each end may be passed by half of what the level leaves, of all curves.
                order = np.argsort(-ratio[k & here])
                share = np.cumsum(rows.weight[k & here][order]) / rows.weight[k].sum()
                factors[single, kind, side] = ratio[k & here][order][np.searchsorted(share, (1.0 - LEVEL) / 2)]
    return factors


def gather(lcdb: Path, studies: Path, seed: int) -> list[Task]:
    """Return all development tasks."""
    data = Lcdb(lcdb)
    means, several = list(data.means(seed, 0.6)), [t for k in range(4) for t in data.several(seed + k, 1.0)]
    scored = [*data.scored_means(), *data.scored_several(5), *data.scored_several(1)]
    links = [*data.means(seed + 10, 0.15), *data.several(seed + 10, 0.3)]
    tasks = [*means, *several, *scored]
    for kind in ("log", "identity"):
        tasks += [as_loss(task, kind) for task in links]
    own = Studies([studies], apart=False)
    measured = [task for k in range(STUDY_DRAWS) for task in own.tasks(seed + k, scored=False)]
    # Studies are fewer, but of what users bring: all of them together count as much as all of LCDB.
    share = sum(task.weight for task in tasks) / sum(task.weight for task in measured)
    return [*tasks, *(replace(task, weight=task.weight * share) for task in measured)]


def main() -> None:
    """Learn, and say how well it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lcdb", type=Path, required=True, help="lcdb_dev.npz")
    parser.add_argument("--studies", type=Path, default=HERE / "studies.npz")
    parser.add_argument("--output", type=Path, default=PACKAGE / "calibration.npz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=28)
    parser.add_argument(
        "--no-folds", action="store_true", help="skip the cross-validation; keeps the widths as they are"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {what}", flush=True)

    tasks = gather(options.lcdb, options.studies, options.seed)
    pairs = [(task, observe(task.series)) for task in tasks]
    # Seen flat, then moving by many times its range: nothing that a law of the identity link could tell.
    pairs = [(task, seen) for task, seen in pairs if np.abs(seen.link.z(task.truth)).max() < FARTHEST]
    say(f"{len(pairs)} tasks of {len({t.group for t in tasks})} datasets")
    several = learn_prior([p for p in pairs if p[1].noise.known], options.seed)
    single = learn_prior([p for p in pairs if not p[1].noise.known], options.seed)
    say(f"priors: {several.log_weight.size} and {single.log_weight.size} components")
    rows = to_rows(pairs, several, single)
    say(f"{len(rows.mean)} rows, {rows.inputs.shape[1]} inputs")
    widen = np.ones((2, len(KINDS), 2))
    # One thread each: sums are then made in one order, and a busy machine does not stall them.
    pool = ProcessPoolExecutor(2, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,))
    final = pool.submit(learn_network, rows, options.seed, epochs=options.epochs)
    if not options.no_folds:
        groups = np.unique(rows.group)
        fold_of = dict(zip(groups, np.random.default_rng(options.seed).permutation(len(groups)) % 5, strict=True))
        fold = np.array([fold_of[group] for group in rows.group])
        unseen = [np.zeros(len(fold)) for _ in range(3)]
        learning = [pool.submit(learn_network, rows.take(fold != k), options.seed + k, members=2) for k in range(5)]
        for k, job in enumerate(learning):
            found = predict(to_arrays(several, single, job.result(), widen), rows.take(fold == k))
            for whole, part in zip(unseen, found, strict=True):
                whole[fold == k] = part
        predicted = (unseen[0], unseen[1], unseen[2])
        report(rows, predicted, "On datasets that were not learned from, before widening")
        widen = widening(rows, predicted)
        say(f"widths times {np.round(widen, 3).tolist()} (several runs, one run; by link; below, above)")
    arrays = to_arrays(several, single, final.result(), widen)
    pool.shutdown()
    report(rows, predict(arrays, rows), "On what was learned from")
    np.savez_compressed(options.output, **arrays)
    say(f"wrote {options.output.name}, {options.output.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
