"""Whether "the training loss still falls" foretells that twice the training raises the accuracy by .01.

    python -m bench.convergence --mnist-dir DIR --keep FILE  # hours; what is in FILE is not trained anew
    python -m bench.convergence --keep FILE --scored         # scores what is in it
    python -m bench.convergence --mnist-dir DIR --settings 6 --seeds 1

Small networks on MNIST and on scikit-learn's packaged data, some of whose labels are wrong, with the built-in strategy
and the tutorial's own loop, over 1 to 50 epochs: what the service would say of each after that many, beside what twice
as many bring on the test split. A study is a setting at one length, its cells the seeds. The rule's numbers were chosen
on half of the settings, by a hash of their names; `report` is of the others. `course alone` is the rule where nobody
looked at the training items. Precision: of those said to fall, the share that gained .01; recall: of those that gain
it, the share that was said to fall; `base`: of all, the share that gains it.
"""

import argparse
import pickle
import random
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from bench.trainings import LENGTHS, Followed, Setting, follow, settings
from sufficiency.method.falling import LEAST_STEPS, ending
from sufficiency.method.fitted_to import train_scores, unfinished
from sufficiency.method.worthwhile import SHARE_OF_VALUE
from sufficiency.schemas.words import Bounds, Direction, MetricFamily
from sufficiency.training.losses import Course

ENOUGH = 0.01


@dataclass(frozen=True)
class Metric:
    """What it is about."""

    metric: str
    direction: Direction
    bounds: Bounds
    family: MetricFamily
    class_index: int | None = None

    def counts(self, now: float) -> float:
        """Return the least gain that counts."""
        return ENOUGH if self.metric == "Accuracy" else SHARE_OF_VALUE * now


METRICS = [Metric("Accuracy", "maximize", (0.0, 1.0), "accuracy"), Metric("LogLoss", "minimize", (0.0, None), "loss")]


@dataclass(frozen=True)
class Foretold:
    """A setting at one length: what is said of it, with the training items and without, and what came of it.

    Attributes
    ----------
    gained : float
        By as much training again, on the test split, in units of the gain that counts.
    """

    setting: Setting
    epochs: int
    steps: int
    said: bool
    said_alone: bool
    gained: float


def details_of(losses: Sequence[float], train: float, of: Metric, setting: Setting) -> dict[str, Any]:
    """Return what a cell records of such a training."""
    course = Course()
    course.add(losses)
    found = ending(*course.parts(), setting.lr, 0.0 if setting.schedule == "cosine" else setting.lr)
    return {"loss": None if found is None else vars(found), "train": {of.metric: train}}


def foretold(followed: Iterable[Followed], of: Metric = METRICS[0]) -> Iterator[Foretold]:
    """Yield each setting at each length whose double was trained too."""
    # By setting and epochs: of each seed its losses, and the metric on both splits.
    found: dict[tuple[Setting, int], dict[int, tuple[dict[str, Any], float, int]]] = defaultdict(dict)
    for one in followed:
        for epochs, measured in one.reached.items():
            if of.metric in measured:
                train, test = measured[of.metric]
                losses = one.losses[: epochs * one.batches]
                found[one.setting, epochs][one.seed] = details_of(losses, train, of, one.setting), test, len(losses)
    for (setting, epochs), cells in found.items():
        doubled = found.get((setting, 2 * epochs), {})
        if epochs not in LENGTHS or cells.keys() - doubled.keys():
            continue
        now = float(np.mean([test for _, test, _ in cells.values()]))
        gained = float(np.mean([test for _, test, _ in doubled.values()])) - now
        told = [details for details, _, _ in cells.values()]
        alone = [{**one, "train": {}} for one in told]
        said, said_alone = (
            unfinished(of, now, of.counts(now), train_scores((setting.n, one) for one in cells_)[setting.n]) is not None
            for cells_ in (told, alone)
        )
        gained = (gained if of.direction == "maximize" else -gained) / of.counts(now)
        steps = min(steps for _, _, steps in cells.values())
        yield Foretold(setting, epochs, steps, said, said_alone, gained)


def row(name: str, of: Sequence[Foretold], *, alone: bool = False) -> str:
    """Return how right it was about them."""
    said = [one for one in of if (one.said_alone if alone else one.said)]
    right = [one for one in said if one.gained >= 1]
    gaining = [one for one in of if one.gained >= 1]
    precision = f"{len(right) / len(said):9.2f}" if said else f"{'-':>9}"
    recall = f"{len(right) / len(gaining):7.2f}" if gaining else f"{'-':>7}"
    base = f"{len(gaining) / len(of):6.2f}" if of else f"{'-':>6}"
    lost = sum(one.gained <= -1 for one in said)
    return f"{name:<34} {len(of):7} {base} {len(said):6} {precision} {recall} {lost:6}"


def report(told: Sequence[Foretold], of_loss: Sequence[Foretold]) -> Iterator[str]:
    """Yield the table's lines: of accuracies, and of log losses."""
    yield f"{'':<34} studies   base   said precision  recall  worse"
    constant = [one for one in told if one.setting.schedule == "constant"]
    ours = [one for one in constant if one.setting.loop == "built-in"]
    for name, part in (("chosen on", True), ("report", False)):
        half = [one for one in ours if one.setting.is_for_choosing == part]
        yield row(f"built-in, {name}", half)
        yield row(f"built-in, {name}, course alone", half, alone=True)
    other = [one for one in ours if not one.setting.is_for_choosing]
    yield row("report, labels as they are", [one for one in other if not one.setting.noise])
    yield row("report, some labels wrong", [one for one in other if one.setting.noise])
    for first, last in ((1, 3), (5, 10), (20, 50)):
        yield row(f"report, {first} to {last} epochs", [one for one in other if first <= one.epochs <= last])
    yield row(f"report, {LEAST_STEPS} steps or more", [one for one in other if one.steps >= LEAST_STEPS])
    tutorial = [one for one in constant if one.setting.loop == "tutorial"]
    yield row("the tutorial's loop", tutorial)
    yield row("the tutorial's loop, course alone", tutorial, alone=True)
    yield row("cosine", [one for one in told if one.setting.schedule == "cosine"])
    kept = [one for one in of_loss if one.setting.schedule == "constant" and one.setting.loop == "built-in"]
    other = [one for one in kept if not one.setting.is_for_choosing]
    yield row("log loss, report", other)
    yield row("log loss, report, course alone", other, alone=True)
    yield row("log loss, report, some wrong", [one for one in other if one.setting.noise])


def kept_in(file: BinaryIO) -> Iterator[Followed]:
    """Yield the trainings that were kept."""
    while True:
        try:
            yield pickle.load(file)
        except EOFError:
            return


def main() -> None:
    """Train, and say how right it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist-dir", type=Path, help="folder with the t10k IDX files")
    parser.add_argument("--settings", type=int, default=130, help="of the built-in strategy")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="file that trainings are kept in, and taken from")
    parser.add_argument("--scored", action="store_true", help="train nothing more")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: list[Followed] = []
    if options.keep is not None and options.keep.is_file():
        with options.keep.open("rb") as file:
            found = list(kept_in(file))
    if not options.scored:
        if options.mnist_dir is None:
            parser.error("--mnist-dir is needed to train")
        there = {(one.setting, one.seed) for one in found}
        todo = [(one, seed) for one in settings(options.settings) for seed in range(options.seeds)]
        random.Random(0).shuffle(todo)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for one, seed in sorted(todo, key=lambda of: of[0].work):
                if (one, seed) not in there:
                    made = list(follow(one, seed, options.mnist_dir))
                    found += made
                    if options.keep is not None:
                        with options.keep.open("ab") as file:
                            for each in made:
                                pickle.dump(each, file)
    for line in report(*(list(foretold(found, of)) for of in METRICS)):
        print(line)


if __name__ == "__main__":
    main()
