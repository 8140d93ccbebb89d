"""What float32 cannot hold: numbers far from zero for what they vary, and numbers too small for it.

A model is given float32. Seconds since 1970 become multiples of 128 in it, so that what happened within a minute
becomes one value. Such a feature is moved by the training split's median before it is cast, one too small multiplied.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.description import Remark

# Of the middle half's width. What is standardised hides a move, so there less is lost before one is made.
TOLERATED, TOLERATED_STANDARDISED = 1e-3, 1e-4
_NOTICED = 1e-6
_MERGED = 0.01
_SAMPLE_ROWS, _SAMPLE_VALUES = 4096, 4_000_000
_TARGET_TOLERATED = 1e-4
_SMALLEST = 1e-30


@dataclass(frozen=True)
class Move:
    """How a feature is brought to where float32 holds it: ``(value - offset) * factor``."""

    offset: float | int
    factor: float = 1.0

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the moved values."""
        # Whole numbers beyond 2**53 are told apart only as long as they are whole.
        moved = values - np.int64(self.offset) if values.dtype.kind in "iu" else np.subtract(values, self.offset)
        return np.asarray(moved, dtype=np.float64) * self.factor


@dataclass(frozen=True)
class OneFeature:
    """A single feature, as items of one number: shape (N, 1)."""

    values: NDArray[Any]

    def __len__(self) -> int:
        return len(self.values)

    def exact(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return these items."""
        return self.values[rows]

    def feature(self, place: int) -> NDArray[Any]:
        """Return the numbers, shape (N,)."""
        return self.values[:, place]


def may_lose(dtype: np.dtype[Any]) -> bool:
    """Return whether float32 lacks some values of a type."""
    return dtype.kind in "iuf" and not np.can_cast(dtype, np.float32)


def spread_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the width of the middle half of each column, shape (N, F) to (F,); of all of it where that is 0."""
    low, high = np.percentile(values, [25, 75], axis=0)
    return np.asarray(np.where(high > low, high - low, np.ptp(values, axis=0)), dtype=np.float64)


def target_in_float32(y: NDArray[np.float64]) -> bool:
    """Return whether float32 holds numbers to be predicted without a loss that an error would show."""
    if not len(y):
        return True
    lost = float(np.abs(y - y.astype(np.float32)).max())
    return lost <= _TARGET_TOLERATED * float(spread_of(y[:, None])[0])


def moves_for(items: Any, tolerated: float = TOLERATED) -> dict[int, Move]:
    """Return how the features that float32 does not hold are to be moved, by their place in an item.

    Parameters
    ----------
    items : StoredItems
        The training split: what is learnt of the test split must not move it.
    tolerated : float
        Error by rounding, as a share of the middle half's width.
    """
    features = items.exact(np.arange(1)).size
    rows = min(len(items), _SAMPLE_ROWS, max(64, _SAMPLE_VALUES // max(1, features)))
    sample = items.exact(np.linspace(0, len(items) - 1, rows).astype(np.int64)).reshape(rows, -1)
    if not may_lose(sample.dtype):
        return {}
    part = sample.astype(np.float64)
    spread, lost = spread_of(part), _rounding(part)
    moves = {}
    for k in np.flatnonzero((spread > 0) & (lost > _NOTICED * spread)).tolist():
        move = _move_of(sample[:, k], float(spread[k]))
        if _rounding(move(sample[:, k])[:, None])[0] > lost[k] * abs(move.factor) / 4:
            continue  # wide rather than far: no move helps
        if lost[k] > tolerated * spread[k] or _merges(items.feature(k)):
            moves[k] = _move_of(items.feature(k), float(spread[k]))
    return moves


def remark_on(moves: Mapping[int, Move], names: Sequence[str], what: str) -> Remark:
    """Return the sentence that says what was moved by how much."""
    named = [
        f"{names[k] if k < len(names) else k!r} ({_said(move)})" for k, move in list(moves.items())[:MOST_MOVES_NAMED]
    ]
    more = f" and {len(moves) - len(named)} more" if len(moves) > len(named) else ""
    return Remark(
        "moved_for_precision",
        f"{what}: float32 would not tell apart all values of {', '.join(named)}{more}; the model is given them so",
    )


MOST_MOVES_NAMED = 10


def _said(move: Move) -> str:
    offset = int(move.offset) if float(move.offset).is_integer() else move.offset
    by = f"less {offset!r}, the training split's median"
    return by if move.factor == 1 else f"{by}, times {move.factor:g}"


def _rounding(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the error of most values of each column in float32; a lone outlier's says little of the others."""
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs(values - values.astype(np.float32))
    return np.asarray(np.percentile(error, 90, axis=0), dtype=np.float64)


def _merges(column: NDArray[Any]) -> bool:
    return len(np.unique(column.astype(np.float32))) < (1 - _MERGED) * len(np.unique(column))


def _move_of(column: NDArray[Any], spread: float) -> Move:
    ordered = np.sort(column)
    # One of the values, so that whole numbers stay whole.
    offset = ordered[(len(ordered) - 1) // 2].item()
    return Move(offset, 10.0 ** -np.floor(np.log10(spread)) if spread < _SMALLEST else 1.0)
