"""Plugins that behave, and plugins that do not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class Blobs:
    """Two clouds of points.

    Parameters
    ----------
    size : int
        How many points.
    seed : int
        Of the points.
    marker : str
        A file; the points shift by its length, so a longer file is another dataset.
    """

    def __init__(self, size: int = 60, seed: int = 0, marker: str = "") -> None:
        generator = np.random.default_rng(seed)
        shift = Path(marker).stat().st_size if marker else 0
        self.y = np.arange(size) % 2
        self.x = (generator.normal(size=(size, 4)) + 2 * self.y[:, None] + shift).astype(np.float32)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, Any]]:
        return self.x[index], np.eye(2, dtype=np.float32)[self.y[index]], {"id": index}


class Linear(torch.nn.Linear):
    """One layer."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__(input_shape[0], num_classes)


class Descent:
    """A few steps of gradient descent; noisy on standard output.

    Parameters
    ----------
    seconds : float
        How long to dawdle.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def train(self, model: Any, dataset: Any, indices: Sequence[int]) -> None:
        print(f"training on {len(indices)} items", flush=True)
        time.sleep(self.seconds)
        x = torch.stack([torch.from_numpy(dataset[i][0]) for i in indices])
        y = torch.stack([torch.from_numpy(dataset[i][1]) for i in indices])
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()


class Misfit:
    """Fails in the way it is told to, from a certain size of subset on.

    Parameters
    ----------
    how : str
        raise, exit, kill, segfault, or hang.
    above : int
        Smaller subsets are trained on as if nothing were wrong.
    child : str
        A file to write the process id of a child to, that would live for a minute.
    """

    def __init__(self, how: str = "raise", above: int = 0, child: str = "") -> None:
        self.how, self.above, self.child = how, above, child

    def train(self, model: Any, dataset: Any, indices: Sequence[int]) -> None:
        if len(indices) <= self.above:
            return
        if self.child:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            Path(self.child).write_text(str(child.pid))
        print("about to misbehave", file=sys.stderr, flush=True)
        match self.how:
            case "raise":
                raise ValueError("cannot train on this")
            case "exit":
                sys.exit(3)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "hang":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(60)


class Accuracy:
    """Share of right answers."""

    metric_properties = {"Accuracy": {"direction": "maximize", "bounds": [0, 1]}}  # noqa: RUF012

    def evaluate(self, model: Any, dataset: Any) -> dict[str, Any]:
        with torch.no_grad():
            answers = model(torch.from_numpy(dataset.x)).argmax(1).numpy()
        return {"Accuracy": float((answers == dataset.y).mean())}


class Thirds:
    """Three steps."""

    def get_steps(self, dataset_length: int) -> NDArray[np.int64]:
        return np.array([dataset_length // 3, 2 * dataset_length // 3, dataset_length])


class TooFar:
    """A schedule that asks for more than there is."""

    def get_steps(self, dataset_length: int) -> list[int]:
        return [dataset_length, dataset_length + 1]
