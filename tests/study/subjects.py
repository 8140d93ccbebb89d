"""Plain objects as somebody has them in a notebook: small, quick, and without anything random but the given seeds."""

from typing import Any

import numpy as np

SIZES = [10, 20, 40, 80, 160]


class Mean:
    """A model: what it was trained on, added up."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.start = float(np.random.random())  # noqa: NPY002  (as plugins draw)


class Train:
    """Takes note of the items."""

    def __init__(self, rate: float = 1.0) -> None:
        self.rate = rate

    def train(self, model: Mean, dataset: Any, indices: list[int]) -> None:
        model.seen.extend(indices)


class TooSmall(Train):
    """Cannot train on few items."""

    def train(self, model: Mean, dataset: Any, indices: list[int]) -> None:
        if len(indices) < 20:
            raise ValueError(f"15 neighbours of {len(indices)} items")
        super().train(model, dataset, indices)


class Evaluate:
    """An accuracy that follows a power law, off by what the items were and where the model started."""

    def evaluate(self, model: Mean, dataset: Any) -> dict[str, Any]:
        n = len(model.seen)
        noise = 1e-3 * np.sin(np.sum(model.seen)) + 1e-3 * model.start
        return {"Accuracy": 1 - 1.5 * n**-0.5 + noise, "Recall": [0.9 - n**-0.5, 0.8 - n**-0.5]}


class StopAfter(Evaluate):
    """Is interrupted, as by a stop button, after so many cells."""

    def __init__(self, cells: int, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.left, self.raised = cells, error

    def evaluate(self, model: Mean, dataset: Any) -> dict[str, Any]:
        if self.left == 0:
            raise self.raised("stop")
        self.left -= 1
        return super().evaluate(model, dataset)


def items(count: int) -> list[tuple[Any, int]]:
    """Return items of two classes."""
    return [(np.array([float(k), 1.0]), k % 2) for k in range(count)]


def parts(**changes: Any) -> dict[str, Any]:
    """Return what a small study is made of."""
    given = {
        "model": Mean,
        "training": Train(),
        "evaluation": Evaluate(),
        "train": items(160),
        "test": items(40),
        "runs": 2,
        "schedule": SIZES,
    }
    return given | changes


def values(study: Any) -> list[tuple[Any, ...]]:
    """Return everything that a study measured."""
    return [
        (row["run"], row["step"], row["n"], row["metric"], row["class"], row["value"])
        for row in study.measurements("cells")
    ]
