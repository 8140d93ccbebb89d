"""Frozen features: what a model's last layer is given, for every item of a dataset, computed once and kept.

The model is any registered one. Nothing of it is trained; a study on a dataset of features trains a linear probe (the
model `linear`, or an estimator), so that its cells take as long as those of a table.
"""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sufficiency.data.arrays import ArrayDataset, StoredItems
from sufficiency.data.description import Description, Remark
from sufficiency.data.errors import DatasetError
from sufficiency.data.tensors import device_of
from sufficiency.schemas.spec import PluginRef
from sufficiency.schemas.work import FeatureSource
from sufficiency.training.build import build
from sufficiency.training.registry import DatasetContext, Registry
from sufficiency.training.repeatable import seed_everything

BATCH = 256
# Of one split's features in memory, and of all that are kept on disk.
MOST_BYTES, MOST_BYTES_KEPT = 4 * 2**30, 4 * 2**30


class FrozenModel:
    """A registered model without its head.

    Parameters
    ----------
    registry : Registry
    source : FeatureSource
        Which model, with which parameters, and whose input the features are.
    context : DatasetContext
        Of the dataset that it is built for.

    Raises
    ------
    Fault
        When the model cannot be built.
    DatasetError
        When it has no such head.
    """

    def __init__(self, registry: Registry, source: FeatureSource, context: DatasetContext) -> None:
        self._name = f"model:{source.model}"
        # Whatever of its weights is drawn at random is the same for both splits and whenever they are read.
        seed_everything(np.random.SeedSequence(entropy=0))
        with torch.inference_mode(False):
            model = build(registry, "model", PluginRef(name=source.model, params=source.params), context=context)
        if not isinstance(model, nn.Module):
            raise DatasetError(f"{self._name} is a {type(model).__name__}, and features are of a torch module")
        self._model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        self.head, self._layer = _head_of(model, source.head, self._name)
        self.identity = _identity(model, registry.version("model", source.model), self.head)

    def features(self, split: StoredItems) -> NDArray[np.float32]:
        """Return what the head is given for each item, shape (N, D)."""
        file = _kept_dir() / f"{self._key(split)}.npy"
        with suppress(OSError, ValueError):  # it is not there, or whoever wrote it was killed
            found: NDArray[np.float32] = np.load(file, allow_pickle=False)
            if found.ndim == 2 and len(found) == len(split):
                os.utime(file)
                return found
        computed = self._computed(split)
        _keep(file, computed)
        return computed

    def _key(self, split: StoredItems) -> str:
        device = device_of(self._model).type
        return hashlib.sha256(f"{split.fingerprint()}{self.identity}{device}{torch.__version__}".encode()).hexdigest()

    @torch.no_grad()
    def _computed(self, split: StoredItems) -> NDArray[np.float32]:
        seen: list[torch.Tensor] = []
        hook = self._layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        parts: list[NDArray[np.float32]] = []
        try:
            for start in range(0, len(split), BATCH):
                rows = np.arange(start, min(start + BATCH, len(split)))
                seen.clear()
                self._model(torch.from_numpy(split.take(rows)).to(device_of(self._model)))
                parts.append(self._of_one_pass(seen, len(rows), len(split)))
        finally:
            hook.remove()
        return np.concatenate(parts)

    def _of_one_pass(self, seen: list[torch.Tensor], rows: int, items: int) -> NDArray[np.float32]:
        if len(seen) != 1 or len(seen[0]) != rows:
            raise DatasetError(
                f"{self._name}: its layer {self.head!r} is not called once with a row an item; name another as `head`"
            )
        found = seen[0].flatten(1).float().cpu().numpy()
        if (size := found.shape[1] * 4 * items) > MOST_BYTES:
            raise DatasetError(
                f"{found.shape[1]:,} features of {items:,} items are {size / 2**30:.1f} GiB, and may be "
                f"{MOST_BYTES / 2**30:.0f}: name a later layer as `head`, or take fewer items"
            )
        if not np.isfinite(found).all():
            raise DatasetError(f"{self._name} answers NaN or infinity: is the scale of the items what it was made for?")
        return found


def featured(
    registry: Registry, source: FeatureSource, train: Any, test: Any, context: DatasetContext
) -> tuple[ArrayDataset, ArrayDataset, str]:
    """Return both splits with features in place of their items, and what identifies the frozen model.

    Raises
    ------
    DatasetError
        For somebody's own items, and a model without such a head.
    """
    if not (isinstance(train, StoredItems) and isinstance(test, StoredItems)):
        raise DatasetError("features are of items that a loader of the service reads, and not of somebody's own")
    model = FrozenModel(registry, source, context)
    made = [_replaced(split, model, source) for split in (train, test)]
    return made[0], made[1], model.identity


def _replaced(split: StoredItems, model: FrozenModel, source: FeatureSource) -> ArrayDataset:
    found = model.features(split)
    detail = (
        f"each item of shape {'×'.join(map(str, split.input_shape))} is the {found.shape[1]:,} numbers that the layer "
        f"{model.head!r} of model:{source.model} is given for it; the model is not trained"
    )
    description = split.description.joined(Description(notes=(Remark("features", detail),)))
    names = split.class_names if split.task == "classification" else None
    return ArrayDataset(found, split.y, names, split.source, (), split.item_metadata, description)


def _head_of(model: nn.Module, name: str | None, plugin: str) -> tuple[str, nn.Module]:
    """Return the layer whose input the features are: the one of that name, or the last dense one."""
    layers = dict(model.named_modules())
    if name is not None:
        if name not in layers or not name:
            known = ", ".join(list(layers)[1:][-8:])
            raise DatasetError(f"{plugin} has no layer {name!r}; its last ones are {known}")
        return name, layers[name]
    dense = [(called, layer) for called, layer in layers.items() if isinstance(layer, nn.Linear)]
    if not dense:
        raise DatasetError(f"{plugin} has no dense layer; name the one whose input the features are as `head`")
    return dense[-1]


def _identity(model: nn.Module, version: str, head: str) -> str:
    digest = hashlib.sha256(f"{type(model).__qualname__}{version}{head}".encode())
    for key, value in sorted(model.state_dict().items()):
        if key.startswith(f"{head}."):
            continue  # of the head nothing is used
        digest.update(f"{key}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


# What is kept


def _kept_dir() -> Path:
    """Return where features are kept: a folder that is this user's alone."""
    place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sufficiency" / "features"
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:  # a container without a home
        place = Path(tempfile.gettempdir()) / f"sufficiency-features-{os.getuid()}"
        place.mkdir(exist_ok=True, mode=0o700)
        if place.stat().st_uid != os.getuid():
            raise DatasetError(f"{place} belongs to somebody else; set XDG_CACHE_HOME") from None
    return place


def _keep(file: Path, found: NDArray[np.float32]) -> None:
    """Write features whole or not at all, and drop those that were used longest ago where there are too many."""
    unfinished = file.with_name(f".{uuid4().hex}.npy")
    try:
        np.save(unfinished, found, allow_pickle=False)
        unfinished.replace(file)
        kept = sorted(file.parent.glob("*.npy"), key=lambda one: one.stat().st_mtime, reverse=True)
        total = 0
        for one in kept:
            total += one.stat().st_size
            if total > MOST_BYTES_KEPT and one != file:
                one.unlink(missing_ok=True)
    except OSError:  # a full disk: they are computed again next time
        unfinished.unlink(missing_ok=True)
