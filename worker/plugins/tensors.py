"""A dataset on a device, moved there once and kept as long as the dataset lives."""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from worker.plugins.arrays import ArrayDataset, materialise

_on_device: "WeakKeyDictionary[ArrayDataset, dict[str, tuple[Tensor, Tensor]]]" = WeakKeyDictionary()


def tensors(dataset: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return items (float32, N × …) and labels (int64, N) on `device`."""
    arrays = materialise(dataset)
    places = _on_device.setdefault(arrays, {})
    if str(device) not in places:
        places[str(device)] = (torch.from_numpy(arrays.x).to(device), torch.from_numpy(arrays.y).to(device))
    return places[str(device)]


def device_of(model: torch.nn.Module) -> torch.device:
    """Return where a model's parameters are."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device
