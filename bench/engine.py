"""What a step of training and an evaluation cost, beside DataEval's tutorial: the same model, data, batches, metrics.

    python -m bench.engine --mnist-dir DIR          # a table
    python -m bench.engine --quick --json           # {"step": {…}, "evaluation": {…}}

One thread, both in one process, turn by turn, so that both meet the same machine. The tutorial's training reads its
items one by one and gathers them into batches of 8; its evaluation feeds three torchmetrics, batch by batch. Without
--mnist-dir the images are the digits, padded to MNIST's size. A ratio is how many times ours goes into theirs: the
median of the turns, with the least and the greatest.
"""

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from bench.peers import built, splits_in, tutorial
from bench.spread import ratio, told
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.training import SGDClassifier
from sufficiency.training.repeatable import make_repeatable

EPOCHS = 10  # the tutorial's, which its strategy does not let be changed
BATCH = 8


def seconds_of(work: Callable[[], object]) -> float:
    """Return the processor time that some work takes; on one thread that is its time on a machine that has no other."""
    began = time.process_time()
    work()
    return time.process_time() - began


def measure(splits: dict[str, Any], items: int, turns: int) -> dict[str, Any]:
    """Return seconds a step and an evaluation of both, and their ratios."""
    theirs = tutorial()
    train, test = built(splits)
    make_repeatable()
    steps = EPOCHS * -(-items // BATCH)
    training, evaluation = theirs.MNISTTrainingStrategy(), theirs.MNISTEvaluationStrategy()
    descent = SGDClassifier(epochs=EPOCHS, batch_size=BATCH)
    metrics = Classification(["accuracy", "auroc", "tpr_at_fpr"])
    model = theirs.Net()
    work: dict[str, Callable[[], object]] = {
        "their step": lambda: training.train(model, train, range(items)),
        "our step": lambda: descent.train(model, train, range(items)),
        "their evaluation": lambda: evaluation.evaluate(model, test),
        "our evaluation": lambda: metrics.evaluate(model, test),
    }
    for one in work.values():
        one()  # what is imported, moved and allocated the first time
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(turns):
        for name, one in work.items():
            taken[name].append(seconds_of(one) / (steps if name.endswith("step") else 1))
    return {
        "step": ratio(taken["their step"], taken["our step"]),
        "evaluation": ratio(taken["their evaluation"], taken["our evaluation"]),
        "milliseconds": {name: round(median(values) * 1000, 3) for name, values in taken.items()},
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist-dir", type=Path, help="folder with the t10k IDX files")
    parser.add_argument("--quick", action="store_true", help="few items and turns")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        splits, root = splits_in(options.mnist_dir, Path(directory))
        os.environ["SUFFICIENCY_DATA_ROOTS"] = str(root)
        found = measure(splits, *((40, 5) if options.quick else (200, 15)))
    if options.json:
        print(json.dumps({**found, "torch": torch.__version__, "threads": torch.get_num_threads()}))
        return
    for name, value in found["milliseconds"].items():
        print(f"{name:<18} {value:9.3f} ms")
    for name in ("step", "evaluation"):
        print(f"{name:<18} {told(found[name])}")


if __name__ == "__main__":
    main()
