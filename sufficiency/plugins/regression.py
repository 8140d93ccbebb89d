"""Predicting numbers: training by squared error on standardised targets, and measuring the error."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from sufficiency.data.tensors import device_of, tensors
from sufficiency.plugins import standard_errors
from sufficiency.plugins.estimators import EstimatorModel
from sufficiency.plugins.outputs import expect_numbers, expect_task, expect_trainable
from sufficiency.plugins.training import ItemwiseDescent
from sufficiency.plugins.unanswered import expect_no_nan
from sufficiency.schemas.estimate import Measured

Metric = Literal["mae", "rmse", "r2"]


class SGDRegressor(ItemwiseDescent):
    """Minimise the squared error by SGD (or Adam) on targets of mean 0 and SD 1; the model then answers in their unit.

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
        At least so many optimiser steps, by more epochs where needed, so that small subsets are not left undertrained.
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

    tasks = ("regression",)
    stacks = True

    def check_model(self, model: Any, dataset: Any) -> None:
        """Look whether an untrained model answers one number an item."""
        expect_task("regression", dataset, "sgd-regressor")
        expect_trainable(model)
        expect_numbers(model, dataset, scale=True)

    def train(self, model: nn.Module, dataset: Any, indices: Sequence[int]) -> None:
        """Train `model` in place on the items that `indices` names."""
        self.prepare(model, dataset, indices)
        unit: Any = model.target_unit
        unit.on = False
        try:
            self.descend(model, dataset, indices)
        finally:
            unit.on = True

    def prepare(self, model: nn.Module, dataset: Any, indices: Sequence[int]) -> None:
        """Look whether the items have numbers, and have the model answer in their unit once it is trained."""
        expect_task("regression", dataset, "sgd-regressor")
        if getattr(model, "target_unit", None) is None:
            _, y = tensors(dataset, device_of(model))
            chosen = y[torch.as_tensor(indices, device=y.device)]
            # Of the subset alone: what lies outside of it must not help.
            spread = float(chosen.std(correction=0))
            unit = TargetUnit(float(chosen.mean()), spread if spread > 0 else 1.0, y.dtype)
            model.target_unit = unit  # type: ignore[assignment]
            model.register_forward_hook(unit)

    def targets(self, model: nn.Module, y: Tensor) -> Tensor:
        """Return targets of mean 0 and SD 1."""
        unit: Any = model.target_unit
        # Cast after it was scaled: float32 would not tell large targets apart.
        standard: Tensor = (y - unit.mean) / unit.sd
        return standard

    def loss(self, output: Tensor, target: Tensor, model: nn.Module) -> Tensor:
        """Return the squared error of standardised targets."""
        return nn.functional.mse_loss(output.reshape(len(target)), self.targets(model, target).to(output.dtype))

    def item_losses(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the squared error of each standardised target."""
        return nn.functional.mse_loss(output.reshape(len(target)), target.to(output.dtype), reduction="none")


class TargetUnit:
    """A model's forward hook: from standardised outputs to those of the targets.

    It is no module of the model that it belongs to: an `nn.Sequential` would call it as one more layer.
    """

    def __init__(self, mean: float, sd: float, dtype: torch.dtype = torch.float32) -> None:
        self.mean, self.sd, self.dtype, self.on = mean, sd, dtype, True

    def __call__(self, module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        # Targets that only float64 holds are answered in it.
        answered = output.double() if self.dtype == torch.float64 else output
        return answered * self.sd + self.mean if self.on else output


class Regression:
    """Mean absolute error, root mean squared error, and R².

    Parameters
    ----------
    metrics : list of str
        Which of mae, rmse, r2.
    batch_size : int
        Items in a forward pass.
    """

    tasks = ("regression",)
    metric_properties: ClassVar[dict[str, dict[str, Any]]] = {
        "MAE": {"direction": "minimize", "bounds": [0.0, None]},
        "RMSE": {"direction": "minimize", "bounds": [0.0, None]},
        "R2": {"direction": "maximize", "bounds": [None, 1.0]},
    }

    def __init__(
        self,
        metrics: Annotated[list[Metric], Field(min_length=1)] = ["mae", "rmse", "r2"],  # noqa: B006
        batch_size: Annotated[int, Field(ge=1)] = 1024,
    ) -> None:
        self.metrics = metrics
        self.batch_size = batch_size

    def check_model(self, model: Any, dataset: Any) -> None:
        """Look whether an untrained model answers one number an item."""
        expect_task("regression", dataset, "the evaluation regression")
        expect_numbers(model, dataset)

    def evaluate(self, model: nn.Module, dataset: Any) -> dict[str, float]:
        """Return each metric asked for, with the standard error that the test items' own chance leaves it.

        R² is NaN where all targets are equal.
        """
        expect_task("regression", dataset, "the evaluation regression")
        x, y = tensors(dataset, device_of(model))
        model.eval()
        with torch.inference_mode():
            output = torch.cat([model(batch) for batch in x.split(self.batch_size)]).double().cpu()
        target = y.double().cpu()
        if output.numel() != len(target):
            raise ValueError(f"the model gave outputs of shape {tuple(output.shape)}; a regression needs one an item")
        if not isinstance(model, EstimatorModel):  # one that leaves an item out, such as beyond its range, has no score
            expect_no_nan(output)
        error = output.reshape(-1) - target
        spread = float((target - target.mean()).square().sum())
        off, targets = error.numpy(), target.numpy()
        r2 = 1 - float(error.square().sum()) / spread if spread else math.nan
        values = {
            "mae": ("MAE", Measured(error.abs().mean(), standard_errors.of_mean(abs(off)))),
            "rmse": ("RMSE", Measured(error.square().mean().sqrt(), standard_errors.of_rmse(off))),
            "r2": ("R2", Measured(r2, standard_errors.of_r2(off, targets))),
        }
        return dict(values[metric] for metric in self.metrics)
