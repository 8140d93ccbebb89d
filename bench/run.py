"""The tutorial's job in one process: `sufficiency.run`, with one worker and two, beside DataEval 1.1.4, in one run.

``python -m bench.run --mnist-dir FOLDER [--runs 5]``: wall clock from the call to the answer, the fit included. Each is
a process of its own with everything imported, so that none warms the others' caches. With ``--install`` also the time
from `pip install` into a new environment to the first curve.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
EXTERNAL = ROOT / "tests" / "external"
PEER, OURS, MOVED = "dataeval", "run", "compat"

FIRST_CURVE = """
import sufficiency
study = sufficiency.run(
    model="mlp", training="sgd-classifier", evaluation="classification",
    train={"loader": "digits", "params": {"split": "train"}}, test={"loader": "digits", "params": {"split": "test"}},
    runs=2, substeps=6, progress=False)
study.figure()
print(study.verdict()[0]["sentence"])
"""


def items(folder: Path, start: int, count: int) -> list[Any]:
    """Return digits of MNIST's test set in MAITE's form, as the tutorial's transforms give them."""
    images = np.frombuffer(_unzipped(folder / "t10k-images-idx3-ubyte")[16:], np.uint8).reshape(-1, 1, 28, 28)
    labels = np.frombuffer(_unzipped(folder / "t10k-labels-idx1-ubyte")[8:], np.uint8)
    one_hot = np.eye(10, dtype=np.float32)
    chosen = range(start, start + count)
    return [((images[n] / 255.0).astype(np.float32), one_hot[labels[n]], {"id": n}) for n in chosen]


def _unzipped(file: Path) -> bytes:
    zipped = file.with_name(f"{file.name}.gz")
    return gzip.decompress(zipped.read_bytes()) if zipped.exists() else file.read_bytes()


def measure(which: str, folder: Path, runs: int, workers: int) -> float:
    """Return the seconds of one way to do the job."""
    sys.path.insert(0, str(EXTERNAL))
    from tutorial_plugins import MNISTEvaluationStrategy, MNISTTrainingStrategy, Net, reset_model

    train, test = items(folder, 0, 2500), items(folder, 2500, 500)
    parts = (MNISTTrainingStrategy(), MNISTEvaluationStrategy(), reset_model)
    if which == PEER:
        from dataeval.performance import Sufficiency as Theirs

        began = time.perf_counter()
        Theirs(Net(), *parts, runs=runs, substeps=10).evaluate(train, test).project([5000])
    elif which == MOVED:
        from sufficiency.compat.dataeval import Sufficiency

        began = time.perf_counter()
        Sufficiency(Net(), *parts, runs=runs, substeps=10, workers=workers).evaluate(train, test).project([5000])
    else:
        import sufficiency

        began = time.perf_counter()
        sufficiency.run(
            model=Net,
            training=parts[0],
            evaluation=parts[1],
            train=train,
            test=test,
            runs=runs,
            workers=workers,
            progress=False,
        ).project(5000)
    return time.perf_counter() - began


def apart(which: str, folder: Path, runs: int, workers: int) -> float:
    """Return the seconds of one way, in a process of its own."""
    arguments = [which, str(folder), str(runs), str(workers)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bench.run", "--one", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def install() -> None:
    """Time a new environment: the installation, and from its end to the first curve."""
    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory, with_pip=True)
        python = Path(directory) / "bin" / "python"
        began = time.perf_counter()
        subprocess.run([python, "-m", "pip", "install", "-q", f"{ROOT}[study]"], check=True)
        installed = time.perf_counter()
        subprocess.run([python, "-c", FIRST_CURVE], check=True, cwd=directory)
        print(f"pip install 'sufficiency[study]': {installed - began:.0f} s")
        print(f"from there to the first curve: {time.perf_counter() - installed:.0f} s")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist-dir", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--one", nargs=4)
    options = parser.parse_args()
    if options.one:
        which, folder, runs, workers = options.one
        print(json.dumps(measure(which, Path(folder), int(runs), int(workers))))
        return
    if options.install:
        install()
    if options.mnist_dir:
        print(f"The tutorial's job, {options.runs} runs × 10 steps, 2,500 + 500 digits, {os.cpu_count()} cores")
        for name, which, workers in (
            ("DataEval 1.1.4", PEER, 1),
            ("compat.dataeval, one process", MOVED, 1),
            ("compat.dataeval, two", MOVED, 2),
            ("run, one process", OURS, 1),
            ("run, two", OURS, 2),
        ):
            print(f"{name}: {apart(which, options.mnist_dir, options.runs, workers):.1f} s", flush=True)


if __name__ == "__main__":
    main()
