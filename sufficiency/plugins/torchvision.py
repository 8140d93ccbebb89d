"""torchvision's image classification datasets, as it stores them on disk."""

from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.description import Description
from sufficiency.data.errors import DatasetError
from sufficiency.data.images import Background, Decoder
from sufficiency.data.labels import classes_by_name
from sufficiency.data.paths import only_files, resolve_inside
from sufficiency.data.rows import chosen_rows
from sufficiency.data.suspicions import cut_off
from sufficiency.plugins.datasets import Limit, Start

REQUIRES = {"torchvision": "pip install torchvision, in the version that goes with its torch"}

Name = Literal["MNIST", "FashionMNIST", "KMNIST", "QMNIST", "CIFAR10", "CIFAR100", "SVHN", "STL10", "GTSRB", "EuroSAT"]
_BY_SPLIT = ("SVHN", "STL10", "GTSRB")


def load_torchvision(
    name: Name,
    path: str,
    split: Literal["train", "test"] = "train",
    size: Annotated[int | None, Field(ge=1, le=1024)] = None,
    start: Start = 0,
    limit: Limit = None,
    classes: list[str] | None = None,
    background: Background = "white",
) -> ArrayDataset:
    """Load a dataset that torchvision knows, from a folder that holds it; nothing is downloaded.

    Parameters
    ----------
    name : str
        Its class in `torchvision.datasets`.
    path : str
        Folder inside a data root: the `root` that torchvision was given when it downloaded the dataset.
    split : {"train", "test"}
        The split; EuroSAT has one only, to be split by a rule.
    size : int
        Images are resized to size × size; needed where they are of different sizes.
    start, limit : int
        Take `limit` images from `start` on.
    classes : list of str
        Names of all classes, in order; the dataset's own where not given.
    background : str
        Colour behind what is transparent.
    """
    try:
        from torchvision import datasets
    except Exception as error:  # built for another torch, it raises RuntimeError
        raise DatasetError(
            f"torchvision cannot be used with torch {torch.__version__} ({error}): install the one that goes with it"
        ) from error
    folder = resolve_inside(path)
    if not folder.is_dir():
        raise DatasetError(f"{path} is not a folder")
    only_files(folder, path)
    which: dict[str, Any] = {} if name == "EuroSAT" else {"train": split == "train"}
    if name in _BY_SPLIT:
        which = {"split": split}
    try:
        found = getattr(datasets, name)(root=str(folder), download=False, **which)
    except RuntimeError as error:
        said = str(error).split(". ")[0]  # then it speaks of a download, which is not for a worker to do
        raise DatasetError(f"{path} does not hold torchvision's {name}: {said}; download it there first") from error
    return as_arrays(found, name, size, start, limit, classes, Decoder(size, grayscale=None, background=background))


def as_arrays(
    found: Any, name: str, size: int | None, start: int, limit: int | None, classes: list[str] | None, decode: Decoder
) -> ArrayDataset:
    """Return a dataset of (picture, label) as torchvision's have them as arrays.

    Raises
    ------
    DatasetError
        For a picture that cannot be read, or pictures of different sizes where no size is given.
    """
    rows = chosen_rows(len(found), start, limit)
    images, labels = [], np.empty(len(rows), np.int64)
    for at, row in enumerate(rows.tolist()):
        try:
            image, label = found[row]
            images.append(decode(image))
        except Exception as error:  # the decoders of damaged files raise nearly anything
            raise DatasetError(f"{name}: item {row} cannot be read: {error}") from error
        labels[at] = int(label)
    if len({image.shape for image in images}) > 1:
        raise DatasetError(f"{name} has images of different sizes or kinds: give size, and have all grey or coloured")
    known = [str(one) for one in getattr(found, "classes", [])]
    names = known or [str(k) for k in range(int(labels.max(initial=-1)) + 1)]
    # Most keep the labels of all their items at hand; those that do not are taken as they come.
    whole = next((np.asarray(y) for key in ("targets", "labels") if (y := getattr(found, key, None)) is not None), None)
    cut = Description(warnings=tuple(cut_off(whole, rows, names, name)) if whole is not None else ())
    x = np.stack(images) if images else np.empty((0, 1, 1, 1))
    names, labels = classes_by_name(labels, names, classes, name)
    return ArrayDataset(x, labels, names, name, description=decode.description(name).joined(cut))
