"""Plugins that take for ever, and one whose names no database can hold."""

import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

LONGEST_SECONDS = 600

SPECS = (
    "dataset:waits=tests.external.waiting_plugins:Waits",
    "dataset:waits-once=tests.external.waiting_plugins:WaitsOnce",
    "dataset:odd-names=tests.external.waiting_plugins:OddNames",
    "schedule:waits=tests.external.waiting_plugins:Undecided",
)


class Waits:
    """Says by a file that it is being read, and does not end."""

    def __init__(self, marker: str) -> None:
        Path(marker).touch()
        time.sleep(LONGEST_SECONDS)


class OddNames:
    """Classes with NUL, half a surrogate pair and a name that is not UTF-8."""

    metadata: ClassVar = {"id": "odd", "index2label": {0: "nu\x00l", 1: "half \ud800", 2: "caf\udce9"}}

    def __init__(self, size: int = 60) -> None:
        self.y = np.arange(size) % 3
        self.x = (np.random.default_rng(0).normal(size=(size, 4)) + self.y[:, None]).astype(np.float32)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, Any]]:
        return self.x[index], np.eye(3, dtype=np.float32)[self.y[index]], {"id": f"{index}\x00"}


class WaitsOnce:
    """Says by a file that it is being read, and does not end; who finds the file there gets twenty points."""

    def __init__(self, marker: str) -> None:
        if not Path(marker).exists():
            Waits(marker)
        self.y = np.arange(20) % 2

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], int]:
        return np.full(1, self.y[index], np.float32), int(self.y[index])


class Undecided:
    """Says by a file that it is being asked, and does not answer."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def get_steps(self, size: int) -> list[int]:
        Path(self.marker).touch()
        time.sleep(LONGEST_SECONDS)
        return [size]
