"""How many items each step of an epoch has, where batch normalisation cannot train on one."""

from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import Sampler

GATHERED_BYTES = 16_000_000


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


def in_batches(x: Tensor, y: Tensor, order: Tensor, sizes: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield items and targets of an epoch's batches, in an order.

    Many batches are gathered at a time, and each is a part of them: to gather a small batch takes as long as a large
    one. No more than `GATHERED_BYTES`, so that an epoch takes no second copy of its items.
    """
    item = max(1, x[:1].numel() * x.element_size())
    at_once = max(1, GATHERED_BYTES // (item * max(sizes)))
    ordered = order.split(list(sizes))
    for first in range(0, len(sizes), at_once):
        part = torch.cat(ordered[first : first + at_once])
        lengths = list(sizes[first : first + at_once])
        yield from zip(x.index_select(0, part).split(lengths), y.index_select(0, part).split(lengths), strict=True)


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
