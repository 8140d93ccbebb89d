"""Strategies as a DataEval user writes them, and both libraries' classes to give them to."""

import warnings
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    performance = pytest.importorskip("dataeval.performance", reason="dataeval 1.1.4 is not installed")

Theirs, TheirOutput = performance.Sufficiency, performance.SufficiencyOutput


class Strategy:
    """Trains by taking note of the items, and measures by how many there are."""

    def __init__(self, measure: Any = None) -> None:
        self.seen: list[list[int]] = []
        self.measure = measure or (lambda n: {"Accuracy": 1 - 1 / (1 + n)})

    def train(self, model: Any, dataset: Any, indices: Any) -> None:
        self.seen.append(list(indices))

    def evaluate(self, model: Any, dataset: Any) -> dict[str, Any]:
        return dict(self.measure(len(self.seen[-1])))


def keep(model: Any) -> Any:
    """Return the model as it is."""
    return model


def data(count: int = 200) -> list[tuple[Any, Any, dict[str, int]]]:
    """Return items in MAITE's form."""
    return [(np.full(2, float(k)), np.eye(2)[k % 2], {"id": k}) for k in range(count)]


def quietly(call: Any, *arguments: Any, **options: Any) -> Any:
    """Call what warns of what is known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments, **options)
