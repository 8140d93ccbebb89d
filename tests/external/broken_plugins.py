"""Plugins that go wrong in the ways that users' plugins go wrong."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

SPECS = [
    "training:raises=broken_plugins:Raises",
    "training:exits=broken_plugins:Exits",
    "training:segfaults=broken_plugins:Segfaults",
    "training:forks=broken_plugins:Forks",
    "training:sleeps=broken_plugins:Sleeps",
    "training:nothing=broken_plugins:TrainsNothing",
    "evaluation:raises=broken_plugins:RaisesInEvaluation",
    "evaluation:exits=broken_plugins:ExitsInEvaluation",
    "evaluation:segfaults=broken_plugins:SegfaultsInEvaluation",
    "evaluation:sleeps=broken_plugins:SleepsInEvaluation",
    "evaluation:nan=broken_plugins:NotANumber",
    "evaluation:sometimes-nan=broken_plugins:SometimesNotANumber",
    "evaluation:changing=broken_plugins:ChangesNames",
    "evaluation:words=broken_plugins:Words",
    "evaluation:list=broken_plugins:ReturnsAList",
    "schedule:thirds=broken_plugins:Thirds",
    "schedule:bad-steps=broken_plugins:BadSteps",
    "model:does-not-import=a_module_that_is_not_there:Model",
]


class TrainsNothing:
    def train(self, model, dataset, indices):
        model.trained_on = len(indices)


class Prints(TrainsNothing):
    """Writes on both streams, and nothing else is wrong with it."""

    def train(self, model, dataset, indices):
        super().train(model, dataset, indices)
        print(f"out: {len(indices)}")
        print(f"err: {len(indices)}", file=sys.stderr)


class Raises:
    def train(self, model, dataset, indices):
        raise RuntimeError("the learning rate of Raises is cursed")


class Exits:
    def train(self, model, dataset, indices):
        os._exit(3)


class Segfaults:
    def train(self, model, dataset, indices):
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(60)


class Sleeps:
    def train(self, model, dataset, indices):
        time.sleep(3600)


class Forks:
    """Forks, and both processes return: the one at once, the other when there is a file `until`."""

    def __init__(self, first: str = "child", until: str = "/nowhere"):
        self.first, self.until = first, Path(until)

    def train(self, model, dataset, indices):
        me = "parent" if os.fork() else "child"
        while me != self.first and not self.until.exists():
            time.sleep(0.01)


class RaisesInEvaluation:
    def evaluate(self, model, dataset):
        raise RuntimeError("the test split of RaisesInEvaluation is cursed")


class ExitsInEvaluation:
    def evaluate(self, model, dataset):
        os._exit(3)


class SegfaultsInEvaluation:
    def evaluate(self, model, dataset):
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(60)


class SleepsInEvaluation:
    def evaluate(self, model, dataset):
        time.sleep(3600)


class NotANumber:
    def evaluate(self, model, dataset):
        return {"Accuracy": float("nan")}


class SometimesNotANumber:
    """NaN on the smallest subset only."""

    def evaluate(self, model, dataset):
        n = model.trained_on
        return {"Accuracy": float("nan") if n < 20 else 1 - n**-0.5}


class ChangesNames:
    """Another metric name for small subsets than for large ones."""

    def evaluate(self, model, dataset):
        n = model.trained_on
        return {"Accuracy": 1 - n**-0.5, ("Small" if n < 100 else "Large"): 0.5}


class Words:
    def evaluate(self, model, dataset):
        return {"Accuracy": "rather good"}


class ReturnsAList:
    def evaluate(self, model, dataset):
        return [0.5]


class Thirds:
    def get_steps(self, dataset_length):
        return np.array([dataset_length // 9, dataset_length // 3, dataset_length])


class BadSteps:
    def get_steps(self, dataset_length):
        return np.array([0, dataset_length, dataset_length * 2])
