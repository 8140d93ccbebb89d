"""A metric's value with its standard error, as an evaluation may return it."""

import math
from typing import Any, SupportsFloat


class Measured(float):
    """A number that a model was measured to have, how far chance may put it off, and which items it was right about.

    It is a float in every other respect, so that it can stand wherever an evaluation returns one:
    ``{"AUROC": Measured(0.91, se=0.012)}``, ``{"Accuracy": Measured(right.mean(), correct=right)}``.

    Parameters
    ----------
    value : float
    se : float
        Standard deviation that the value would have over test splits of as many items, the model being the same; NaN
        where it cannot be told.
    correct : array of bool, shape (items,), optional
        Of a share of the test items: which of them count towards it, in the order of the test split. It is kept, a bit
        an item, so that models measured on the same test split are compared item by item.
    """

    __slots__ = ("correct", "se")

    se: float
    correct: Any

    def __new__(cls, value: SupportsFloat, se: SupportsFloat = math.nan, correct: Any = None) -> "Measured":
        made = super().__new__(cls, value)
        made.se = float(se)
        made.correct = correct
        return made

    def __repr__(self) -> str:
        marked = "" if self.correct is None else f", correct={len(self.correct)} items"
        return f"Measured({float(self)!r}, se={self.se!r}{marked})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (float(self), self.se, self.correct)
