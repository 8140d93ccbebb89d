"""The course of the loss while a cell's network is trained, whoever wrote the loop; where it cannot be told, nothing.

The loss is what goes into torch's `backward`, and an optimiser's step says that it was a step's. No graph is held, no
number of the training is touched, and a device is waited for once in some thousand steps.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any
from weakref import ref

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import LBFGS, Optimizer

# Parts of equal length that a course is kept in: when there are so many, each two become one.
MOST_PARTS = 1024
# Losses are put into parts so many at a time: a device is waited for no oftener.
_AT_ONCE = 4096
# Of a training's steps, those whose loss was not seen.
_MOST_UNSEEN = 0.01


class Course:
    """A loss step by step, as sums over parts of equal length, of however many steps."""

    def __init__(self) -> None:
        self._each = 1
        self._sums: list[float] = []
        self._open, self._in_open = 0.0, 0

    def add(self, losses: ArrayLike) -> None:
        """Go on with the losses of the next steps."""
        rest = np.asarray(losses, dtype=np.float64)
        if self._in_open:
            rest = self._fill(rest)
        whole = len(rest) // self._each * self._each
        self._sums += rest[:whole].reshape(-1, self._each).sum(axis=1).tolist()
        if whole < len(rest):
            self._open, self._in_open = float(rest[whole:].sum()), len(rest) - whole
        while len(self._sums) >= MOST_PARTS:
            self._halve()

    def _fill(self, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Have the open part take of the losses what it lacks; return the others."""
        lacks = self._each - self._in_open
        taken, rest = losses[:lacks], losses[lacks:]
        self._open, self._in_open = self._open + float(taken.sum()), self._in_open + len(taken)
        if self._in_open == self._each:
            self._sums.append(self._open)
            self._open, self._in_open = 0.0, 0
        return rest

    def _halve(self) -> None:
        if len(self._sums) % 2:
            self._open, self._in_open = self._open + self._sums.pop(), self._in_open + self._each
        self._sums = np.reshape(self._sums, (-1, 2)).sum(axis=1).tolist()
        self._each *= 2

    def parts(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the means over the parts, and how many steps each is of: of the last perhaps fewer."""
        ended = bool(self._in_open)
        sums = [*self._sums, self._open] if ended else self._sums
        steps = np.array([self._each] * len(self._sums) + [self._in_open] * ended, dtype=np.int64)
        return np.array(sums, dtype=np.float64) / steps, steps


class Losses:
    """What is seen of the losses of one training, and of whose steps they were.

    A course begins anew with an optimiser that was not there before, as where a head is trained first and the whole
    network then. Where one comes back after another, as with two networks that are trained against each other, or
    where what goes into `backward` is no loss, or comes without a step, the course cannot be told.
    """

    def __init__(self) -> None:
        self.course = Course()
        self._waiting: list[Any] = []
        self._sum: Any = None
        self._count = 0
        self._scale: Tensor | None = None
        self._owner: ref[Optimizer] | None = None
        self._earlier: list[ref[Optimizer]] = []
        self._steps, self._unseen = 0, 0
        self.highest_rate: float | None = None
        self.last_rate: float | None = None
        self._is_lost, self._is_over = False, False

    def loss(self, tensors: Any, gradient: Any) -> None:
        """Take note of what goes into `backward`."""
        if self._is_lost or self._is_over:
            return
        try:
            one = tensors
            if not isinstance(one, Tensor):
                [one] = tensors
            if gradient is not None:
                raise ValueError  # no loss: what is gone back through is weighted from outside
            # What has more numbers than one is no loss either, and lets itself not be made one.
            value = one.item() if one.is_cpu else one.detach().reshape(()).clone()
            if self._scale is not None:
                value = value / (self._scale.item() if one.is_cpu else self._scale)
            # Of several that one step is made of, such as parts of a batch, their mean.
            self._sum = value if not self._count else self._sum + value
            self._count += 1
        except Exception:  # whatever it is, the training goes on
            self._lose()

    def step(self, optimiser: Optimizer, rate: Any) -> None:
        """Take note of an optimiser's step, and its learning rate."""
        if self._is_lost:
            return
        is_owners = self._owner is not None and self._owner() is optimiser
        if not self._count:
            self._unseen += is_owners
            return
        if not is_owners and not self._taken_over(optimiser):
            return
        self._waiting.append(self._sum if self._count == 1 else self._sum / self._count)
        self._sum, self._count, self._scale = None, 0, None
        self._steps += 1
        if rate is not self.last_rate or rate is None:
            self._rated(rate)
        if len(self._waiting) == _AT_ONCE:
            self._settle()

    def scaled(self, scale: Tensor | None) -> None:
        """Take note of what the loss of this step is multiplied by, for gradients that a short float can hold."""
        self._scale = None if scale is None else scale.detach().clone()

    def end(self) -> None:
        """Take note of nothing any more."""
        self._is_over = True
        self._settle()
        self._sum, self._scale = None, None

    def seen(self) -> Course | None:
        """Return the course of the loss; None where it cannot be told."""
        return None if self._is_lost or self._unseen > _MOST_UNSEEN * self._steps else self.course

    def _rated(self, rate: Any) -> None:
        if isinstance(rate, int | float):
            self.last_rate = rate
            if self.highest_rate is None or rate > self.highest_rate:
                self.highest_rate = rate
        else:
            self.highest_rate = self.last_rate = None

    def _taken_over(self, optimiser: Optimizer) -> bool:
        if isinstance(optimiser, LBFGS) or any(one() is optimiser for one in self._earlier):
            self._lose()  # it tries several places a step; or several take turns
            return False
        if self._owner is not None:
            self._earlier = [one for one in [*self._earlier, self._owner] if one() is not None]
        self._owner = ref(optimiser)
        self.course, self._waiting, self._steps, self._unseen = Course(), [], 0, 0
        self.highest_rate = self.last_rate = None
        return True

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self._is_lost or not waiting:
            return
        try:
            on_device = isinstance(waiting[0], Tensor)
            self.course.add(torch.stack([one.float() for one in waiting]).tolist() if on_device else waiting)
        except Exception:  # of several devices, or of modes that allow no such thing
            self._lose()

    def _lose(self) -> None:
        self._is_lost = True
        self._waiting, self._sum, self._scale = [], None, None


@contextmanager
def losses_seen(losses: Losses) -> Iterator[None]:
    """Have what goes into torch's `backward` seen; afterwards all is as it was.

    Notes
    -----
    What is called from within a `backward`, as where parts of a network are gone through a second time to save memory,
    is not looked at. Where somebody has put something else in its place meanwhile, that stays, for them to take away.
    """
    inside = False
    autograd: Any = torch.autograd
    scaler: Any = GradScaler
    backward, scale = autograd.backward, scaler.scale

    @wraps(backward)
    def seen_backward(tensors: Any, grad_tensors: Any = None, *args: Any, **kwargs: Any) -> None:
        nonlocal inside
        if inside:
            backward(tensors, grad_tensors, *args, **kwargs)
            return
        losses.loss(tensors, grad_tensors)
        inside = True
        try:
            backward(tensors, grad_tensors, *args, **kwargs)
        finally:
            inside = False

    @wraps(scale)
    def seen_scale(self: Any, outputs: Any) -> Any:
        scaled = scale(self, outputs)
        with suppress(Exception):
            losses.scaled(self._scale)
        return scaled

    _not_compiled(seen_backward, seen_scale)
    autograd.backward, scaler.scale = seen_backward, seen_scale
    try:
        yield
    finally:
        losses.end()
        if autograd.backward is seen_backward:
            autograd.backward = backward
        if scaler.scale is seen_scale:
            scaler.scale = scale


def _not_compiled(*functions: Any) -> None:
    """Have torch's compiler pass over what looks on: it would say that it cannot compile it, and need not."""
    with suppress(Exception):  # torch's own affair, which may be another one some day
        compiler: Any = torch._C._dynamo.eval_frame
        passed_over = compiler._FrameExecStrategy(compiler._FrameAction.SKIP, compiler._FrameAction.DEFAULT)
        for function in (*functions, Losses.loss, Losses.step):
            compiler.set_code_exec_strategy(function.__code__, passed_over)
