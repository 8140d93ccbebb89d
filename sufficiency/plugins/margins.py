"""What a decision function says of each class against the rest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def one_against_rest(own: Any, classes: int, estimator: Any) -> NDArray[Any]:
    """Return margins of shape (N, classes), from what a `decision_function` returned.

    Parameters
    ----------
    own : array_like, shape (N,), (N, classes) or (N, pairs of classes)
        One margin between two classes, one a class, or one a pair of classes (`decision_function_shape="ovo"`).
    classes : int
        How many the estimator knows.
    estimator : estimator
        Asked which of the two it is where three classes have three pairs.

    Notes
    -----
    Pairs become the number of votes of each class, and within one vote the sum of its margins, as scikit-learn's own
    `decision_function_shape="ovr"` has it.
    """
    margins = np.asarray(own, dtype=np.float64)
    if margins.ndim == 1:
        return np.stack([-margins, margins], axis=1) / 2 if classes == 2 else margins[:, None]
    pairs = classes * (classes - 1) // 2
    if margins.shape[1] != pairs or classes < 3 or (pairs == classes and not _votes_in_pairs(estimator)):
        return margins
    votes, sums = np.zeros((2, len(margins), classes))
    for column, (first, second) in zip(
        margins.T, ((i, j) for i in range(classes) for j in range(i + 1, classes)), strict=True
    ):
        sums[:, first] += column
        sums[:, second] -= column
        votes[np.arange(len(margins)), np.where(column < 0, second, first)] += 1
    combined: NDArray[np.float64] = votes + sums / (3 * (np.abs(sums) + 1))
    return combined


def _votes_in_pairs(estimator: Any) -> bool:
    """Look for it in the estimator that answers in the end: of a pipeline the last, of a search the best."""
    for _ in range(10):  # deeper than anybody nests
        if hasattr(estimator, "decision_function_shape"):
            return bool(estimator.decision_function_shape == "ovo")
        if steps := getattr(estimator, "steps", None):
            estimator = steps[-1][1]
        elif (inner := getattr(estimator, "best_estimator_", getattr(estimator, "estimator_", None))) is not None:
            estimator = inner
        else:
            break
    return False


def ranks(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Return scores of any scale, column by column, in (0, 1], in the same order and with the same ties."""
    from scipy.stats import rankdata  # scikit-learn has loaded it by then; a trainer starts a second sooner without

    return np.asarray(rankdata(scores, axis=0) / len(scores), dtype=np.float64)
