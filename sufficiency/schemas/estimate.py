"""A metric's value with its standard error, as an evaluation may return it."""

from typing import Any, SupportsFloat


class Measured(float):
    """A number that a model was measured to have, and how far the test split's own chance may put it off.

    It is a float in every other respect, so that it can stand wherever an evaluation returns one:
    ``{"AUROC": Measured(0.91, se=0.012)}``.

    Parameters
    ----------
    value : float
    se : float
        Standard deviation that the value would have over test splits of as many items, the model being the same; NaN
        where it cannot be told.
    """

    __slots__ = ("se",)

    se: float

    def __new__(cls, value: SupportsFloat, se: SupportsFloat) -> "Measured":
        made = super().__new__(cls, value)
        made.se = float(se)
        return made

    def __repr__(self) -> str:
        return f"Measured({float(self)!r}, se={self.se!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (float(self), self.se)
