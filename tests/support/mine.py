"""Plugins in a folder of a test's own, whose source it may change, and one that has no source at all."""

import py_compile
from pathlib import Path

TRAINING = """
import torch
from helper_of_mine import LR


class Mine:
    \"\"\"Trains with one step, and counts nothing.\"\"\"

    def train(self, model, dataset, indices):
        x = torch.stack([torch.as_tensor(dataset[i][0]) for i in indices]).flatten(1)
        y = torch.stack([torch.as_tensor(dataset[i][1]) for i in indices]).argmax(1)
        optimiser = torch.optim.SGD(model.parameters(), lr=LR)
        for _ in range(3):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimiser.step()
"""
SPECS = ("training:mine=training_of_mine:Mine", "training:sealed=sealed_of_mine:Mine")


def write_plugins(folder: Path) -> None:
    """Write them into a folder; `sealed` is byte code alone."""
    write_rate(folder, 0.1)
    (folder / "training_of_mine.py").write_text(TRAINING)
    source = folder / "sealed_source.py"
    source.write_text(TRAINING)
    py_compile.compile(str(source), str(folder / "sealed_of_mine.pyc"), doraise=True)
    source.unlink()


def write_rate(folder: Path, rate: float) -> None:
    """Write the learning rate, a line in a module that the training imports."""
    (folder / "helper_of_mine.py").write_text(f"LR = {rate}\n")
