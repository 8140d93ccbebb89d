"""DataEval's strategies for the application's model; they know nothing of this service."""

from collections.abc import Sequence
from typing import Any

import torch
from app.nets import Net as Net
from torch.utils.data import DataLoader, Subset


class TrainingStrategy:
    """Gradient descent on the cross-entropy.

    Parameters
    ----------
    epochs : int
        Passes over the subset.
    """

    def __init__(self, epochs: int = 5) -> None:
        self.epochs = epochs

    def train(self, model: torch.nn.Module, dataset: Any, indices: Sequence[int]) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(self.epochs):
            for images, labels, _metadata in DataLoader(Subset(dataset, indices), batch_size=16, shuffle=True):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(images), labels.argmax(1)).backward()
                optimizer.step()


class EvaluationStrategy:
    """The share of items that the model gets right."""

    def evaluate(self, model: torch.nn.Module, dataset: Any) -> dict[str, float]:
        right = 0
        with torch.no_grad():
            for images, labels, _metadata in DataLoader(dataset, batch_size=64):
                right += int((model(images).argmax(1) == labels.argmax(1)).sum())
        return {"Accuracy": right / len(dataset)}
