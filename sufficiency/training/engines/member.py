"""One cell of a stack: its model, its items, and the order in which they come."""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sufficiency.schemas.work import UnitCell
from sufficiency.training.losses import Course


class Member:
    """A cell that is trained together with others; made when its model has just been drawn from the cell's seed.

    Parameters
    ----------
    cell : UnitCell
    indices : list of int
        Its items.
    model : nn.Module
    epochs, batches : int
        How often it goes through them, and in how many batches each time.

    Attributes
    ----------
    seconds : float
        Its share of the time that the stack has taken.
    course : Course
        Of its loss.
    """

    def __init__(self, cell: UnitCell, indices: list[int], model: Any, epochs: int, batches: int) -> None:
        self.cell, self.indices, self.model = cell, indices, model
        self.batches, self.steps = batches, epochs * batches
        self.seconds = 0.0
        self.course = Course()
        # What is drawn next goes on from where drawing the model has left the generators.
        self._others = random.getstate(), np.random.get_state()  # noqa: NPY002  (plugins draw from it)
        self._generator = torch.Generator()
        self._generator.set_state(torch.get_rng_state())
        self._rest: Tensor | None = None

    @property
    def items(self) -> int:
        """How many it has."""
        return len(self.indices)

    def next_batches(self, count: int, width: int) -> tuple[Tensor, Tensor]:
        """Return so many batches: places of their items among its own, −1 where there is none; and their sizes."""
        parts, there = [], 0
        while there < count:
            if self._rest is None or not len(self._rest):
                self._rest = self._epoch(width)
            part, self._rest = self._rest[: count - there], self._rest[count - there :]
            parts.append(part)
            there += len(part)
        places = torch.cat(parts)
        return places, (places >= 0).sum(dim=1)

    def _epoch(self, width: int) -> Tensor:
        order = torch.randperm(self.items, generator=self._generator)
        places = torch.full((self.batches * width,), -1)
        places[: self.items] = order
        return places.reshape(self.batches, width)

    def seed_what_follows(self) -> None:
        """Have the generators where its training, had it been alone, would have left them."""
        random.setstate(self._others[0])
        np.random.set_state(self._others[1])  # noqa: NPY002
        torch.set_rng_state(self._generator.get_state())
