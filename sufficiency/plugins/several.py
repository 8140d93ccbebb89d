"""What a scikit-learn estimator says of several labels an item."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-12


def logits_of_labels(estimator: Any, rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return one logit a label, shape (N, labels): of its probabilities, else its margins, else its decisions."""
    if callable(getattr(estimator, "predict_proba", None)):
        return _logits(_probabilities(estimator, rows))
    if callable(getattr(estimator, "decision_function", None)):
        return np.asarray(estimator.decision_function(rows), dtype=np.float64)
    return _logits(np.asarray(estimator.predict(rows), dtype=np.float64))


def _logits(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.clip(probabilities, _LEAST, 1 - _LEAST)
    logits: NDArray[np.float64] = np.log(kept) - np.log1p(-kept)
    return logits


def _probabilities(estimator: Any, rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return the probability of each label: scikit-learn has one array of all, or one a label of no and yes."""
    told = estimator.predict_proba(rows)
    if not isinstance(told, list):
        return np.asarray(told, dtype=np.float64)
    columns = []
    for of_label, values in zip(told, estimator.classes_, strict=True):
        # A label that all or none of the items had has one column.
        yes = np.flatnonzero(np.asarray(values) == 1)
        columns.append(np.asarray(of_label)[:, yes[0]] if yes.size else np.zeros(len(of_label)))
    return np.stack(columns, axis=1).astype(np.float64)
