"""The tutorial's job: POST to completed through this service, against DataEval 1.1.4 in one process, in one run.

Real MNIST when its IDX files are at hand (--mnist-dir), else the digits padded to 28 × 28. DataEval runs the tutorial's
own strategies (tests/external/tutorial_plugins.py), with 1 thread and with all; its fit is included.
"""

import argparse
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from app.settings import Settings
from app.standalone.service import Standalone
from sufficiency import Client

ROOT = Path(__file__).resolve().parents[1]
EXTERNAL = ROOT / "tests" / "external"


def digits_as_mnist(folder: Path) -> dict[str, Any]:
    """Write the digits, padded to MNIST's size, as NPZ files; return the splits."""
    from sufficiency.plugins.datasets import load_digits

    splits = {}
    for split in ("train", "test"):
        data = load_digits(split)  # type: ignore[arg-type]
        np.savez(folder / f"{split}.npz", x=np.pad(data.x, ((0, 0), (0, 0), (10, 10), (10, 10))), y=data.y)
        splits[split] = {"loader": "npz", "params": {"path": f"{split}.npz"}}
    return splits


def through_the_service(splits: dict[str, Any], roots: list[Path], runs: int, substeps: int, slots: int) -> float:
    """Return the seconds from POST to completed, on a service that is up and warm."""
    with tempfile.TemporaryDirectory(prefix="sufficiency-") as directory:
        service = Standalone(Settings(data_roots=tuple(roots)), Path(directory), port=0, slots=slots)
        service.start()
        try:
            service.wait_ready()
            with Client(service.url) as client:
                client.add_dataset(name="data", **splits)
                client.wait_dataset("data")
                began = time.perf_counter()
                job = client.submit(
                    {
                        "model": {"name": "tutorial-cnn"},
                        "training": {"name": "sgd-classifier"},
                        "evaluation": {
                            "name": "classification",
                            "params": {"metrics": ["accuracy", "auroc", "tpr_at_fpr"]},
                        },
                        "dataset": "data",
                        "runs": runs,
                        "substeps": substeps,
                    }
                )
                ended = client.wait(job["id"])
                seconds = time.perf_counter() - began
                assert ended["state"] == "completed", ended
                cells = client.measurements(job["id"], view="cells")["items"]
                own = sum({(c["run"], c["step"]): c["seconds"] for c in cells}.values())
                print(f"  cells' own time {own:.1f} s over {slots} slots: overhead {1 - own / slots / seconds:.1%}")
                return seconds
        finally:
            service.stop()


def through_dataeval(splits: dict[str, Any], runs: int, substeps: int, threads: int) -> float:
    """Return the seconds of Sufficiency.evaluate and of its fit."""
    import torch

    from sufficiency.training.registry import Registry

    sys.path.insert(0, str(EXTERNAL))
    import tutorial_plugins as tutorial

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dataeval.performance import Sufficiency

        torch.set_num_threads(threads)
        registry = Registry.load()
        train, test = (registry.build("dataset", splits[s]["loader"], splits[s]["params"]) for s in ("train", "test"))
        began = time.perf_counter()
        study = Sufficiency(
            model=tutorial.Net(),
            training_strategy=tutorial.MNISTTrainingStrategy(),
            evaluation_strategy=tutorial.MNISTEvaluationStrategy(),
            reset_strategy=tutorial.reset_model,
            runs=runs,
            substeps=substeps,
        )
        study.evaluate(train, test).project([1000, 2500, 5000])
        return time.perf_counter() - began


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist-dir", type=Path, help="folder with the t10k IDX files")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--substeps", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        folder = options.mnist_dir.resolve() if options.mnist_dir else Path(directory)
        if options.mnist_dir:
            cut = {"train": {"start": 0, "limit": 2500}, "test": {"start": 8000, "limit": 500}}
            splits = {
                split: {"loader": "idx", "params": {"path": str(folder), "split": "t10k"} | part}
                for split, part in cut.items()
            }
        else:
            splits = digits_as_mnist(folder)
        os.environ["SUFFICIENCY_DATA_ROOTS"] = str(folder)
        ours = through_the_service(splits, [folder], options.runs, options.substeps, slots=2)
        print(f"this service, 2 slots   {ours:7.1f} s")
        for threads in (1, 2):
            theirs = through_dataeval(splits, options.runs, options.substeps, threads)
            print(f"DataEval, {threads} thread(s)   {theirs:7.1f} s   ratio {theirs / ours:.2f} ×")


if __name__ == "__main__":
    main()
