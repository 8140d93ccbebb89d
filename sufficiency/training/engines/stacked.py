"""Trains the models of several cells at once, each with its own subset, batches, order and weights.

A cell's model is drawn, and its batches are, from the cell's own seed as if it were alone: what differs from the
sequential engine is how a sum is rounded. Cells that are shorter leave the stack when they have ended, and are measured
then.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

from sufficiency.data.tensors import tensors
from sufficiency.plugins.training import ItemwiseDescent
from sufficiency.plugins.updates import Updates
from sufficiency.schemas.work import UnitCell
from sufficiency.training.details import Watched, details_of, watched
from sufficiency.training.engines.choosing import first_items, models_at_once
from sufficiency.training.engines.member import Member
from sufficiency.training.engines.single import Cells, measure_each
from sufficiency.training.engines.stack import Stack
from sufficiency.training.faults import Fault, describe
from sufficiency.training.tries import is_of_a_cell
from sufficiency.training.unit import Recorder, Study

# Batches are put together for many steps at a time.
T = TypeVar("T")

STEPS_AT_ONCE, INDICES_AT_ONCE, BLOCKS_AT_ONCE = 256, 2**20, 16


def measure_together(of: Cells, recorder: Recorder, told: dict[str, Any]) -> None:
    """Measure the open cells of a unit, several models at a time.

    A stack is made of the unit's cells, and not of those that are left of it: so a cell that is measured after a kill
    is rounded as it would have been. Where a stack cannot be trained, such as for want of memory, its cells are
    measured one by one, and say so.
    """
    training = of.study.training
    assert isinstance(training, ItemwiseDescent)
    most = models_at_once(of.study, of.models.specimen(), training.batch_size)
    for cells in _stacks(of.unit.cells, training, most):
        if not any(cell.is_open for cell in cells):
            continue
        together = _Together(of, training, cells, recorder, told)
        why = "its training failed in the stack"
        try:
            together.measure()
        except _NotTogether as error:
            why = str(error)
        measure_each(of, together.left, recorder, {"engine": {"name": "sequential", "why": why}})


def _stacks(cells: Sequence[UnitCell], training: ItemwiseDescent, most: int) -> Iterator[list[UnitCell]]:
    """Yield cells that are trained together, the longest first; those of one learning rate at each step."""

    def steps(cell: UnitCell) -> int:
        epochs, batches = training.length(cell.n)
        return epochs * batches

    ordered = sorted(cells, key=lambda cell: (-steps(cell), cell.run, cell.step))
    alike = steps if training.schedule == "cosine" else lambda _: 0
    for _, found in groupby(ordered, key=alike):
        group = list(found)
        for first in range(0, len(group), most):
            yield group[first : first + most]


class _NotTogether(Exception):
    """A stack could not be trained; the message says why."""


class _Together:
    """One stack of cells, from their subsets to their results.

    Attributes
    ----------
    left : list of UnitCell
        Those open ones that have not been recorded.
    """

    def __init__(
        self, of: Cells, training: ItemwiseDescent, cells: list[UnitCell], recorder: Recorder, told: dict[str, Any]
    ) -> None:
        self._of, self._training, self._recorder, self._told = of, training, recorder, told
        self._cells = cells
        self.left = [cell for cell in cells if cell.is_open]
        self._announced, self._spent, self._work = 0, 0, 0

    def measure(self) -> None:
        """Train the stack, and record each cell when it has ended.

        Raises
        ------
        _NotTogether
        """
        self._tell_next()
        began = time.perf_counter()
        members = self._tried(self._begun)
        self._work = sum(member.steps for member in members)
        width = max(min(self._training.batch_size, member.items) for member in members)
        descent = self._tried(lambda: _Descent(self._training, self._of.study, members, width))
        while members:
            end = members[-1].steps
            seen = self._tried(partial(descent.go_on, end, self._note))
            now = time.perf_counter()
            for member in members:
                member.seconds += (now - began) / len(members)
            ended = [member for member in members if member.steps == end]
            for place, member in enumerate(members):
                if member in ended and member.cell.is_open:
                    self._record(member, descent.stack, place, seen)
            members = members[: len(members) - len(ended)]
            began = time.perf_counter()
            if members:
                self._tried(partial(descent.keep, members))

    def _tell_next(self) -> None:
        self._recorder.started(self._cells[self._announced])
        self._announced += 1

    def _note(self, steps: int) -> None:
        """Take note of steps, over all models: whoever limits the time of a cell is told of as many as they make up."""
        self._spent += steps
        while self._announced * self._work < self._spent * len(self._cells) and self._announced < len(self._cells):
            self._tell_next()

    def _tried(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except Exception as error:  # a cell's own fault, or no memory for so many: one by one it shows which
            raise _NotTogether(f"its stack of {len(self._cells)} models failed: {describe(error)}") from error

    def _begun(self) -> list[Member]:
        of, made = self._of, []
        for cell in self._cells:
            indices = of.subset(cell)
            model = of.built(cell)
            made.append(Member(cell, indices, model, *self._training.length(len(indices))))
        return made

    def _record(self, member: Member, stack: Stack, place: int, seen: Watched) -> None:
        """Measure a cell that has ended; one whose evaluation raises is left to be tried once more by itself."""
        cell = member.cell
        self._recorder.started(cell)
        began = time.perf_counter() - member.seconds
        model = stack.unstack(place)
        details = details_of(model, replace(seen, steps=member.steps, before={}), member.course) | self._told
        member.seed_what_follows()
        try:
            result = self._of.result(cell, model, member.indices, details, began)
        except Fault as fault:
            if not is_of_a_cell(fault):
                raise
            return
        self._recorder.record(result)
        self.left.remove(cell)


class _Descent:
    """The steps of a stack.

    Parameters
    ----------
    study : Study
    members : list of Member
        The longest first.
    width : int
        Places of a batch; a shorter batch leaves some empty.
    """

    def __init__(self, training: ItemwiseDescent, study: Study, members: list[Member], width: int) -> None:
        self._training, self._width = training, width
        models = [member.model.train() for member in members]
        self.stack = _stack_of(models, first_items(study, models[0]))
        for member in members:  # from here on a model alone answers in its targets' unit, and the stack does not
            training.prepare(member.model, study.train, member.indices)
        self._device = self.stack.trainable[0].device
        self._x, y = tensors(study.train, self._device)
        self._optimizer = training.make_optimizer(self.stack.trainable)
        self._scheduler = None
        if training.schedule == "cosine":
            self._scheduler = CosineAnnealingLR(self._optimizer, members[0].steps)
        self._updates = Updates(self._optimizer)
        self._hold(members, y)
        self._seen, self._done = Watched(), 0

    def _hold(self, members: list[Member], y: Tensor) -> None:
        self._members, self._y = members, y
        rows = [torch.as_tensor(member.indices, device=self._device) for member in members]
        self._rows = torch.cat(rows)
        self._targets = torch.cat(
            [self._training.targets(member.model, y[own]) for member, own in zip(members, rows, strict=True)]
        )
        starts = torch.tensor([0, *(member.items for member in members[:-1])]).cumsum(0)
        self._starts = starts[None, :, None]

    def go_on(self, end: int, note: Callable[[int], None]) -> Watched:
        """Do the steps up to one, and say how many those of all models are; return what was seen of all of them."""
        at_once = max(1, min(STEPS_AT_ONCE, INDICES_AT_ONCE // (len(self._members) * self._width)))
        of_models: list[Tensor] = []
        with watched(self.stack, losses=False) as seen:
            while self._done < end:
                count = min(at_once, end - self._done)
                losses = [self._step(*batch) for batch in zip(*self._batches(count), strict=True)]
                # Of each step's losses, an item each, what each model's would have been alone.
                of_models.append(torch.stack(losses).unflatten(1, (len(self._members), -1)).sum(2))
                self._done += count
                if len(of_models) == BLOCKS_AT_ONCE:
                    self._keep(of_models)
                note(count * len(self._members))
        self._keep(of_models)
        first = self._seen.optimiser or seen.optimiser
        self._seen.optimiser = seen.optimiser | {"first_lr": first["first_lr"]}
        for told, times in seen.warnings.items():
            self._seen.warnings[told] = self._seen.warnings.get(told, 0) + times
        return self._seen

    def keep(self, members: list[Member]) -> None:
        """Go on with the first members alone."""
        before = self.stack.trainable
        self.stack = self.stack.first(len(members))
        self._optimizer = _of_first(self._optimizer, before, self.stack.trainable, self._training)
        self._updates = Updates(self._optimizer)
        self._hold(members, self._y)

    def _batches(self, count: int) -> tuple[Tensor, Tensor]:
        """Return the next batches of all members: whose items by their place among all subsets, and their weights."""
        taken = [member.next_batches(count, self._width) for member in self._members]
        places = torch.stack([places for places, _ in taken], dim=1)
        weights = torch.stack(
            [
                (places >= 0) * self._per_item(sizes, member.batches)[:, None]
                for (places, sizes), member in zip(taken, self._members, strict=True)
            ],
            dim=1,
        )
        return (places.clamp(min=0) + self._starts).to(self._device), weights.to(self._device)

    def _per_item(self, sizes: Tensor, batches: int) -> Tensor:
        """Return what each item of a batch counts for: its part of the batch's mean, times what the batch does."""
        return torch.tensor(
            [self._training.weight(size, batches) / size for size in sizes.tolist()], dtype=torch.float64
        )

    def _keep(self, of_models: list[Tensor]) -> None:
        """Put losses, shape (steps, models) each, into their models' courses: a device is waited for no oftener."""
        if of_models:
            for member, losses in zip(self._members, torch.cat(of_models).T.tolist(), strict=True):
                member.course.add(losses)
            of_models.clear()

    def _step(self, places: Tensor, weights: Tensor) -> Tensor:
        flat = places.reshape(-1)
        items = self._x[self._rows[flat]]
        self._updates.clear()
        answered = self.stack(items.reshape(*places.shape, *items.shape[1:]))
        losses = self._training.item_losses(answered.flatten(0, 1), self._targets[flat])
        weighted = losses * weights.reshape(-1).to(losses.dtype)
        weighted.sum().backward()
        self._updates.step()
        if self._scheduler is not None:
            self._scheduler.step()
        return weighted.detach()


def _stack_of(models: list[nn.Module], items: Tensor) -> Stack:
    """Return a stack that answers what its models do.

    Raises
    ------
    ValueError
        When it does not: each model may have been built otherwise, or all may be one.
    """
    weights = [id(one) for model in models for one in model.parameters()]
    if len(set(weights)) < len(weights):
        raise ValueError("models of several cells share weights")
    stack = Stack(models)
    if not stack.agrees(items):
        raise ValueError("the models differ in more than their weights")
    return stack


def _of_first(optimizer: Optimizer, before: list[Tensor], now: list[Tensor], training: ItemwiseDescent) -> Optimizer:
    """Return an optimiser of the first models, with what the other has of them: moments, and the number of steps."""
    made = training.make_optimizer(now)
    for old, new in zip(before, now, strict=True):
        made.state[new] = {
            name: value[: len(new)].clone() if torch.is_tensor(value) and value.shape == old.shape else value
            for name, value in optimizer.state[old].items()
        }
    return made
