"""What a classifier's scores and decisions are worth: AUROC, true positives at a rate of false ones, F1; with NumPy.

They are torchmetrics' (`multiclass_auroc`, `multiclass_roc(average="macro")`, `multiclass_f1_score`), which takes
seconds to be imported and several times as long to answer, most of it in checks of its arguments.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]
Classes = NDArray[np.int64]


def auroc(scores: Scores, target: Classes) -> float:
    """Return the area under the ROC curve, averaged over the classes that some items belong to and others do not.

    NaN where there is no such class, or a score is none, for it has no place in any order.
    """
    if np.isnan(scores).any():
        return math.nan
    areas = [float(np.trapezoid(tp, fp)) / (int(fp[-1]) * int(tp[-1])) for fp, tp in _curves(scores, target)]
    return float(np.mean(areas)) if areas else math.nan


def tpr_at(rate: float, scores: Scores, target: Classes) -> float:
    """Return the true positive rate of the macro-averaged ROC curve's point nearest to a false positive rate.

    Notes
    -----
    The curve is ``multiclass_roc(average="macro")``'s, to the last bit of its single precision, which decides between
    two points that lie equally near. It is read at this one point: to make all of it takes memory in the square of the
    number of items, gigabytes for five thousand.
    """
    if np.isnan(scores).any():
        return math.nan
    chosen = [(_shares(fp), _shares(tp)) for fp, tp in _curves(scores, target)]
    if not chosen:
        return math.nan
    grid = np.sort(np.concatenate([fpr for fpr, _ in chosen]))
    at = grid[np.abs(grid - np.float32(rate)).argmin()]
    total = np.float32(0)
    for fpr, tpr in chosen:
        left = min(max(int(np.searchsorted(fpr, at, side="right")) - 1, 0), len(fpr) - 2)
        run = fpr[left + 1] - fpr[left]
        slope = (tpr[left + 1] - tpr[left]) / run if run > 0 else np.float32(0)
        total += slope * at + (tpr[left] - slope * fpr[left])
    return float(total / np.float32(len(chosen)))


def f1(decided: Classes, target: Classes, classes: int) -> float:
    """Return the mean F1 over the classes that some item belongs to or was taken for."""
    hits, told, there = (np.bincount(of, minlength=classes) for of in (target[decided == target], decided, target))
    concerned = told + there > 0
    return float(np.mean(2 * hits[concerned] / (told + there)[concerned]))


def _curves(scores: Scores, target: Classes) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield for each class with a curve how many items of others, and of its own, score at least each threshold."""
    counts = np.bincount(target, minlength=scores.shape[1])
    for k in np.flatnonzero((counts > 0) & (counts < len(target))):
        order = np.argsort(-scores[:, k], kind="stable")
        falling = scores[order, k]
        ends = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(target) - 1)
        own = np.cumsum(target[order] == k)[ends]
        yield np.append(0, 1 + ends - own), np.append(0, own)


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    return counts.astype(np.float32) / np.float32(counts[-1])
