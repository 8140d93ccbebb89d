"""What is the same for all curves over the same sizes is made once for all metrics of a job."""

from collections.abc import Callable, Hashable
from functools import lru_cache, wraps
from typing import TypeVarTuple

import numpy as np

from sufficiency.method.curve import Array

R = TypeVarTuple("R")
# Of each function, for so many sets of sizes; some 100 kB each of the largest.
_MOST = 64


def by_sizes(made_of: Callable[[Array, *R], tuple[Array, ...]]) -> Callable[[Array, *R], tuple[Array, ...]]:
    """Return a function of sizes, and of what else can be hashed, that remembers what it made of those asked for last.

    What it returns cannot be written into.
    """

    @lru_cache(maxsize=_MOST)
    def made(sizes: bytes, *rest: Hashable) -> tuple[Array, ...]:
        arrays = made_of(np.frombuffer(sizes), *rest)  # type: ignore[arg-type]
        for array in arrays:
            array.flags.writeable = False
        return arrays

    @wraps(made_of)
    def remembered(sizes: Array, *rest: *R) -> tuple[Array, ...]:
        return made(sizes.tobytes(), *rest)

    return remembered
