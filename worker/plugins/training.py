"""Training a classifier on a subset, from tensors that are on the device already."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

from worker.plugins.tensors import device_of, tensors


class SGDClassifier:
    """Minimise the cross-entropy by SGD (or Adam), epoch by epoch over the shuffled subset.

    Parameters
    ----------
    optimizer : {"sgd", "adam", "adamw"}
        How a gradient becomes a step.
    lr : float
        Learning rate.
    momentum : float
        Of SGD.
    weight_decay : float
        L2 penalty (decoupled with adamw).
    epochs : int
        Passes over the subset.
    min_steps : int
        At least so many optimiser steps, by more epochs where needed: small subsets are not left undertrained.
    batch_size : int
        Items in a step.
    schedule : {"constant", "cosine"}
        Learning rate over the steps: as it is, or falling to zero along half a cosine.
    """

    def __init__(
        self,
        optimizer: Literal["sgd", "adam", "adamw"] = "sgd",
        lr: Annotated[float, Field(gt=0, le=1000)] = 0.01,
        momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9,
        weight_decay: Annotated[float, Field(ge=0)] = 0.0,
        epochs: Annotated[int, Field(ge=1, le=100_000)] = 10,
        min_steps: Annotated[int, Field(ge=0, le=10_000_000)] = 0,
        batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 8,
        schedule: Literal["constant", "cosine"] = "constant",
    ) -> None:
        self.optimizer = optimizer
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.min_steps = min_steps
        self.batch_size = batch_size
        self.schedule = schedule

    def train(self, model: nn.Module, dataset: Any, indices: Sequence[int]) -> None:
        """Train `model` in place on the items that `indices` names; batches are drawn by torch's seeded generator."""
        device = device_of(model)
        x, y = tensors(dataset, device)
        chosen = torch.as_tensor(indices, device=device)
        x, y = x[chosen], y[chosen]
        per_epoch = math.ceil(len(chosen) / self.batch_size)
        epochs = max(self.epochs, math.ceil(self.min_steps / per_epoch))
        optimizer = self._make_optimizer(model)
        scheduler = CosineAnnealingLR(optimizer, epochs * per_epoch) if self.schedule == "cosine" else None
        model.train()
        for _ in range(epochs):
            # Drawn on the CPU: the same batches on every device.
            order = torch.randperm(len(chosen)).to(device)
            for batch in _batches(order, self.batch_size):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
                optimizer.step()
                if scheduler is not None:
                    scheduler.step()

    def _make_optimizer(self, model: nn.Module) -> Optimizer:
        parameters = [p for p in model.parameters() if p.requires_grad]
        if self.optimizer == "sgd":
            return SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay, fused=True)
        family = Adam if self.optimizer == "adam" else AdamW
        return family(parameters, lr=self.lr, weight_decay=self.weight_decay, fused=True)


def _batches(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    batches = list(order.split(size))
    # Batch normalisation cannot train on one item: it joins its neighbours.
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
