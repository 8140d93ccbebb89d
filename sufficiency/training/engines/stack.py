"""Several models of one architecture as one: a parameter has a row a model, and one pass goes through all of them."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state


class Stack:
    """Models that are trained together.

    Parameters
    ----------
    models : sequence of nn.Module
        Of one architecture, in training mode. They keep their own weights until `unstack`.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self._models = list(models)
        # A model's own attributes are those of the first: what differs between models are parameters and buffers.
        base = copy.deepcopy(models[0])
        self._parameters, self._buffers = stack_module_state(self._models)

        def of_one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
            answered: Tensor = functional_call(base, (parameters, buffers), (x,))
            return answered

        # What draws random numbers would draw others than the models one by one.
        self._all = torch.vmap(of_one, randomness="error")

    def __len__(self) -> int:
        return len(self._models)

    @property
    def trainable(self) -> list[Tensor]:
        """The parameters that are trained, each with a row a model."""
        return [one for one in self._parameters.values() if one.requires_grad]

    def __call__(self, x: Tensor) -> Tensor:
        """Return what each model answers for its own items: from (models, items, …) to (models, items, …)."""
        answered: Tensor = self._all(self._parameters, self._buffers, x)
        return answered

    def first(self, count: int) -> "Stack":
        """Return a stack of the first models alone, as they are now."""
        left = copy.copy(self)
        left._models = self._models[:count]
        left._parameters = {
            name: one.detach()[:count].clone().requires_grad_(one.requires_grad)
            for name, one in self._parameters.items()
        }
        left._buffers = {name: one[:count] for name, one in self._buffers.items()}
        return left

    @torch.no_grad()
    def agrees(self, items: Tensor) -> bool:
        """Tell whether together the models answer what each answers alone, as they are before they are trained."""
        together = self(items.expand(len(self), *items.shape))
        return all(close(model(items), row) for model, row in zip(self._models, together, strict=True))

    @torch.no_grad()
    def unstack(self, number: int) -> nn.Module:
        """Return a model with the weights that it has now."""
        model = self._models[number]
        for name, own in model.named_parameters():
            own.copy_(self._parameters[name][number])
        return model


def close(one: Tensor, other: Tensor) -> bool:
    """Tell whether two answers are the same but for how sums were rounded."""
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True)
