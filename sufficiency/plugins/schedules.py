"""Schedules that a job can name in place of its own sizes."""

from typing import Annotated

import numpy as np
from pydantic import Field

from sufficiency.method.schedule import LEAST_ITEMS, ScheduleError


class Geometric:
    """Sizes in geometric progression up to the whole training split, each a multiple of a batch.

    Parameters
    ----------
    substeps : int
        Steps asked for; fewer come back where neighbouring sizes round to the same multiple.
    multiple_of : int
        Of the batch size: then no step leaves a smaller last batch, which a training that averages each batch counts as
        a whole one.
    first : int
        Smallest size; where it is not given 1 % of the training split, and at least ten items.
    """

    def __init__(
        self,
        substeps: Annotated[int, Field(ge=1, le=10_000)] = 10,
        multiple_of: Annotated[int, Field(ge=1, le=1_000_000)] = 1,
        first: Annotated[int | None, Field(ge=1)] = None,
    ) -> None:
        self.substeps = substeps
        self.multiple_of = multiple_of
        self.first = first

    def get_steps(self, dataset_length: int) -> list[int]:
        """Return the sizes for a training split of so many items.

        Raises
        ------
        ScheduleError
            When the split holds no multiple, or is smaller than the first size.
        """
        if dataset_length < self.multiple_of:
            raise ScheduleError(f"{dataset_length} training items are fewer than multiple_of={self.multiple_of}")
        if self.first is not None and self.first > dataset_length:
            raise ScheduleError(f"first={self.first} is more than the {dataset_length} training items")
        start = self.first or min(dataset_length, max(LEAST_ITEMS, dataset_length // 100))
        wanted = np.geomspace(start, dataset_length, self.substeps).tolist()
        most = dataset_length // self.multiple_of
        # To the nearest multiple: down only at the end, where the split has no more.
        return sorted({self.multiple_of * min(max(1, round(n / self.multiple_of)), most) for n in wanted})
