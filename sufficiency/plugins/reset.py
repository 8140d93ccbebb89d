"""Giving a model fresh parameters, in the two usual ways."""

from typing import Any

import torch
from torch import nn

from sufficiency.plugins.copying import copied


def unresettable(model: nn.Module) -> list[str]:
    """Return the modules that own parameters and have no `reset_parameters`."""
    return [
        f"{name or 'the model itself'} ({type(module).__name__})"
        for name, module in model.named_modules()
        if next(module.parameters(recurse=False), None) is not None
        and not callable(getattr(module, "reset_parameters", None))
    ]


def resettable(model: nn.Module) -> bool:
    """Return whether `reset-parameters` leaves nothing of what the model has learned."""
    return not unresettable(model)


class ResetParameters:
    """Call `reset_parameters` of every module that has it, children first: new random weights, the same object."""

    def __call__(self, model: nn.Module) -> nn.Module:
        """Return the model, reset.

        Raises
        ------
        ValueError
            When a module that owns parameters cannot reset them: it would keep what it has learned.
        """
        if left := unresettable(model):
            raise ValueError(f"no reset_parameters in {', '.join(left[:5])}; leave reset out to build the model anew")
        # As the tutorial does: children first, so that a module may have the last word on its children's weights.
        with torch.no_grad():
            return model.apply(_reset)


def _reset(module: nn.Module) -> None:
    if callable(reset := getattr(module, "reset_parameters", None)):
        reset()


class DeepCopy:
    """Return a copy of the model as it was at first: pretrained or otherwise given weights are kept."""

    def __init__(self) -> None:
        self._pristine: Any = None

    def __call__(self, model: Any) -> Any:
        """Return a copy of the first model that this strategy was given."""
        if self._pristine is None:
            self._pristine = copied(model)
        return copied(self._pristine)
