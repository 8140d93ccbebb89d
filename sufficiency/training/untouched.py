"""Whether a training has done anything to the model that it was given."""

from typing import Any

from torch import nn

State = tuple[list[Any], frozenset[tuple[str, int]]]
MESSAGE = (
    "train() left the model that it was given as it was, so that an untrained one was evaluated: it must train this "
    "model in place, not a copy that it returns, make its optimiser anew for each model, and take a step also where n "
    "is less than the items that it accumulates. Where nothing is to be trained, nothing is wrong"
)


class ModelUnchanged(UserWarning):
    """The category of the warning of it."""


def state_of(model: Any) -> State | None:
    """Return by what it is seen whether a model is trained; None where that cannot be told.

    Notes
    -----
    What is written into a tensor is counted by torch, but for what is written through its ``data``, which its norm
    shows. A model may keep what it learns in attributes as well.
    """
    try:
        if not isinstance(model, nn.Module) or not any(one.requires_grad for one in model.parameters()):
            return None
        tensors = [*model.parameters(), *model.buffers()]
        counted = [(id(one), one._version, float(one.detach().float().norm())) for one in tensors]
        kept = ((name, id(value)) for module in model.modules() for name, value in vars(module).items())
        return counted, frozenset(pair for pair in kept if pair[0] != "training")
    except Exception:  # lazy and quantised parameters, and whatever somebody's model answers
        return None
