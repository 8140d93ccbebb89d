"""scikit-learn estimators as models: `fit` trains them, and they answer as a network would."""

import inspect
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sufficiency.data.foreign import materialise

_LEAST = 1e-12


class EstimatorModel(nn.Module):
    """An estimator that is called like a network: it returns log-probabilities, or numbers where it is a regressor.

    Parameters
    ----------
    estimator : estimator
        With `fit` and `predict`; a classifier's `predict_proba` or `decision_function` is used where it has one.
    num_classes : int
        Of the dataset: a small subset may lack some of them, and the estimator then knows fewer.
    """

    def __init__(self, estimator: Any, num_classes: int) -> None:
        super().__init__()
        if not (callable(getattr(estimator, "fit", None)) and callable(getattr(estimator, "predict", None))):
            raise TypeError(f"{type(estimator).__name__} is no estimator: it needs fit() and predict()")
        self.estimator = estimator
        self.num_classes = num_classes
        self._exact = False  # whether it was fitted to targets that only float64 holds

    def fit(self, x: NDArray[np.float32], y: NDArray[Any]) -> None:
        """Fit the estimator, from nothing, to items of any shape."""
        from sklearn.base import clone

        self.estimator = clone(self.estimator)
        self._exact = y.dtype == np.float64
        self.estimator.fit(self._rows(x), y)

    def _rows(self, x: NDArray[np.float32]) -> NDArray[Any]:
        # Many estimators cast their targets, and answer, in the type of their items.
        return x.reshape(len(x), -1).astype(np.float64 if self._exact else np.float32, copy=False)

    def reset_parameters(self) -> None:
        """Forget what was learnt."""
        from sklearn.base import clone

        self.estimator = clone(self.estimator)

    def forward(self, x: Tensor) -> Tensor:
        """Return log-probabilities, shape (N, classes), or numbers, shape (N, 1)."""
        rows = self._rows(x.detach().cpu().numpy())
        known = getattr(self.estimator, "classes_", None)
        if known is None:
            answers = np.asarray(self.estimator.predict(rows), dtype=np.float64).reshape(-1, 1)
            return torch.from_numpy(answers).to(x.device, torch.float64 if self._exact else torch.float32)
        scores = np.full((len(rows), self.num_classes), math.log(_LEAST))
        scores[:, np.asarray(known, dtype=np.int64)] = _log_probabilities(self.estimator, rows)
        return torch.from_numpy(scores).float().to(x.device)


def _log_probabilities(estimator: Any, rows: NDArray[np.float32]) -> Any:
    if hasattr(estimator, "predict_proba"):
        return np.log(np.clip(np.asarray(estimator.predict_proba(rows), dtype=np.float64), _LEAST, 1.0))
    classes = estimator.classes_
    if hasattr(estimator, "decision_function"):
        margins = np.asarray(estimator.decision_function(rows), dtype=np.float64)
        if margins.ndim == 1:  # two classes have one margin between them
            margins = np.stack([-margins, margins], axis=1) / 2
        return np.asarray(margins - np.logaddexp.reduce(margins, axis=1, keepdims=True), dtype=np.float64)
    answers = np.asarray(estimator.predict(rows))[:, None] == np.asarray(classes)[None]
    return np.log(np.clip(answers.astype(np.float64), _LEAST, 1.0))


def sklearn_model(num_classes: int, estimator: str, settings: dict[str, Any] = {}) -> EstimatorModel:  # noqa: B006
    """One of scikit-learn's classifiers or regressors by its name; train it with fit-estimator.

    Parameters
    ----------
    estimator : str
        Its class: RandomForestClassifier, LogisticRegression, Ridge, …
    settings : dict
        Parameters of its constructor.
    """
    from sklearn.utils import all_estimators

    # By name out of scikit-learn's own list: a job must not name code to be imported.
    known = dict(all_estimators(type_filter=["classifier", "regressor"]))
    if estimator not in known:
        import difflib

        near = difflib.get_close_matches(estimator, known, n=3, cutoff=0.4) or sorted(known)[:5]
        raise ValueError(f"scikit-learn has no classifier or regressor {estimator!r}; nearest: {', '.join(near)}")
    names = [name for name in inspect.signature(known[estimator]).parameters if name not in ("args", "kwargs")]
    if wrong := [name for name in settings if name not in names]:
        raise ValueError(f"{estimator} has no parameter {wrong[0]!r}; it has {', '.join(names)}")
    return EstimatorModel(known[estimator](**settings), num_classes)


class FitEstimator:
    """Fit a scikit-learn estimator to the subset, all of it at once."""

    def train(self, model: Any, dataset: Any, indices: Sequence[int]) -> None:
        """Fit `model` to the items that `indices` names."""
        if not isinstance(model, EstimatorModel):
            raise TypeError(
                f"fit-estimator trains scikit-learn estimators, not {type(model).__name__}; use the model sklearn, or "
                "wrap an estimator of yours: EstimatorModel(estimator, num_classes)"
            )
        arrays = materialise(dataset)
        rows = np.asarray(indices, dtype=np.int64)
        model.fit(arrays.take(rows), arrays.y[rows])
