"""DataEval's how-to on sufficiency, line by line, with one import changed; on scikit-learn's digits at MNIST's size."""

import importlib
import warnings
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Subset

from sufficiency.compat.dataeval import Sufficiency  # in place of: from dataeval.performance import Sufficiency

warnings.filterwarnings("ignore", module="dataeval")
device = "cpu"


def mnist(start: int, count: int) -> list[Any]:
    """Return digits as the tutorial's dataset and transforms give them: (1, 28, 28) in [0, 1], one-hot, metadata."""
    images, labels = load_digits(return_X_y=True)
    images = np.kron(images.reshape(-1, 8, 8), np.ones((4, 4)))[:, 2:30, 2:30] / 16.0
    pairs = zip(images[start : start + count], labels[start : start + count], strict=True)
    return [(image[None].astype(np.float32), np.eye(10, dtype=np.float32)[k], {"id": 0}) for image, k in pairs]


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


class MNISTTrainingStrategy:
    def train(self, model: nn.Module, dataset: Any, indices: Sequence[int]):
        criterion = torch.nn.CrossEntropyLoss().to(device)
        optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        epochs = 10
        dataloader = DataLoader(Subset(dataset, indices), batch_size=8)
        for _epoch in range(epochs):
            for batch in dataloader:
                X = torch.Tensor(batch[0]).to(device)
                y = torch.argmax(torch.asarray(batch[1], dtype=torch.int).to(device), dim=1)
                optimizer.zero_grad()
                outputs = model(X)
                loss = criterion(outputs, y)
                loss.backward()
                optimizer.step()


class MNISTEvaluationStrategy:
    def evaluate(self, model: nn.Module, dataset: Any) -> dict[str, float]:
        torchmetrics = importlib.import_module("torchmetrics")
        metrics = {
            "Accuracy": torchmetrics.Accuracy(task="multiclass", num_classes=10).to(device),
            "AUROC": torchmetrics.AUROC(task="multiclass", num_classes=10).to(device),
        }
        result = {}
        model.eval()
        dataloader = DataLoader(dataset, batch_size=8)
        with torch.no_grad():
            for batch in dataloader:
                X = torch.Tensor(batch[0]).to(device)
                y = torch.argmax(torch.asarray(batch[1], dtype=torch.int).to(device), dim=1)
                preds = model(X)
                for metric in metrics.values():
                    metric.update(preds, y)
        result["Accuracy"] = metrics["Accuracy"].compute().cpu()
        result["AUROC"] = metrics["AUROC"].compute().cpu()
        return result


def reset_model(model: nn.Module) -> nn.Module:
    """Reset all parameters in a PyTorch model."""

    @torch.no_grad()
    def weight_reset(m: nn.Module) -> None:
        reset_fn = getattr(m, "reset_parameters", None)
        if callable(reset_fn):
            reset_fn()

    return model.apply(fn=weight_reset)


def test_the_tutorial() -> None:
    train_ds, test_ds = mnist(0, 400), mnist(1000, 100)
    model = cast(Net, torch.compile(Net().to(device), backend="eager"))
    mnist_config = Sufficiency.Config(
        training_strategy=MNISTTrainingStrategy(),
        evaluation_strategy=MNISTEvaluationStrategy(),
        reset_strategy=reset_model,
        runs=2,
        substeps=5,
    )
    suff: Any = Sufficiency(
        model=model,
        config=mnist_config,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = suff.evaluate(train_ds, test_ds)
    table = output.to_dataframe()
    assert table.columns == ["step", "Accuracy", "AUROC"]
    assert table["step"].to_list() == [4, 12, 40, 126, 400]
    assert table["Accuracy"][-1] > 0.7 > table["Accuracy"][0]
    assert output.project([1000, 2500, 5000]).columns == ["step", "Accuracy", "AUROC"]
    needed = output.inv_project([0.50, 0.70, 1.5])
    assert needed.columns == ["target", "Accuracy", "AUROC"]
    assert needed["Accuracy"].to_list()[-1] == -1
    plots = pytest.importorskip("dataeval_plots")
    pytest.importorskip("plotly")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(plots.plot(output, backend="plotly")) == 2
