"""What in a table may make its figures wrong: identifiers, columns that give the target away."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.description import Remark
from sufficiency.data.tables.columns import Column

_LEAST_ROWS, _MOST_ROWS, _MOST_COLUMNS = 50, 1000, 300
_ALONE = 0.98


def identifiers(columns: Iterable[Column], source: str) -> list[Remark]:
    """Return a warning for each column with another whole number, or another text, in every row."""
    found = []
    for column in columns:
        if len(column) < _LEAST_ROWS or column.missing.any():
            continue
        if column.kind == "number" and column.numbers is not None:
            values = column.numbers
            whole = values.dtype.kind in "iu" or bool((values == np.floor(values)).all())
            unique = whole and len(np.unique(values)) == len(values)
        else:
            codes = () if column.texts is None or column.kind != "category" else column.texts.codes
            unique = len(np.unique(codes)) == len(column)
        if unique:
            found.append(
                Remark(
                    "identifier",
                    f"{source}: the column {column.name!r} has another value in every row, as an identifier has; a "
                    "model can learn rows by heart with it: leave it out with `leave_out`, or group by it",
                )
            )
    return found


def giveaways(columns: Sequence[Column], y: NDArray[Any], task: str, source: str) -> list[Remark]:
    """Return a warning for each column by which alone the target is told, on rows that were held back.

    Notes
    -----
    A small tree is grown on one half of the rows, at most a thousand of them, and asked about the other half.
    """
    if len(y) < _LEAST_ROWS:
        return []
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    rows = np.random.default_rng(0).permutation(len(y))[:_MOST_ROWS]
    learnt, held = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    if task == "classification":
        guess = float(np.bincount(y[held]).max() / len(held))
        tree: Any = DecisionTreeClassifier(min_samples_leaf=2, random_state=0)
    else:
        guess = 0.0
        tree = DecisionTreeRegressor(min_samples_leaf=2, random_state=0)
    found = []
    for column in columns[:_MOST_COLUMNS]:
        x = _one_number(column)[:, None]
        if np.ptp(x[learnt]) == 0:
            continue
        score = float(tree.fit(x[learnt], y[learnt]).score(x[held], y[held]))
        # What is nearly told by guessing must be told nearly without an error to be remarkable.
        if score > guess and score >= 1 - (1 - _ALONE) * (1 - guess):
            what = f"{score:.1%} of held-out rows" if task == "classification" else f"with R² {score:.3f}"
            found.append(
                Remark(
                    "predicts_target",
                    f"{source}: the column {column.name!r} alone tells the target ({what}); if it is known only once "
                    "the target is, leave it out with `leave_out`",
                )
            )
    return found


def _one_number(column: Column) -> NDArray[np.float64]:
    """Return a column as one number a row, by which a tree can tell its values apart."""
    if column.numbers is None:
        return np.asarray(0 if column.texts is None else column.texts.codes, dtype=np.float64) + np.zeros(len(column))
    # Less a value of its own, since trees work in float32.
    return np.asarray(column.numbers - column.numbers[0], dtype=np.float64)
