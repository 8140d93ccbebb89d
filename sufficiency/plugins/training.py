"""Gradient descent on a subset, from tensors that are on the device already; and a classifier trained by it."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

from sufficiency.data.tensors import device_of, tensors
from sufficiency.plugins.batches import batch_sizes, in_batches, normalising
from sufficiency.plugins.outputs import expect_logits, expect_task, expect_trainable
from sufficiency.plugins.unanswered import expect_tensor
from sufficiency.plugins.updates import Updates


class GradientDescent(ABC):
    """SGD (or Adam), epoch by epoch over the shuffled subset; who derives from it says what is minimised.

    The parameters are those of `SGDClassifier` and `SGDRegressor`, which say what each is for.
    """

    trains = ("network",)

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
        last_batch: Literal["weighted", "whole"] = "weighted",
        batch_norm: Literal["running", "reestimated"] = "running",
    ) -> None:
        self.optimizer = optimizer
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.min_steps = min_steps
        self.batch_size = batch_size
        self.schedule = schedule
        self.last_batch = last_batch
        self.batch_norm = batch_norm

    def descend(self, model: nn.Module, dataset: Any, indices: Sequence[int]) -> None:
        """Train `model` in place on the items that `indices` names; batches are drawn by torch's seeded generator."""
        if not len(indices):
            raise ValueError("there are no items to train on")
        device = device_of(model)
        x, y = tensors(dataset, device)
        chosen = torch.as_tensor(indices, device=device)
        x, y = x[chosen], y[chosen]
        normal = normalising(model)
        sizes = batch_sizes(len(chosen), self.batch_size, join_last=bool(normal))
        epochs = max(self.epochs, math.ceil(self.min_steps / len(sizes)))
        optimizer = self.make_optimizer([p for p in model.parameters() if p.requires_grad])
        scheduler = CosineAnnealingLR(optimizer, epochs * len(sizes)) if self.schedule == "cosine" else None
        updates = Updates(optimizer)
        model.train()
        if len(chosen) == 1:
            for module in normal:  # one item has no batch to be normalised by
                module.eval()
        for _ in range(epochs):
            # Drawn on the CPU: the same batches on every device.
            order = torch.randperm(len(chosen)).to(device)
            for items, targets in in_batches(x, y, order, sizes):
                updates.clear()
                outputs = model(items)
                expect_tensor(outputs)
                loss = self.loss(outputs, targets, model)
                if (weight := self.weight(len(targets), len(sizes))) != 1:
                    loss = loss * weight
                loss.backward()
                updates.step()
                if scheduler is not None:
                    scheduler.step()
        if self.batch_norm == "reestimated" and len(chosen) > 1:
            reestimate(model, x, sizes)

    def weight(self, items: int, batches: int) -> float:
        """Return what a batch's mean loss counts for: its items in units of a whole batch, where it is not alone."""
        return items / self.batch_size if self.last_batch == "weighted" and batches > 1 else 1.0

    def length(self, items: int) -> tuple[int, int]:
        """Return epochs, and batches an epoch, that so many items are trained for, without batch normalisation."""
        batches = len(batch_sizes(items, self.batch_size, join_last=False))
        return max(self.epochs, math.ceil(self.min_steps / batches)), batches

    @abstractmethod
    def loss(self, output: Tensor, target: Tensor, model: nn.Module) -> Tensor:
        """Return what is minimised: a scalar, of the model's outputs for a batch and its targets."""

    def make_optimizer(self, parameters: list[Tensor]) -> Optimizer:
        """Return what makes a step of a gradient of each of the parameters."""
        # Of shorter floats torch's fused kernels for the CPU lose most steps: such models would not learn.
        fused = all(p.dtype in (torch.float32, torch.float64) and p.device.type in ("cpu", "cuda") for p in parameters)
        if self.optimizer == "sgd":
            return SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay, fused=fused)
        family = Adam if self.optimizer == "adam" else AdamW
        return family(parameters, lr=self.lr, weight_decay=self.weight_decay, fused=fused)


class ItemwiseDescent(GradientDescent):
    """One whose loss is a mean over a batch's items, so that batches of several models can be gone through together."""

    def train(self, model: nn.Module, dataset: Any, indices: Sequence[int]) -> None:
        """Train `model` in place on the items that `indices` names."""
        self.prepare(model, dataset, indices)
        self.descend(model, dataset, indices)

    @abstractmethod
    def prepare(self, model: nn.Module, dataset: Any, indices: Sequence[int]) -> None:
        """Look whether the dataset is of the kind that it trains on, and have the model answer in the targets' unit."""

    def targets(self, model: nn.Module, y: Tensor) -> Tensor:
        """Return targets as `item_losses` takes them."""
        return y

    @abstractmethod
    def item_losses(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each of N items, shape (N,): `loss` is their mean."""


class SGDClassifier(ItemwiseDescent):
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
        At least so many optimiser steps, by more epochs where needed, so that small subsets are not left undertrained;
        0 leaves it at `epochs`, as DataEval's tutorial has it.
    batch_size : int
        Items in a step.
    schedule : {"constant", "cosine"}
        Learning rate over the steps: as it is, or falling to zero along half a cosine.
    last_batch : {"weighted", "whole"}
        What an epoch's last batch counts for where it is smaller than the others: its items, or as much as a whole one.
        With `whole` one item pulls as hard as `batch_size` of them at n = k·batch_size + 1: a kink in the curve.
    batch_norm : {"running", "reestimated"}
        What batch normalisation is evaluated with: the running statistics of its training, which lag behind where
        there were few steps, or those of the whole subset, gone through once more after the training.
    """

    tasks = ("classification",)
    stacks = True

    def check_model(self, model: Any, dataset: Any) -> None:
        """Look whether an untrained model answers logits of the dataset's classes."""
        expect_task("classification", dataset, "sgd-classifier")
        expect_trainable(model)
        expect_logits(model, dataset, scale=True)

    def prepare(self, model: nn.Module, dataset: Any, indices: Sequence[int]) -> None:
        """Look whether the items have classes."""
        expect_task("classification", dataset, "sgd-classifier")

    def loss(self, output: Tensor, target: Tensor, model: nn.Module) -> Tensor:
        """Return the cross-entropy."""
        return nn.functional.cross_entropy(output, target)

    def item_losses(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the cross-entropy of each item."""
        return nn.functional.cross_entropy(output, target, reduction="none")


@torch.no_grad()
def reestimate(model: nn.Module, x: Tensor, sizes: Sequence[int]) -> None:
    """Give batch normalisation the statistics of all of `x`, as the weights are now.

    Notes
    -----
    The plain average over batches (momentum None), each a mean over its items; nothing random is drawn, and whatever
    else the model has (dropout) is as in evaluation.
    """
    tracking = [one for one in normalising(model) if one.track_running_stats]
    momenta = [one.momentum for one in tracking]
    was_training = [(one, one.training) for one in model.modules()]
    model.eval()
    for one in tracking:
        one.reset_running_stats()
        one.momentum = None  # the average of all batches
        one.train()
    for batch in x.split(list(sizes)):
        model(batch)
    for one, momentum in zip(tracking, momenta, strict=True):
        one.momentum = momentum
    for module, training in was_training:
        module.training = training
