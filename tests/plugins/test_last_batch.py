"""A smaller last batch counts for its items; old jobs go on as they were; statistics are those of the weights."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sufficiency.data.arrays import ArrayDataset
from sufficiency.plugins.schedules import Geometric
from sufficiency.plugins.training import SGDClassifier
from sufficiency.schemas.spec import JobSpec
from sufficiency.training.registry import DatasetContext, Registry
from sufficiency.training.splits import Splits
from sufficiency.training.study import JobStudy

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
DATA = ArrayDataset(X, (X.sum(axis=1) > 0).astype(np.int64), ["no", "yes"], "the sample")


def trained(n: int, model: nn.Module | None = None, **params: Any) -> nn.Module:
    torch.manual_seed(1)
    model = model or nn.Linear(3, 2)
    torch.manual_seed(2)
    SGDClassifier(**{"epochs": 1, "batch_size": 8, "momentum": 0.0, "lr": 0.1, **params}).train(model, DATA, range(n))
    return model


def by_hand(n: int, weighted: bool) -> nn.Module:
    torch.manual_seed(1)
    model = nn.Linear(3, 2)
    torch.manual_seed(2)
    x, y = torch.from_numpy(X), torch.from_numpy(DATA.y)
    for batch in torch.randperm(n).split(8):
        loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.1 * (len(batch) / 8 if weighted else 1.0) * p.grad
    return model


@pytest.mark.parametrize("last_batch", ["weighted", "whole"])
def test_a_smaller_last_batch_counts_for_its_items(last_batch: Any) -> None:
    ours, theirs = trained(25, last_batch=last_batch), by_hand(25, last_batch == "weighted")
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-6)
    other = by_hand(25, last_batch == "whole")
    assert not torch.allclose(ours.weight, other.weight, atol=1e-4)


@pytest.mark.parametrize("n", [5, 8, 24])
def test_nothing_changes_where_all_batches_are_alike(n: int) -> None:
    weighted, whole = trained(n, last_batch="weighted"), trained(n, last_batch="whole")
    assert torch.equal(weighted.weight, whole.weight)


@pytest.mark.parametrize(("sampling", "last_batch"), [(None, "whole"), (1, "weighted"), (2, "weighted")])
def test_a_job_of_before_goes_on_as_it_was(sampling: int | None, last_batch: str) -> None:
    spec = JobSpec.model_validate(
        {
            "model": {"name": "linear"},
            "training": {"name": "sgd-classifier", "params": {"epochs": 1}},
            "evaluation": {"name": "classification"},
            "dataset": "d",
            "sampling": sampling,
        }
    )
    splits = Splits(DATA, DATA, DATA.y, {}, "f", DatasetContext((3,), 2))
    assert JobStudy(Registry.load(), spec, splits).training.last_batch == last_batch


def test_statistics_are_reestimated_for_the_weights_as_they_are() -> None:
    def net() -> nn.Module:
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))

    running, again = (trained(33, net(), batch_norm=how) for how in ("running", "reestimated"))
    assert torch.equal(running[0].weight, again[0].weight)
    inner = again[0](torch.from_numpy(X[:33])).detach()
    # Batches of 8, 8, 8 and, joined by the one item that is over, 9.
    means = torch.stack([part.mean(dim=0) for part in inner.split([8, 8, 8, 9])]).mean(dim=0)
    assert torch.allclose(again[1].running_mean, means, atol=1e-5)
    assert not torch.allclose(running[1].running_mean, means, atol=1e-2)
    assert again[1].momentum == 0.1
    assert again.training


def test_a_schedule_of_multiples() -> None:
    assert Geometric(10, 8).get_steps(2500) == [24, 40, 72, 120, 192, 320, 536, 896, 1496, 2496]
    assert Geometric(10, 8, first=8).get_steps(100)[0] == 8
    assert all(n % 32 == 0 for n in Geometric(20, 32).get_steps(1000))
    assert Geometric(3).get_steps(100) == [10, 32, 100]
    with pytest.raises(ValueError, match="fewer than multiple_of=64"):
        Geometric(5, 64).get_steps(50)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("last_batch", ["weighted", "whole"])
def test_lightning_weights_a_smaller_last_batch(last_batch: Any) -> None:
    lightning = pytest.importorskip("pytorch_lightning", reason="pytorch-lightning is not installed")
    from sufficiency.plugins.lightning import LightningFit

    norms: list[tuple[int, float]] = []

    class Net(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Any) -> Any:
            return self.layer(x)

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            x, y = batch
            self.loss = nn.functional.cross_entropy(self(x), y)
            self.items = len(x)
            self.expected = torch.autograd.grad(self.loss, self.layer.weight, retain_graph=True)[0].norm().item()
            return self.loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.0)

        def on_before_optimizer_step(self, optimizer: Any) -> None:
            norms.append((self.items, self.layer.weight.grad.norm().item() / self.expected))

    torch.manual_seed(0)
    LightningFit(epochs=1, batch_size=8, last_batch=last_batch).train(Net(), DATA, range(26))
    assert [items for items, _ in norms] == [8, 8, 8, 2]
    last = 2 / 8 if last_batch == "weighted" else 1.0
    assert [share for _, share in norms] == pytest.approx([1.0, 1.0, 1.0, last], rel=1e-5)
