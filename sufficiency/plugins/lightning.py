"""Training a LightningModule with Lightning's own loop."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch.utils.data import DataLoader, TensorDataset

from sufficiency.data.tensors import device_of, tensors
from sufficiency.extras import install
from sufficiency.plugins.models import FOR_ALL_ARRAYS

REQUIRES = {"pytorch_lightning": install("lightning")}


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
        import logging

        from pytorch_lightning import Callback, LightningModule, Trainer

        if not isinstance(model, LightningModule):
            raise TypeError(f"the strategy lightning trains a LightningModule, not {type(model).__name__}")
        device = device_of(model)
        x, y = tensors(dataset, torch.device("cpu"))
        chosen = torch.as_tensor(indices)
        loader = DataLoader(TensorDataset(x[chosen], y[chosen]), batch_size=self.batch_size, shuffle=True)
        batches, batch_size = len(loader), self.batch_size

        class Weighted(Callback):
            """Has the gradients of a smaller last batch count for its items; its loss is a mean over these."""

            def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
                self.weight = len(batch[0]) / batch_size if batches > 1 else 1.0

            def on_after_backward(self, trainer: Any, module: Any) -> None:
                if self.weight != 1 and module.automatic_optimization:
                    for parameter in module.parameters():
                        if parameter.grad is not None:
                            parameter.grad.mul_(self.weight)

        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        trainer = Trainer(
            max_epochs=self.epochs,
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=1,
            gradient_clip_val=self.gradient_clip,
            callbacks=[Weighted()] if self.last_batch == "weighted" else [],
            # A cell is short and is recorded by the service: nothing is to be written beside it.
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, loader)
        model.to(device)
