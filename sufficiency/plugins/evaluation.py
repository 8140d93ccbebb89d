"""Measuring a classifier: one forward pass over the test split, then torchmetrics."""

import math
import warnings
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from sufficiency.data.tensors import device_of, tensors
from sufficiency.plugins import standard_errors
from sufficiency.plugins.answers import Answers, answers_of
from sufficiency.plugins.estimators import EstimatorModel
from sufficiency.plugins.outputs import expect_logits, expect_task
from sufficiency.schemas.estimate import Measured

Metric = Literal["accuracy", "auroc", "tpr_at_fpr", "f1", "log_loss", "recall_per_class"]
_UNIT = {"direction": "maximize", "bounds": [0.0, 1.0]}


class Classification:
    """Accuracy, AUROC, true positive rate at a false positive rate, F1, log loss, and recall by class.

    Parameters
    ----------
    metrics : list of str
        Which of accuracy, auroc, tpr_at_fpr, f1, log_loss, recall_per_class.
    fpr : float
        The false positive rate at which tpr_at_fpr reads the macro-averaged ROC curve.
    batch_size : int
        Items in a forward pass.

    Notes
    -----
    AUROC and TPR average over the classes that have test items; a class without any would count as zero, and no
    model, however good, could then come near 1. AUROC, F1 and log loss are given with the standard error that the test
    items' own chance leaves them.
    """

    tasks = ("classification",)
    metric_properties: ClassVar[dict[str, dict[str, Any]]] = {
        "Accuracy": {**_UNIT, "proportion_of": "items"},
        "AUROC": _UNIT,
        "TPR at 0.5 Fixed FPR": _UNIT,
        "F1": _UNIT,
        "LogLoss": {"direction": "minimize", "bounds": [0.0, None]},
        "Recall": {**_UNIT, "proportion_of": "class_items"},
    }

    def __init__(
        self,
        metrics: Annotated[list[Metric], Field(min_length=1)] = ["accuracy", "auroc"],  # noqa: B006
        fpr: Annotated[float, Field(ge=0, le=1)] = 0.5,
        batch_size: Annotated[int, Field(ge=1)] = 1024,
    ) -> None:
        self.metrics = metrics
        self.fpr = fpr
        self.batch_size = batch_size

    def check_model(self, model: Any, dataset: Any) -> None:
        """Look whether an untrained model answers logits of the dataset's classes."""
        expect_task("classification", dataset, "the evaluation classification", "regression or multilabel")
        if isinstance(model, EstimatorModel):
            model.expect("classification")
        # The largest probability is the largest logit's: only for what goes by scores do they differ.
        expect_logits(model, dataset, scale=bool({"auroc", "tpr_at_fpr", "log_loss"} & set(self.metrics)))

    def evaluate(self, model: nn.Module, dataset: Any) -> dict[str, Any]:
        """Return each metric asked for; a class that the test split lacks has NaN for its recall.

        An estimator is asked for its own `predict` where labels count, and for its scores where their order does; the
        AUROC of one that has no scores is NaN.
        """
        expect_task("classification", dataset, "the evaluation classification", "regression or multilabel")
        x, y = tensors(dataset, device_of(model))
        model.eval()
        answers = answers_of(model, lambda: x.split(self.batch_size))
        target = y.cpu()
        with warnings.catch_warnings(), torch.inference_mode():
            # A class without test items is answered by NaN or left out of an average; no need to say so each time.
            warnings.simplefilter("ignore", UserWarning)
            return {name: value for metric in self.metrics for name, value in self._measure(metric, answers, target)}

    def _measure(self, metric: str, answers: Answers, target: Tensor) -> list[tuple[str, Any]]:
        # Imported when first used: it takes seconds, and a trainer should be ready before.
        from torchmetrics.functional.classification import multiclass_auroc, multiclass_f1_score

        classes = answers.classes
        match metric:
            case "accuracy":
                return [("Accuracy", float((answers.labels == target).double().mean()))]
            case "auroc":
                if answers.scores is None:
                    return [("AUROC", math.nan)]
                by_class = multiclass_auroc(answers.scores, target, num_classes=classes, average="none")
                counted = _measurable(target, classes)
                error = standard_errors.of_auroc(answers.scores.double().numpy(), target.numpy(), counted.numpy())
                return [("AUROC", Measured(by_class[counted].mean(), error))]
            case "tpr_at_fpr":
                if answers.scores is None:
                    raise TypeError(
                        answers.lacks("tpr_at_fpr", "scores other than NaN, by predict_proba or decision_function")
                    )
                return [(f"TPR at {self.fpr} Fixed FPR", _tpr_at(self.fpr, answers.scores, target))]
            case "f1":
                f1 = multiclass_f1_score(answers.labels, target, num_classes=classes, average="macro")
                return [("F1", Measured(f1, standard_errors.of_f1(answers.labels.numpy(), target.numpy(), classes)))]
            case "log_loss":
                losses = answers.log_losses(target)
                return [("LogLoss", Measured(losses.mean(), standard_errors.of_mean(losses.numpy())))]
            case _:
                hits = torch.bincount(target[answers.labels == target], minlength=classes).double()
                return [("Recall", (hits / torch.bincount(target, minlength=classes)).numpy())]


def _measurable(target: Tensor, classes: int) -> Tensor:
    """Return the classes that some test items belong to and others do not: only these have a ROC curve."""
    counts = torch.bincount(target, minlength=classes)
    return torch.nonzero((counts > 0) & (counts < len(target))).flatten()


def _tpr_at(rate: float, scores: Tensor, target: Tensor) -> float:
    """Return the true positive rate of the macro-averaged ROC curve's point nearest to a false positive rate.

    Notes
    -----
    The curve is ``multiclass_roc(average="macro")``'s, to the last bit, but read at this one point: to make all of it
    takes memory in the square of the number of items, gigabytes for five thousand.
    """
    from torchmetrics.functional.classification import multiclass_roc

    classes = scores.shape[1]
    curves: Any = multiclass_roc(scores, target, num_classes=classes)
    chosen = [(curves[0][k], curves[1][k]) for k in _measurable(target, classes).tolist()]
    if not chosen:
        return math.nan
    grid = torch.cat([fpr for fpr, _ in chosen]).sort().values
    at = grid[(grid - rate).abs().argmin()]
    total = torch.zeros_like(at)
    for fpr, tpr in chosen:
        left = min(max(int(torch.searchsorted(fpr, at, right=True)) - 1, 0), len(fpr) - 2)
        run = fpr[left + 1] - fpr[left]
        slope = (tpr[left + 1] - tpr[left]) / run if run > 0 else torch.zeros_like(run)
        total += slope * at + (tpr[left] - slope * fpr[left])
    return float(total / len(chosen))
