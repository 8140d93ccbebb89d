"""What the tutorial's model reaches with 5,000 items: the truth that a projection from 2,500 is held to.

    python -m bench.truth --mnist-dir DIR           # trains, and writes bench/results/tutorial-5000.json

Each run trains on the 5,000 images that the tutorial's 2,500 are the first of, and is measured on the tutorial's own
500 test images, so that the test split's chance is the same on both sides. Not on images beyond them: the file's second
half is of other writers, and the test images are too. Where 5,000 of the first 8,000 reach .976, these reach .952. It
takes two minutes on a free core; what is written is read by `python -m bench.job`.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

import sufficiency
from bench.peers import OURS, splits_in

SIZE = 5000
KEPT = Path(__file__).parent / "results" / "tutorial-5000.json"


def measured(mnist_dir: Path, runs: int) -> dict[str, Any]:
    """Return the accuracy of so many models, and its mean."""
    with tempfile.TemporaryDirectory() as folder:
        splits, root = splits_in(mnist_dir, Path(folder))
        os.environ["SUFFICIENCY_DATA_ROOTS"] = str(root)
        splits["train"]["params"]["limit"] = SIZE
        study = sufficiency.run(**OURS, **splits, runs=runs, schedule=[SIZE], seed=2026, progress=False)
    found = [one.value for one in study.record.values() if one.metric == "Accuracy" and one.value is not None]
    return {
        "n": SIZE,
        "accuracy": round(mean(found), 5),
        "standard_error": round(stdev(found) / len(found) ** 0.5, 5),
        "runs": [round(value, 4) for value in found],
        "torch": torch.__version__,
    }


def known(mnist_dir: Path | None) -> float | None:
    """Return the mean accuracy that was measured; None where the images are not MNIST's, or nobody has measured it."""
    if mnist_dir is None or not KEPT.exists():
        return None
    return float(json.loads(KEPT.read_text())["accuracy"])


def main() -> None:
    """Measure, print, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist-dir", type=Path, required=True, help="folder with the t10k IDX files")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    found = measured(options.mnist_dir, options.runs)
    print(f"accuracy at n = {SIZE}: {found['accuracy']:.4f} ± {found['standard_error']:.4f}, {options.runs} models")
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
