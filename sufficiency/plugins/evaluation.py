"""Measuring a classifier: one forward pass over the test split, and what its scores are worth."""

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
from sufficiency.plugins.ranked import auroc, f1, tpr_at
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
        expect_task("classification", dataset, "the evaluation classification")
        if isinstance(model, EstimatorModel):
            model.expect("classification")
        # The largest probability is the largest logit's: only for what goes by scores do they differ.
        expect_logits(model, dataset, scale=bool({"auroc", "tpr_at_fpr", "log_loss"} & set(self.metrics)))

    def evaluate(self, model: nn.Module, dataset: Any) -> dict[str, Any]:
        """Return each metric asked for; a class that the test split lacks has NaN for its recall.

        An estimator is asked for its own `predict` where labels count, and for its scores where their order does; the
        AUROC of one that has no scores is NaN.
        """
        expect_task("classification", dataset, "the evaluation classification")
        x, y = tensors(dataset, device_of(model))
        model.eval()
        answers = answers_of(model, lambda: x.split(self.batch_size))
        target = y.cpu()
        with warnings.catch_warnings(), torch.inference_mode():
            # An estimator may have the same to say of each of its predictions.
            warnings.simplefilter("ignore", UserWarning)
            return {name: value for metric in self.metrics for name, value in self._measure(metric, answers, target)}

    def _measure(self, metric: str, answers: Answers, target: Tensor) -> list[tuple[str, Any]]:
        classes = answers.classes
        match metric:
            case "accuracy":
                right = answers.labels == target
                return [("Accuracy", Measured(right.double().mean(), correct=right.numpy()))]
            case "auroc":
                if answers.scores is None:
                    return [("AUROC", math.nan)]
                scores, classes_of = answers.scores.double().numpy(), target.numpy()
                area = auroc(answers.scores.numpy(), classes_of)
                return [("AUROC", Measured(area, standard_errors.of_auroc(scores, classes_of)))]
            case "tpr_at_fpr":
                if answers.scores is None:
                    raise TypeError(
                        answers.lacks("tpr_at_fpr", "scores other than NaN, by predict_proba or decision_function")
                    )
                rate = tpr_at(self.fpr, answers.scores.numpy(), target.numpy())
                return [(f"TPR at {self.fpr} Fixed FPR", rate)]
            case "f1":
                decided, classes_of = answers.labels.numpy(), target.numpy()
                score = f1(decided, classes_of, classes)
                return [("F1", Measured(score, standard_errors.of_f1(decided, classes_of, classes)))]
            case "log_loss":
                losses = answers.log_losses(target)
                return [("LogLoss", Measured(losses.mean(), standard_errors.of_mean(losses.numpy())))]
            case _:
                hits = torch.bincount(target[answers.labels == target], minlength=classes).double()
                return [("Recall", (hits / torch.bincount(target, minlength=classes)).numpy())]
