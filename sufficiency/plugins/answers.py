"""What a classifier answers for the items of a test split: the classes that it decides on, and its scores."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import cached_property

import torch
from torch import Tensor, nn

from sufficiency.plugins.estimators import EstimatorModel
from sufficiency.plugins.margins import ranks
from sufficiency.plugins.unanswered import expect_no_nan

# Not kept: the items may be more than the memory holds.
Batches = Callable[[], Iterable[Tensor]]


class Answers(ABC):
    """The answers to N items, each kind calculated when it is first asked for.

    Attributes
    ----------
    classes : int
        How many there are scores of.
    name : str
        What an error calls the model.
    """

    classes: int
    name: str = "the model"

    @property
    @abstractmethod
    def labels(self) -> Tensor:
        """The classes decided on, shape (N,)."""

    @property
    @abstractmethod
    def scores(self) -> Tensor | None:
        """Numbers in [0, 1] whose order in each column is that of the model, shape (N, classes); None without any."""

    @abstractmethod
    def log_losses(self, target: Tensor) -> Tensor:
        """Return the negative logarithm of the probability of each item's right class, shape (N,).

        Raises
        ------
        TypeError
            When the model gives no probabilities.
        """

    def lacks(self, metric: str, what: str) -> str:
        """Return the sentence that says why a metric cannot be measured."""
        return (
            f"{metric} needs {what}, and {self.name} has none: leave it out of metrics, or wrap the estimator in "
            "CalibratedClassifierCV"
        )


class NetworkAnswers(Answers):
    """Of a network: logits, from which all else follows.

    Raises
    ------
    NoAnswer
        When some are NaN.
    """

    def __init__(self, model: nn.Module, batches: Batches) -> None:
        with torch.inference_mode():
            self._logits = expect_no_nan(torch.cat([model(batch) for batch in batches()]).float().cpu())
            self.classes = self._logits.shape[1]

    @cached_property
    def labels(self) -> Tensor:
        """The largest logit's."""
        return self._logits.argmax(dim=1)

    @cached_property
    def scores(self) -> Tensor | None:
        """The softmax; none of infinite logits, which has no order."""
        scores = self._logits.softmax(dim=1)
        return None if scores.isnan().any() else scores

    def log_losses(self, target: Tensor) -> Tensor:
        """Return the cross-entropy of each item."""
        return nn.functional.cross_entropy(self._logits.double(), target, reduction="none")


class EstimatorAnswers(Answers):
    """Of an estimator: its own `predict`, and its own probabilities or margins.

    Raises
    ------
    TypeError
        For a regressor.
    """

    def __init__(self, model: EstimatorModel, batches: Batches) -> None:
        self.name = type(model.estimator).__name__
        if not model.classifies:
            raise TypeError(
                f"{self.name} answers numbers, and this evaluation measures classes: evaluate it with regression"
            )
        self._model, self._batches, self.classes = model, batches, model.num_classes

    @cached_property
    def labels(self) -> Tensor:
        """What `predict` says."""
        return torch.cat([self._model.predict(batch) for batch in self._batches()])

    @cached_property
    def _probabilities(self) -> Tensor | None:
        parts = [self._model.probabilities(batch) for batch in self._batches()]
        known = [part for part in parts if part is not None]
        return torch.cat(known) if known else None

    @cached_property
    def scores(self) -> Tensor | None:
        """The probabilities, or the ranks of the margins, which have no scale."""
        if self._probabilities is not None:
            # NaN has no place in any order.
            return None if self._probabilities.isnan().any() else self._probabilities.double()
        parts = [self._model.margins(batch) for batch in self._batches()]
        known = [part for part in parts if part is not None]
        # Ranked over all items: a batch's own ranks would not compare with the next one's.
        return torch.from_numpy(ranks(torch.cat(known).numpy())) if known else None

    def log_losses(self, target: Tensor) -> Tensor:
        """Return the log losses as scikit-learn has them: no probability nearer to 0 than its type tells from 1."""
        probabilities = self._probabilities
        if probabilities is None:
            raise TypeError(self.lacks("log_loss", "probabilities, by predict_proba"))
        least = torch.finfo(probabilities.dtype).eps
        of_right = probabilities.gather(1, target[:, None]).clamp(least, 1 - least).double()
        return -of_right.log()


def answers_of(model: nn.Module, batches: Batches) -> Answers:
    """Return what a model answers for the items of the batches, which are asked for whenever they are needed."""
    if isinstance(model, EstimatorModel):
        return EstimatorAnswers(model, batches)
    return NetworkAnswers(model, batches)
