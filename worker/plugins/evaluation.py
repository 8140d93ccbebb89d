"""Measuring a classifier: one forward pass over the test split, then torchmetrics."""

import warnings
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from worker.plugins.tensors import device_of, tensors

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
    """

    metric_properties: ClassVar[dict[str, dict[str, Any]]] = {
        "Accuracy": _UNIT,
        "AUROC": _UNIT,
        "TPR at 0.5 Fixed FPR": _UNIT,
        "F1": _UNIT,
        "LogLoss": {"direction": "minimize", "bounds": [0.0, None]},
        "Recall": _UNIT,
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

    def evaluate(self, model: nn.Module, dataset: Any) -> dict[str, Any]:
        """Return each metric asked for; a class that the test split lacks has NaN for its recall."""
        x, y = tensors(dataset, device_of(model))
        model.eval()
        with torch.inference_mode():
            logits = torch.cat([model(batch) for batch in x.split(self.batch_size)]).float().cpu()
        target = y.cpu()
        with warnings.catch_warnings():
            # A class without test items is answered by NaN or left out of an average; no need to say so each time.
            warnings.simplefilter("ignore", UserWarning)
            return {name: value for metric in self.metrics for name, value in self._measure(metric, logits, target)}

    def _measure(self, metric: str, logits: Tensor, target: Tensor) -> list[tuple[str, Any]]:
        # Imported when first used: it takes seconds, and a trainer should be ready before.
        from torchmetrics.functional.classification import multiclass_auroc, multiclass_f1_score, multiclass_roc

        classes = logits.shape[1]
        scores = logits.softmax(dim=1)
        match metric:
            case "accuracy":
                return [("Accuracy", float((logits.argmax(dim=1) == target).double().mean()))]
            case "auroc":
                return [("AUROC", float(multiclass_auroc(scores, target, num_classes=classes)))]
            case "tpr_at_fpr":
                curve: Any = multiclass_roc(scores, target, num_classes=classes, average="macro")
                fpr, tpr, _ = curve
                nearest = int((fpr - self.fpr).abs().argmin())
                return [(f"TPR at {self.fpr:g} Fixed FPR", float(tpr[nearest]))]
            case "f1":
                return [("F1", float(multiclass_f1_score(logits, target, num_classes=classes, average="macro")))]
            case "log_loss":
                return [("LogLoss", float(nn.functional.cross_entropy(logits.double(), target)))]
            case _:
                hits = torch.bincount(target[logits.argmax(dim=1) == target], minlength=classes).double()
                return [("Recall", (hits / torch.bincount(target, minlength=classes)).numpy())]
