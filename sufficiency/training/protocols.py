"""What a plugin must look like: DataEval's structural protocols, so that its users' classes run as they are."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Dataset(Protocol):
    """A sized, indexable collection of items; image classification items are ``(image, one-hot label, metadata)``."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class TrainingStrategy(Protocol):
    """Trains a model in place on the items of a dataset that the indices name."""

    def train(self, model: Any, dataset: Any, indices: Any, /) -> Any: ...


class EvaluationStrategy(Protocol):
    """Measures a trained model on the whole test split; a value is a scalar or one number a class."""

    def evaluate(self, model: Any, dataset: Any, /) -> Mapping[str, Any]: ...


class ResetStrategy(Protocol):
    """Returns the model with fresh parameters."""

    def __call__(self, model: Any, /) -> Any: ...


class Schedule(Protocol):
    """Names the training-set sizes to measure, for a training split of the given length."""

    def get_steps(self, dataset_length: int, /) -> Sequence[int]: ...
