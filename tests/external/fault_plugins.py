"""Plugins that take their time, take too much, or start what must not outlive them."""

import subprocess
import time

import numpy as np

SPECS = [
    "training:sleepy=bench.sleeping:Sleepy",
    "training:greedy=fault_plugins:Greedy",
    "training:parent=fault_plugins:Parent",
    "evaluation:size=bench.sleeping:Size",
    "dataset:slow=fault_plugins:Slow",
]


class Greedy:
    """Takes 100 MiB more every tenth of a second, up to `mebibytes`."""

    def __init__(self, mebibytes: int = 2000):
        self.mebibytes = mebibytes

    def train(self, model, dataset, indices):
        hoard = []
        while 100 * len(hoard) < self.mebibytes:
            hoard.append(np.ones(100 * 2**17))
            time.sleep(0.1)
        time.sleep(60)


class Parent:
    """Starts a process that would live for an hour, and waits for it."""

    def train(self, model, dataset, indices):
        subprocess.run(["sleep", "3600.25"], check=True)


class Slow:
    """Twenty points of two classes, after `seconds`."""

    def __init__(self, seconds: float = 2.0):
        time.sleep(seconds)
        self.y = np.arange(20) % 2
        self.x = self.y[:, None].astype(np.float32)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        return self.x[index], int(self.y[index])
