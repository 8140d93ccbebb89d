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
from sufficiency.plugins.fitted_before import look_for_fitted
from sufficiency.plugins.margins import one_against_rest
from sufficiency.plugins.several import logits_of_labels
from sufficiency.plugins.sklearn_names import TASKS

# A job is measured with one version: 0.2.0 takes labels from `predict`, and scores as the estimator gives them.
__version__ = "0.2.0"

_LEAST = 1e-12
_UNSUPERVISED = {
    "clusterer": "a clusterer",
    "outlier_detector": "an outlier detector",
    "density_estimator": "an estimator of densities",
}


def is_estimator(model: Any) -> bool:
    """Return whether something can be fitted and asked, as scikit-learn's estimators can.

    Notes
    -----
    Some have `predict` once they are fitted only, such as a StackingClassifier whose last estimator is the default
    (scikit-learn 1.9); their class has it before. A class alone is none: what it defines cannot be called yet.
    """
    if isinstance(model, type):
        return False
    return callable(getattr(model, "fit", None)) and any(
        callable(getattr(one, "predict", None)) for one in (model, type(model))
    )


class EstimatorModel(nn.Module):
    """An estimator that is called like a network: it returns log-probabilities, or numbers where it is a regressor.

    What it decides is the estimator's own `predict`: the largest score need not be it (a threshold that was moved, the
    votes of pairs of classes, priors).

    Parameters
    ----------
    estimator : estimator
        With `fit` and `predict`; a classifier's `predict_proba` or `decision_function` is used where it has one.
    num_classes : int
        Of the dataset: a small subset may lack some of them, and the estimator then knows fewer.
    """

    def __init__(self, estimator: Any, num_classes: int) -> None:
        super().__init__()
        if not is_estimator(estimator):
            if isinstance(estimator, type):
                raise TypeError(f"{estimator.__name__} is a class: give an estimator of it, {estimator.__name__}(…)")
            raise TypeError(f"{type(estimator).__name__} is no estimator: it needs fit() and predict()")
        self.estimator = estimator
        self.num_classes = num_classes
        self._exact = False  # whether it was fitted to targets that only float64 holds
        self._labels: NDArray[np.int64] | None = None  # what it was fitted to, where these are classes
        self._numbered_anew = False  # whether it knows them as 0 … k−1
        self._several = False  # whether items have several labels

    def fit(self, x: NDArray[np.float32], y: NDArray[Any]) -> None:
        """Fit the estimator, from nothing, to items of any shape.

        Raises
        ------
        TypeError
            When it is a classifier and the targets are numbers, when it cannot be asked once it is fitted, and when a
            part of it is to have been fitted before.

        Warns
        -----
        FittedBefore
            Where a part of it was, and stays so.

        Notes
        -----
        An estimator that refuses labels with a gap is given them as 0 … k−1, and what it answers is given back its
        labels; one that takes them keeps them, since its parameters may name them (`class_weight`).
        """
        self.reset_parameters()
        look_for_fitted(self.estimator)
        self._exact = y.dtype == np.float64
        self._fit(self._rows(x), y)
        if not callable(getattr(self.estimator, "predict", None)):
            raise TypeError(
                f"{type(self.estimator).__name__} has no predict() once it is fitted: a pipeline must end in a "
                "classifier or a regressor, and a search must fit the best it has found (refit=True)"
            )

    def _fit(self, rows: NDArray[Any], y: NDArray[Any]) -> None:
        if y.ndim == 2:
            self.expect("multilabel")
            self._several = True
            self.estimator.fit(rows, y.astype(np.int64))
            return
        if y.dtype.kind == "f":
            self.expect("regression")
            self.estimator.fit(rows, y)
            return
        self._labels = np.unique(y).astype(np.int64)
        has_gap = not np.array_equal(self._labels, np.arange(len(self._labels)))
        try:
            self.estimator.fit(rows, y)
        except Exception as refused:
            if not has_gap:
                raise
            self.estimator = _fresh(self.estimator)
            try:
                self.estimator.fit(rows, np.searchsorted(self._labels, y))
            except Exception:
                raise refused from None  # the gap was not what it minded
            self._numbered_anew = True

    def expect(self, task: str) -> None:
        """Look whether the estimator is for a task, as far as it says.

        Raises
        ------
        TypeError
        """
        name = type(self.estimator).__name__
        if (kind := _no_supervised(self.estimator)) is not None:
            raise TypeError(
                f"{name} is {kind}: it does not learn the dataset's targets; use a classifier or a regressor"
            )
        if task == "regression" and _is("classifier", self.estimator):
            raise TypeError(f"{name} is a classifier, and the dataset's targets are numbers: use a regressor")
        if task == "multilabel" and _is("regressor", self.estimator):
            raise TypeError(f"{name} is a regressor, and the dataset's items have several labels: use a classifier")
        if task == "classification" and _is("regressor", self.estimator):
            raise TypeError(f"{name} is a regressor, and the dataset's targets are classes: use a classifier")

    def _rows(self, x: NDArray[np.float32]) -> NDArray[Any]:
        # Many estimators cast their targets, and answer, in the type of their items.
        return x.reshape(len(x), -1).astype(np.float64 if self._exact else np.float32, copy=False)

    def reset_parameters(self) -> None:
        """Forget what was learnt."""
        self.estimator = _fresh(self.estimator)
        self._labels, self._numbered_anew, self._several = None, False, False

    @property
    def classifies(self) -> bool:
        """Whether it was fitted to classes, and is no regressor."""
        return self._labels is not None and not _is("regressor", self.estimator)

    @property
    def _known(self) -> NDArray[np.int64]:
        """The classes that it knows, in the order of its scores."""
        assert self._labels is not None
        own = getattr(self.estimator, "classes_", None)
        if own is None:
            return self._labels
        own = np.asarray(own).astype(np.int64)
        return self._labels[own] if self._numbered_anew else own

    def predict(self, x: Tensor) -> Tensor:
        """Return what the estimator itself answers, shape (N,): classes as int64, or numbers as float64.

        Where items have several labels, 0 or 1 for each, shape (N, labels).
        """
        answers = np.asarray(self.estimator.predict(self._rows(x.detach().cpu().numpy())))
        if self._several:
            return torch.from_numpy(answers.astype(np.int64))
        if not self.classifies:
            return torch.from_numpy(answers.astype(np.float64).reshape(-1))
        labels = answers.reshape(len(x), -1)[:, 0].astype(np.int64)  # some libraries answer in a column
        assert self._labels is not None
        return torch.from_numpy(self._labels[labels] if self._numbered_anew else labels)

    def probabilities(self, x: Tensor) -> Tensor | None:
        """Return the estimator's own, shape (N, classes), 0 for classes that it does not know; None if it has none."""
        if not callable(getattr(self.estimator, "predict_proba", None)):
            return None
        own = np.asarray(self.estimator.predict_proba(self._rows(x.detach().cpu().numpy())))
        return torch.from_numpy(self._of_all_classes(own, 0.0))

    def margins(self, x: Tensor) -> Tensor | None:
        """Return the estimator's `decision_function`, each class against the rest, shape (N, classes), or None.

        Classes that it does not know have −∞.
        """
        if not callable(getattr(self.estimator, "decision_function", None)):
            return None
        own = self.estimator.decision_function(self._rows(x.detach().cpu().numpy()))
        return torch.from_numpy(self._of_all_classes(one_against_rest(own, len(self._known), self.estimator), -np.inf))

    def _of_all_classes(self, own: NDArray[Any], otherwise: float) -> NDArray[Any]:
        known = self._known
        if own.ndim != 2 or own.shape[1] != len(known):
            name = type(self.estimator).__name__
            raise ValueError(f"{name} gave scores of shape {own.shape} for the {len(known)} classes that it knows")
        scores = np.full((len(own), self.num_classes), otherwise, own.dtype)
        scores[:, known] = own
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """Return log-probabilities, or logits of several labels, shape (N, classes); or numbers, shape (N, 1)."""
        if self._several:
            logits = logits_of_labels(self.estimator, self._rows(x.detach().cpu().numpy()))
            return torch.from_numpy(logits).float().to(x.device)
        if not self.classifies:
            return self.predict(x).reshape(-1, 1).to(x.device, torch.float64 if self._exact else torch.float32)
        if (probabilities := self.probabilities(x)) is not None:
            scores = probabilities.double().clamp(_LEAST, 1.0).log()
        elif (margins := self.margins(x)) is not None:
            scores = margins.double().log_softmax(dim=1).clamp(min=math.log(_LEAST))
        else:
            decided = nn.functional.one_hot(self.predict(x), self.num_classes)
            scores = decided.double().clamp(_LEAST, 1.0).log()
        return scores.float().to(x.device)


def _fresh(estimator: Any) -> Any:
    from sklearn.base import clone

    return clone(estimator, safe=False)  # copied where it is of a library that has no get_params()


def _is(kind: str, estimator: Any) -> bool:
    from sklearn.base import is_classifier, is_regressor

    try:
        return bool((is_classifier if kind == "classifier" else is_regressor)(estimator))
    except Exception:  # of a library that has no tags: it does not say
        return False


def _no_supervised(estimator: Any) -> str | None:
    """Return what an estimator is that learns nothing from targets; None where it does, or does not say."""
    try:
        from sklearn.utils import get_tags

        kind = get_tags(estimator).estimator_type
    except Exception:  # of a library that has no tags
        return None
    return _UNSUPERVISED.get(kind)


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


# What it is for goes by the estimator.
sklearn_model.tasks = ("classification", "regression", "multilabel")  # type: ignore[attr-defined]
sklearn_model.tasks_by = {"param": "estimator", "tasks": TASKS}  # type: ignore[attr-defined]


class FitEstimator:
    """Fit a scikit-learn estimator to the subset, all of it at once."""

    tasks = ("classification", "regression", "multilabel")
    trains = ("estimator",)

    def adopt(self, model: Any, dataset: Any) -> Any:
        """Return a bare estimator, a pipeline for instance, as a model of the dataset's classes; any other as it is."""
        if isinstance(model, nn.Module) or not is_estimator(model):
            return model
        return EstimatorModel(model, len(materialise(dataset).class_names) or 1)

    def check_model(self, model: Any, dataset: Any) -> None:
        """Look whether the estimator is of the kind that the dataset's targets ask for."""
        if isinstance(model, EstimatorModel):
            model.expect(materialise(dataset).task)

    def train(self, model: Any, dataset: Any, indices: Sequence[int]) -> None:
        """Fit `model` to the items that `indices` names."""
        if not isinstance(model, EstimatorModel):
            raise TypeError(
                f"fit-estimator trains estimators, which have fit() and predict(), not {type(model).__name__}; use the "
                "model sklearn, or an estimator of yours, bare or as EstimatorModel(estimator, num_classes)"
            )
        arrays = materialise(dataset)
        # As they stand in the set, not as they were drawn: what learns item by item (Perceptron, SGD, MLP) then learns
        # from the whole split what it learns from it outside.
        rows = np.sort(np.asarray(indices, dtype=np.int64))
        model.fit(arrays.take(rows), arrays.y[rows])
