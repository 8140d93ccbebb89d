"""Has torch's compiler imported by who compiles, and not by the first optimiser.

torch imports its whole compiler to tell it what it is to leave alone (some functions of its optimisers), and that
results are to be repeatable. In torch 2.13 on a CPU that is more than a second of a trainer's start, and 70 MiB. Until
something imports the compiler, these functions are called as they stand, which is what they do where nothing is
compiled.
"""

import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any

import torch
from torch import optim
from torch.optim import Optimizer

_COMPILER = ("torch._dynamo", "torch._inductor")
# What torch keeps on a function that is not to be compiled: what is to be called in its place.
_KEPT = "__dynamo_disable"


def stay_eager() -> bool:
    """Have this process leave torch's compiler alone until something else imports it.

    For a process of our own: it changes functions of torch's, and the environment. Where torch is not made as 2.13 is,
    or the compiler has been imported, nothing is changed.

    Returns
    -------
    bool
        Whether the compiler can stay away.
    """
    if any(name in sys.modules for name in _COMPILER):
        return False
    marked, steps = list(_marked()), list(_steps())
    if not marked or not steps:
        return False
    watch = _Watch(marked)
    for function in marked:
        setattr(function, _KEPT, function)
    for family, step in steps:
        family.step = watch.step(step)  # type: ignore[method-assign]
    sys.meta_path.insert(0, watch)
    return True


def be_deterministic() -> None:
    """Have torch choose what gives the same numbers again, and warn where there is nothing of the kind."""
    if any(isinstance(one, _Watch) and not one.is_over for one in sys.meta_path):
        os.environ["TORCHINDUCTOR_DETERMINISTIC"] = "1"  # for the compiler, should it come
        torch._C._set_deterministic_algorithms(True, warn_only=True)
    else:
        torch.use_deterministic_algorithms(True, warn_only=True)


class _Watch:
    """Sees the compiler being imported, and has everything go torch's own way from then on.

    Parameters
    ----------
    marked : sequence of functions
        Those that are not to be compiled, as they were before they were marked.
    """

    def __init__(self, marked: Sequence[FunctionType]) -> None:
        self._marked = marked
        self.is_over = False

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find nothing: as one of the finders that Python asks before it imports a module."""
        if name in _COMPILER and not self.is_over:
            self.is_over = True
            for function in self._marked:
                vars(function).pop(_KEPT, None)
        return None

    def step(self, step: FunctionType) -> Callable[..., Any]:
        """Return an optimiser's step that asks no compiler whether it is watching."""
        within: Callable[..., Any] = step.__wrapped__  # type: ignore[attr-defined]

        @functools.wraps(step)
        def eager(optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
            if self.is_over:
                return step(optimizer, *args, **kwargs)
            with torch.set_grad_enabled(optimizer.defaults["differentiable"]):
                return within(optimizer, *args, **kwargs)

        return eager


def _marked() -> Iterator[FunctionType]:
    """Yield the optimisers' functions that are marked, as they were before."""
    marker = torch._disable_dynamo(lambda: None).__code__  # type: ignore[attr-defined]
    for function in vars(Optimizer).values():
        if isinstance(function, FunctionType) and function.__code__ is marker:
            yield function.__wrapped__  # type: ignore[attr-defined]


def _steps() -> Iterator[tuple[type[Optimizer], FunctionType]]:
    """Yield torch's optimisers whose step has the compiler stop before it and after it."""
    for family in vars(optim).values():
        if isinstance(family, type) and issubclass(family, Optimizer):
            step = vars(family).get("step")
            if isinstance(step, FunctionType) and step.__code__.co_name == "_use_grad":
                yield family, step
