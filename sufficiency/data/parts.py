"""Some items of somebody's dataset."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class PartOf:
    """Some items of somebody's dataset, as it gives them.

    Attributes
    ----------
    whole : dataset
    rows : ndarray of int64, shape (N,)
        Which of its items there are.
    """

    def __init__(self, whole: Any, rows: NDArray[np.int64]) -> None:
        self.whole, self.rows = whole, rows
        self.metadata = getattr(whole, "metadata", {})

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return self.whole[int(self.rows[index])]
