"""The module that somebody makes of the tutorial's notebook: as it stands there, compiled model included."""

# mypy: ignore-errors

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, Subset

device = "cpu"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(6400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


model: Net = cast(Net, torch.compile(Net().to(device)))


class MNISTTrainingStrategy:
    def train(self, model: nn.Module, dataset: Any, indices: Sequence[int]):
        criterion = torch.nn.CrossEntropyLoss().to(device)
        optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        dataloader = DataLoader(Subset(dataset, indices), batch_size=8)
        for _epoch in range(10):
            for batch in dataloader:
                X = torch.Tensor(batch[0]).to(device)
                y = torch.argmax(torch.asarray(batch[1], dtype=torch.int).to(device), dim=1)
                optimizer.zero_grad()
                loss = criterion(model(X), y)
                loss.backward()
                optimizer.step()


class MNISTEvaluationStrategy:
    def evaluate(self, model: nn.Module, dataset: Any) -> dict[str, float]:
        model.eval()
        right = torch.zeros(10)
        with torch.no_grad():
            for batch in DataLoader(dataset, batch_size=8):
                y = torch.argmax(torch.asarray(batch[1], dtype=torch.int), dim=1)
                preds = model(torch.Tensor(batch[0]))
                right += torch.bincount(y[preds.argmax(1) == y], minlength=10)
        return {"Accuracy": right.sum() / len(dataset)}


def reset_model(model: nn.Module) -> nn.Module:
    """Reset all parameters in a PyTorch model."""

    @torch.no_grad()
    def weight_reset(m: nn.Module) -> None:
        reset_fn = getattr(m, "reset_parameters", None)
        if callable(reset_fn):
            reset_fn()

    return model.apply(fn=weight_reset)
