"""Hugging Face datasets, as `save_to_disk` keeps them: columns mapped to items and targets."""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sufficiency.data.arrays import ArrayDataset, Task
from sufficiency.data.description import Description, Remark
from sufficiency.data.errors import DatasetError
from sufficiency.data.labels import several_of_lists
from sufficiency.data.paths import resolve_inside
from sufficiency.data.rows import chosen_rows
from sufficiency.data.suspicions import cut_off
from sufficiency.data.tables.words import hashed_text
from sufficiency.extras import install
from sufficiency.plugins.datasets import Limit, Start

REQUIRES = {"datasets": install("huggingface")}


def load_huggingface(
    path: str,
    item: str,
    target: str,
    split: str | None = None,
    task: Task = "classification",
    size: Annotated[int, Field(ge=1, le=1024)] = 32,
    grayscale: bool = False,
    text_features: Annotated[int, Field(ge=1, le=2**20)] = 1024,
    metadata: list[str] = [],  # noqa: B006  (never changed; shown in the schema)
    start: Start = 0,
    limit: Limit = None,
) -> ArrayDataset:
    """Load a Hugging Face dataset from a folder: images resized, text hashed, arrays as they are.

    Parameters
    ----------
    path : str
        Folder inside a data root that `save_to_disk` wrote.
    item : str
        Column of the items: images, text, or lists of numbers of one shape.
    target : str
        Column to predict; the names of a ClassLabel are the classes. Lists of labels, or rows of 0 and 1, are several
        labels an item.
    split : str
        Which split, where the folder holds a DatasetDict.
    task : {"classification", "regression", "multilabel"}
        Whether the target's values are classes, numbers to predict, or lists of several labels.
    size : int
        Images are resized to size × size.
    grayscale : bool
        One channel in place of three.
    text_features : int
        Features that the words of a text are hashed to.
    metadata : list of str
        Columns by which items can be grouped.
    start, limit : int
        Take `limit` items from `start` on.
    """
    import datasets

    folder = resolve_inside(path)
    if not folder.is_dir():
        raise DatasetError(f"{path} is not a folder; write it with dataset.save_to_disk(...)")
    try:
        found = datasets.load_from_disk(str(folder))
    except Exception as error:  # of a damaged folder it raises nearly anything
        raise DatasetError(f"{path} is not what save_to_disk writes: {type(error).__name__}: {error}") from error
    if isinstance(found, datasets.DatasetDict):
        if split not in found:
            raise DatasetError(
                f"{path} has the splits {', '.join(map(str, found))}; choose one with split, not {split!r}"
            )
        found = found[split]
    elif split is not None:
        raise DatasetError(f"{path} is one dataset without splits; leave split out")
    for column in (item, target, *metadata):
        if column not in found.column_names:
            raise DatasetError(f"{path} has no column {column!r}; it has {', '.join(found.column_names[:20])}")
    rows = chosen_rows(len(found), start, limit)
    whole, found = found, found.select(rows)
    x, features = _items(found, item, path, size, grayscale, text_features)
    names, y = _targets(found, target, path, task)
    cut = Description(warnings=tuple(_cut_off(whole, rows, target, path, task)))
    about = {name: np.asarray(found[name][:]) for name in metadata}
    return ArrayDataset(x, y, names, path, features, about, cut)


def _cut_off(whole: Any, rows: NDArray[np.int64], target: str, path: str, task: Task) -> list[Remark]:
    if not 0 < len(rows) < len(whole):
        return []
    try:
        names, y = _targets(whole.select_columns([target]), target, path, task)
    except DatasetError:
        return []  # what is wrong with rows that are not taken is nobody's concern
    return cut_off(y, rows, names, path)


def _items(
    found: Any, item: str, path: str, size: int, grayscale: bool, text_features: int
) -> tuple[NDArray[Any], list[str]]:
    import datasets

    if isinstance(found.features[item], datasets.Image):
        x = np.empty((len(found), 1 if grayscale else 3, size, size), np.float32)
        for row, image in enumerate(found[item]):
            pixels = np.asarray(image.convert("L" if grayscale else "RGB").resize((size, size)), np.float32)
            x[row] = pixels.reshape(size, size, -1).transpose(2, 0, 1) / 255.0
        return x, []
    values = found[item][:]
    if values and isinstance(values[0], str):
        return hashed_text(values, text_features, item)
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "buif":
            array = array.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise DatasetError(
            f"{path}: column {item!r} holds {found.features[item]}; items must be images, text, or numbers of one shape"
        ) from error
    return (array[:, None] if array.ndim == 1 else array), []


def _targets(found: Any, target: str, path: str, task: Task) -> tuple[list[str] | None, NDArray[Any]]:
    import datasets

    values = found[target][:]
    if gaps := sum(value is None for value in values):
        raise DatasetError(f"{path}: column {target!r} has {gaps} empty values; drop those rows")
    if task == "regression":
        return None, np.asarray(values)
    if isinstance(values[0], list | tuple | np.ndarray):
        inner = getattr(found.features[target], "feature", None)
        names = list(inner.names) if isinstance(inner, datasets.ClassLabel) else None
        return several_of_lists(values, names, "" if task == "classification" else task, f"{path}: column {target!r}")
    if isinstance(feature := found.features[target], datasets.ClassLabel):
        return list(feature.names), np.asarray(values, dtype=np.int64)
    ordered = sorted(set(values))
    number = {value: k for k, value in enumerate(ordered)}
    return [str(value) for value in ordered], np.array([number[value] for value in values], dtype=np.int64)
