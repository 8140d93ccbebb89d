"""Several labels an item: training a network by the cross-entropy of each label, and measuring what it answers."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from sufficiency.data.tensors import device_of, tensors
from sufficiency.plugins.estimators import EstimatorModel
from sufficiency.plugins.outputs import expect_logit_a_label, expect_task, expect_trainable
from sufficiency.plugins.training import ItemwiseDescent
from sufficiency.plugins.unanswered import expect_no_nan
from sufficiency.schemas.estimate import Measured

Metric = Literal["map", "f1_micro", "f1_macro", "exact_match", "ap_per_class", "recall_per_class"]
_UNIT = {"direction": "maximize", "bounds": [0.0, 1.0]}


class SGDMultilabel(ItemwiseDescent):
    """Minimise the binary cross-entropy of each label by SGD (or Adam), where items may have several labels or none.

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
    batch_norm : {"running", "reestimated"}
        What batch normalisation is evaluated with: the running statistics of its training, which lag behind where
        there were few steps, or those of the whole subset, gone through once more after the training.
    """

    tasks = ("multilabel",)
    stacks = True

    def check_model(self, model: Any, dataset: Any) -> None:
        """Look whether an untrained model answers one logit a label."""
        expect_task("multilabel", dataset, "sgd-multilabel")
        expect_trainable(model)
        expect_logit_a_label(model, dataset, scale=True)

    def prepare(self, model: nn.Module, dataset: Any, indices: Sequence[int]) -> None:
        """Look whether the items have labels."""
        expect_task("multilabel", dataset, "sgd-multilabel")

    def loss(self, output: Tensor, target: Tensor, model: nn.Module) -> Tensor:
        """Return the mean binary cross-entropy over labels and items."""
        return nn.functional.binary_cross_entropy_with_logits(output, target.to(output.dtype))

    def item_losses(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean binary cross-entropy over the labels of each item."""
        losses = nn.functional.binary_cross_entropy_with_logits(output, target.to(output.dtype), reduction="none")
        return losses.mean(dim=1)


class Multilabel:
    """Mean average precision, micro and macro F1, exact match, and average precision and recall by label.

    Parameters
    ----------
    metrics : list of str
        Which of map, f1_micro, f1_macro, exact_match, ap_per_class, recall_per_class.
    threshold : float
        The probability from which on a label counts as given; an estimator decides by its own `predict`.
    batch_size : int
        Items in a forward pass.

    Notes
    -----
    Average precision is ``sklearn.metrics.average_precision_score``'s; a label that no test item has is left out of the
    mean, for it has none. Macro F1 leaves out labels that no test item has and that are never given.
    """

    tasks = ("multilabel",)
    metric_properties: ClassVar[dict[str, dict[str, Any]]] = {
        "mAP": _UNIT,
        "F1 (micro)": _UNIT,
        "F1 (macro)": _UNIT,
        "ExactMatch": {**_UNIT, "proportion_of": "items"},
        "AP": _UNIT,
        "Recall": {**_UNIT, "proportion_of": "class_items"},
    }

    def __init__(
        self,
        metrics: Annotated[list[Metric], Field(min_length=1)] = ["map", "f1_micro", "f1_macro"],  # noqa: B006
        threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5,
        batch_size: Annotated[int, Field(ge=1)] = 1024,
    ) -> None:
        self.metrics = metrics
        self.threshold = threshold
        self.batch_size = batch_size

    def check_model(self, model: Any, dataset: Any) -> None:
        """Look whether an untrained model answers one logit a label."""
        expect_task("multilabel", dataset, "the evaluation multilabel")
        if isinstance(model, EstimatorModel):
            model.expect("multilabel")
        # What goes by the order of the scores alone takes probabilities as well.
        expect_logit_a_label(model, dataset, scale=bool(set(self.metrics) - {"map", "ap_per_class"}))

    def evaluate(self, model: nn.Module, dataset: Any) -> dict[str, Any]:
        """Return each metric asked for; a label that the test split lacks has NaN for its precision and recall."""
        expect_task("multilabel", dataset, "the evaluation multilabel")
        x, y = tensors(dataset, device_of(model))
        model.eval()
        with torch.inference_mode():
            logits = torch.cat([model(batch) for batch in x.split(self.batch_size)]).double().cpu()
            if isinstance(model, EstimatorModel):
                given = torch.cat([model.predict(batch) for batch in x.split(self.batch_size)]).numpy() > 0
            else:
                given = (expect_no_nan(logits) >= math.log(self.threshold / (1 - self.threshold))).numpy()
        target = y.cpu().numpy() > 0
        if logits.shape != target.shape:
            raise ValueError(
                f"the model gave outputs of shape {tuple(logits.shape)}; {target.shape[1]} labels need one logit each, "
                f"shape {target.shape}"
            )
        return {
            name: value for metric in self.metrics for name, value in _measure(metric, logits.numpy(), given, target)
        }


def _measure(
    metric: str, scores: NDArray[np.float64], given: NDArray[np.bool_], target: NDArray[np.bool_]
) -> list[tuple[str, Any]]:
    hits = (given & target).sum(axis=0, dtype=np.float64)
    told, there = given.sum(axis=0), target.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):  # a label without any item has NaN
        match metric:
            case "map":
                precisions = _average_precisions(scores, target)
                known = precisions[~np.isnan(precisions)]
                return [("mAP", float(known.mean()) if known.size else math.nan)]
            case "f1_micro":
                return [("F1 (micro)", float(2 * hits.sum() / (told + there).sum()))]
            case "f1_macro":
                by_label = (2 * hits / (told + there))[told + there > 0]
                return [("F1 (macro)", float(by_label.mean()) if by_label.size else math.nan)]
            case "exact_match":
                right = (given == target).all(axis=1)
                return [("ExactMatch", Measured(right.mean(), correct=right))]
            case "ap_per_class":
                return [("AP", _average_precisions(scores, target))]
            case _:
                return [("Recall", hits / there)]


def _average_precisions(scores: NDArray[np.float64], target: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the average precision of each label, NaN where no item has it or a score is none."""
    from sklearn.metrics import average_precision_score

    return np.array(
        [
            average_precision_score(target[:, k], scores[:, k])
            if target[:, k].any() and not np.isnan(scores[:, k]).any()
            else math.nan
            for k in range(target.shape[1])
        ]
    )
