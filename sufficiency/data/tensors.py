"""A dataset on a device, moved there once and kept as long as the dataset lives."""

import warnings
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import torch
from numpy.typing import NDArray
from torch import Tensor

from sufficiency.data.arrays import ArrayDataset, StoredItems
from sufficiency.data.foreign import materialise

_on_device: "WeakKeyDictionary[ArrayDataset, dict[str, tuple[Tensor, Tensor]]]" = WeakKeyDictionary()


class MappedItems:
    """Items that stay in their file: what is indexed, or a part of `split`, is a tensor on the device.

    Parameters
    ----------
    dataset : StoredItems
    device : torch.device
    """

    def __init__(self, dataset: StoredItems, device: torch.device) -> None:
        self._dataset, self._device = dataset, device

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, rows: Tensor) -> Tensor:
        return torch.from_numpy(self._dataset.take(rows.cpu().numpy())).to(self._device)

    def split(self, size: int) -> Iterator[Tensor]:
        """Yield the items `size` at a time."""
        for rows in torch.arange(len(self)).split(size):
            yield self[rows]


def tensors(dataset: Any, device: torch.device) -> tuple[Any, Tensor]:
    """Return items (float32, N × …) and targets (N; int64 classes, or numbers) on `device`.

    Numbers to predict are float32; float64 where only that holds them.

    The items of a memory-mapped dataset come as `MappedItems`, which index and split as a tensor does.
    """
    arrays = materialise(dataset)
    if not isinstance(arrays, ArrayDataset):
        return MappedItems(arrays, device), _tensor(arrays.y).to(device)
    places = _on_device.setdefault(arrays, {})
    if str(device) not in places:
        with torch.inference_mode(False):  # what is made in that mode cannot be trained on outside of it
            places[str(device)] = (_tensor(arrays.x).to(device), _tensor(arrays.y).to(device))
    return places[str(device)]


def forget_tensors() -> None:
    """Have every dataset moved to its device anew."""
    _on_device.clear()


def written_tensors(dataset: Any) -> list[str]:
    """Return on which devices a dataset's tensors have been changed in place, by torch."""
    places = _on_device.get(dataset, {}) if isinstance(dataset, ArrayDataset) else {}
    return [place for place, pair in places.items() if any(tensor._version for tensor in pair)]


def _tensor(array: NDArray[Any]) -> Tensor:
    with warnings.catch_warnings():
        # Torch knows no memory that is only read; whoever writes to this is found out.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def device_of(model: torch.nn.Module) -> torch.device:
    """Return where a model's parameters are."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device
