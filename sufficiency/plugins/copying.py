"""A model copied, so that training the copy leaves the model as it is."""

import copy
from typing import Any

from torch import nn


def copied(model: Any) -> Any:
    """Return a copy that can be trained.

    Notes
    -----
    Torch copies the parameters of a scripted or traced module by an operation that has a gradient: the copy's are no
    leaves, and no optimiser takes them.
    """
    same = copy.deepcopy(model)
    if isinstance(same, nn.Module):
        for parameter in same.parameters():
            if not parameter.is_leaf:
                parameter.detach_().requires_grad_()
    return same


def share_parts(first: Any, second: Any) -> bool:
    """Return whether two models have parameters or buffers in common, so that training one trains the other."""
    if not (isinstance(first, nn.Module) and isinstance(second, nn.Module)):
        return False
    theirs = {id(one) for one in (*second.parameters(), *second.buffers())}
    return any(id(one) in theirs for one in (*first.parameters(), *first.buffers()))
