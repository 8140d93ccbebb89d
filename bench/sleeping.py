"""Plugins whose cells take the time that they are told to, and none of the processor."""

import time
from collections.abc import Sequence
from typing import Any

SPECS = ("training:sleepy=bench.sleeping:Sleepy", "evaluation:size=bench.sleeping:Size")


class Sleepy:
    """Takes `seconds` a cell, and `per_item` more for each training item, and none of the processor."""

    def __init__(self, seconds: float = 0.5, per_item: float = 0.0) -> None:
        self.seconds = seconds
        self.per_item = per_item

    def train(self, model: Any, dataset: object, indices: Sequence[int]) -> None:
        time.sleep(self.seconds + self.per_item * len(indices))
        model.trained_on = len(indices)


class Size:
    """A curve without noise."""

    def evaluate(self, model: Any, dataset: object) -> dict[str, float]:
        return {"Accuracy": 1 - model.trained_on**-0.5}
