"""Training a LightningModule with Lightning's own loop."""

import logging
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from sufficiency.data.tensors import device_of, tensors
from sufficiency.extras import install
from sufficiency.plugins.batches import BatchesOf, batch_sizes, normalising
from sufficiency.plugins.models import FOR_ALL_ARRAYS

# A job is measured with one version: 0.2.0 has a last batch of one item join its neighbours under batch normalisation.
__version__ = "0.2.0"
# Either of the two packages that it is published as.
REQUIRES = {("pytorch_lightning", "lightning"): install("lightning")}


def package_of(model: Any) -> str | None:
    """Return the package whose LightningModule a model is, or None: a trainer of the other one would refuse it."""
    for base in type(model).__mro__:
        root = base.__module__.partition(".")[0]
        if base.__name__ == "LightningModule" and root in ("lightning", "pytorch_lightning"):
            return "lightning.pytorch" if root == "lightning" else root
    return None


class LightningFit:
    """Train a LightningModule: its own training_step and optimisers, on batches (x, y) of the subset.

    Parameters
    ----------
    epochs : int
        Passes over the subset.
    batch_size : int
        Items in a batch.
    gradient_clip : float
        Largest norm of the gradients; not clipped where not given.
    last_batch : {"weighted", "whole"}
        What an epoch's last batch counts for where it is smaller than the others: its items, or as much as a whole one.
        A module whose loss is a sum over the items, or that optimises by hand, wants `whole`.
    """

    tasks = FOR_ALL_ARRAYS
    trains = ("lightning",)

    def __init__(
        self,
        epochs: Annotated[int, Field(ge=1, le=100_000)] = 10,
        batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 32,
        gradient_clip: Annotated[float | None, Field(gt=0)] = None,
        last_batch: Literal["weighted", "whole"] = "weighted",
    ) -> None:
        self.epochs = epochs
        self.batch_size = batch_size
        self.gradient_clip = gradient_clip
        self.last_batch = last_batch

    def train(self, model: Any, dataset: Any, indices: Sequence[int]) -> None:
        """Train `model` in place on the items that `indices` names."""
        package = package_of(model)
        if package is None:
            raise TypeError(f"the strategy lightning trains a LightningModule, not {type(model).__name__}")
        pytorch: Any = import_module(package)
        device = device_of(model)
        x, y = tensors(dataset, torch.device("cpu"))
        chosen = torch.as_tensor(indices)
        items, normal = TensorDataset(x[chosen], y[chosen]), normalising(model)
        sizes = batch_sizes(len(items), self.batch_size, join_last=bool(normal))
        if max(sizes) > self.batch_size:
            loader = DataLoader(items, batch_sampler=BatchesOf(RandomSampler(items), sizes))
        else:
            loader = DataLoader(items, batch_size=self.batch_size, shuffle=True)
        batches, batch_size = len(sizes), self.batch_size

        class Unnormalised(pytorch.Callback):  # type: ignore[misc]
            """Has one item, which has no batch to be normalised by, take the statistics as they are."""

            def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
                for one in normal:
                    one.eval()

        class Weighted(pytorch.Callback):  # type: ignore[misc]
            """Has the gradients of a smaller last batch count for its items; its loss is a mean over these."""

            def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
                self.weight = len(batch[0]) / batch_size if batches > 1 else 1.0

            def on_after_backward(self, trainer: Any, module: Any) -> None:
                if self.weight != 1 and module.automatic_optimization:
                    for parameter in module.parameters():
                        if parameter.grad is not None:
                            parameter.grad.mul_(self.weight)

        logging.getLogger(package).setLevel(logging.ERROR)
        callbacks = [Weighted()] if self.last_batch == "weighted" else []
        trainer = pytorch.Trainer(
            max_epochs=self.epochs,
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=1,
            gradient_clip_val=self.gradient_clip,
            callbacks=[*callbacks, Unnormalised()] if len(items) == 1 and normal else callbacks,
            # A cell is short and is recorded by the service: nothing is to be written beside it.
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, loader)
        model.to(device)
