"""How many items each step of an epoch has, where batch normalisation cannot train on one."""

from collections.abc import Iterator, Sequence
from itertools import islice

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import Sampler


def normalising(model: nn.Module) -> list[_BatchNorm]:
    """Return the modules of a model that normalise by their batch."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def batch_sizes(items: int, size: int, *, join_last: bool) -> list[int]:
    """Return the sizes of an epoch's batches.

    Parameters
    ----------
    join_last : bool
        Have a last one of a single item join its neighbours: batch normalisation cannot train on it. Other models keep
        it as a step.
    """
    full, rest = divmod(items, size)
    sizes = [size] * full + [rest] * (rest > 0)
    if join_last and size > 1 and full and rest == 1:
        sizes[-2:] = [size + 1]
    return sizes


class BatchesOf(Sampler[list[int]]):
    """The items of a sampler in batches of given sizes, for a DataLoader.

    Parameters
    ----------
    sampler : Sampler
    sizes : sequence of int
    """

    def __init__(self, sampler: Sampler[int], sizes: Sequence[int]) -> None:
        self.sampler, self.sizes = sampler, sizes

    def __iter__(self) -> Iterator[list[int]]:
        items = iter(self.sampler)
        for size in self.sizes:
            yield list(islice(items, size))

    def __len__(self) -> int:
        return len(self.sizes)
