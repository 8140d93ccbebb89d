"""DataEval's tutorial for the benchmarks: its data, and its own strategies, as one of its users has them."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
EXTERNAL = ROOT / "tests" / "external"
PEER = "1.1.4"  # the version of DataEval that is measured against

# The tutorial's study as a job has it, with what is ours.
OURS: dict[str, Any] = {
    "model": {"name": "tutorial-cnn"},
    "training": {"name": "sgd-classifier"},
    "evaluation": {"name": "classification", "params": {"metrics": ["accuracy", "auroc", "tpr_at_fpr"]}},
}


def tutorial() -> ModuleType:
    """Return the module with the tutorial's model and strategies."""
    if str(EXTERNAL) not in sys.path:
        sys.path.insert(0, str(EXTERNAL))
    return importlib.import_module("tutorial_plugins")


def splits_in(mnist_dir: Path | None, folder: Path) -> tuple[dict[str, Any], Path]:
    """Return the tutorial's splits, 2,500 and 500 images, and the data root that they lie under.

    Real MNIST where its t10k IDX files are at hand; else the digits, padded to MNIST's size, written into `folder`.
    """
    if mnist_dir is not None:
        root = mnist_dir.resolve()
        cut = {"train": {"start": 0, "limit": 2500}, "test": {"start": 8000, "limit": 500}}
        idx = {"path": str(root), "split": "t10k"}
        return {split: {"loader": "idx", "params": idx | part} for split, part in cut.items()}, root
    from sufficiency.plugins.datasets import load_digits

    splits = {}
    for split in ("train", "test"):
        data = load_digits(split)  # type: ignore[arg-type]
        np.savez(folder / f"{split}.npz", x=np.pad(data.x, ((0, 0), (0, 0), (10, 10), (10, 10))), y=data.y)
        splits[split] = {"loader": "npz", "params": {"path": f"{split}.npz"}}
    return splits, folder


def built(splits: dict[str, Any]) -> tuple[Any, Any]:
    """Return both splits as their loaders make them; SUFFICIENCY_DATA_ROOTS says where they may lie."""
    from sufficiency.training.registry import Registry

    registry = Registry.load()
    train, test = (registry.build("dataset", splits[s]["loader"], splits[s]["params"]) for s in ("train", "test"))
    return train, test
