"""What a model answers while it is trained, and when it has been: one tensor, and no NaN."""

from typing import Any

import torch
from torch import Tensor

from sufficiency.plugins.outputs import WrongOutput


class NoAnswer(ValueError):
    """A trained model that answers NaN; the message says what to do."""


def expect_no_nan(outputs: Tensor) -> Tensor:
    """Return what a network answers to N items, if it answers all of them: NaN would count as one class or another.

    Raises
    ------
    NoAnswer
    """
    without = int(outputs.isnan().reshape(len(outputs), -1).any(dim=1).sum())
    if without:
        raise NoAnswer(
            f"the model answers NaN for {without} of {len(outputs)} items, which is no class and no number (a training "
            "that diverges wants a smaller learning rate, clipped gradients or scaled items)"
        )
    return outputs


def expect_tensor(outputs: Any) -> None:
    """Look whether a model that is trained answers a tensor; it may where it is evaluated, and not here.

    Raises
    ------
    WrongOutput
    """
    if not torch.is_tensor(outputs):
        raise WrongOutput(
            f"in training the model answers a {type(outputs).__name__}, as one with auxiliary outputs does, and the "
            "built-in strategies need one tensor (have forward() return that alone, as by aux_logits=False, or bring a "
            "training of your own)"
        )
