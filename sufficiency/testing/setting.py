"""What plugins are tried with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sufficiency.data.arrays import ArrayDataset
from sufficiency.plugins.models import MLP
from sufficiency.training.registry import DatasetContext
from sufficiency.training.repeatable import seed_everything

ITEMS, KEPT = 60, 40


@dataclass(frozen=True)
class Setting:
    """What the plugins are tried with.

    Attributes
    ----------
    train, test : Dataset
    context : DatasetContext
    model : callable or None
        Makes an untrained model for the strategies; None is a small network.
    params : mapping
        Of the plugin that is checked.
    """

    train: Any
    test: Any
    context: DatasetContext
    model: Callable[[], Any] | None = None
    params: Mapping[str, Any] | None = None

    def fresh_model(self, seed: int = 0) -> Any:
        """Return an untrained model, the same for the same seed."""
        seed_everything(np.random.SeedSequence(entropy=seed))
        if self.model is not None:
            return self.model()
        return MLP(self.context.input_shape, self.context.num_classes or 1, hidden=[8])

    def same(self, first: Any, second: Any) -> bool:
        """Tell whether two models have the same weights, or, where these cannot be seen, give the same answers."""
        ours, theirs = weights(first), weights(second)
        if ours is not None and theirs is not None:
            return ours.keys() == theirs.keys() and all(
                np.array_equal(ours[k], theirs[k], equal_nan=True) for k in ours
            )
        return np.array_equal(self._answers(first), self._answers(second))

    def _answers(self, model: Any) -> NDArray[Any]:
        try:
            with torch.no_grad():
                return np.asarray(model(self.batch()))
        except Exception:  # an estimator that is not fitted yet has none
            return np.empty(0)

    def batch(self) -> torch.Tensor:
        """Return four training inputs."""
        return torch.stack([torch.as_tensor(np.asarray(self.train[k][0])) for k in range(4)])


def sample_setting(
    shape: Sequence[int] = (1, 8, 8),
    classes: int = 3,
    *,
    model: Callable[[], Any] | None = None,
    several: bool = False,
    **more: Any,
) -> Setting:
    """Return random items with a class that can be learnt, or several labels, or a number where there are 0 classes."""
    train, test = (_sample(shape, classes, seed, several) for seed in (0, 1))
    return Setting(train, test, DatasetContext(tuple(shape), classes or 1), model, **more)


SAMPLE = "the sample"


def for_tasks(setting: Setting, tasks: Sequence[str]) -> Setting:
    """Return a setting whose random items are for one of the tasks; one with a dataset of somebody's own as it is."""
    of = getattr(setting.train, "task", None)
    if not tasks or of in tasks or getattr(setting.train, "source", "") != SAMPLE:
        return setting
    known = [task for task in ("classification", "regression", "multilabel") if task in tasks]
    if not known:
        return setting
    shape, classes = setting.context.input_shape, setting.context.num_classes
    classes = 0 if known[0] == "regression" else classes if of != "regression" else 3
    more = {"model": setting.model, "params": setting.params}
    return sample_setting(shape, classes, several=known[0] == "multilabel", **more)  # type: ignore[arg-type]


def _sample(shape: Sequence[int], classes: int, seed: int, several: bool) -> ArrayDataset:
    generator = np.random.default_rng(seed)
    if not classes:
        x = generator.random((ITEMS, *shape))
        return ArrayDataset(x, 3 + x.reshape(ITEMS, -1).mean(axis=1), None, SAMPLE)
    if several:
        labels = generator.random((ITEMS, classes)) < 0.5
        labels[:2] = np.eye(2, classes)  # each of the first two has an item with it and one without
        x = generator.random((ITEMS, *shape)) * 0.5 + (labels.mean(axis=1) / 2).reshape(-1, *(1 for _ in shape))
        return ArrayDataset(x, labels, [str(k) for k in range(classes)], SAMPLE)
    y = np.arange(ITEMS) % classes
    x = generator.random((ITEMS, *shape)) * 0.5 + (y / (2 * classes)).reshape(-1, *(1 for _ in shape))
    return ArrayDataset(x, y, [str(k) for k in range(classes)], SAMPLE)


def weights(model: Any) -> dict[str, NDArray[Any]] | None:
    """Return a copy of what a model has learnt, or None where that cannot be seen."""
    if callable(state := getattr(model, "state_dict", None)) and (entries := state()):
        return {
            str(key): value.detach().cpu().numpy().copy() for key, value in entries.items() if hasattr(value, "cpu")
        }
    return None
