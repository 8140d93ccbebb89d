"""Hugging Face datasets, as `save_to_disk` keeps them: columns mapped to items and targets."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sufficiency.data.arrays import ArrayDataset, Task
from sufficiency.data.description import Description, Remark, Scale
from sufficiency.data.errors import DatasetError
from sufficiency.data.images import Background, Decoder
from sufficiency.data.labels import classes_by_name, several_of_lists
from sufficiency.data.layout import Layout, channels_first
from sufficiency.data.paths import only_files, resolve_inside
from sufficiency.data.pixels import as_unit
from sufficiency.data.rows import chosen_rows
from sufficiency.data.suspicions import cut_off
from sufficiency.data.tables.words import hashed_text
from sufficiency.extras import install
from sufficiency.plugins.datasets import Limit, Start

_MOST_NAMED = 5
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
    classes: list[str] | None = None,
    background: Background = "white",
    layout: Layout = "auto",
    scale: Scale = "auto",
) -> ArrayDataset:
    """Load a Hugging Face dataset from a folder: images resized, text hashed, arrays of numbers.

    What is stored counts: a format that was set (torch, numpy, some columns, images not decoded) changes nothing.

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
        Which split, where the folder holds a DatasetDict of several.
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
    classes : list of str
        Names of all classes, in order; those of the ClassLabel, or the values themselves, where not given.
    background : str
        Colour behind what is transparent in images.
    layout : {"auto", "chw", "hwc"}
        Where arrays of images have their channels; "auto" moves those first that can only be last.
    scale : {"auto", "range", "none"}
        How the pixels of arrays are brought to [0, 1]: "auto" by their type's range, or the training split's.
    """
    import datasets

    folder = resolve_inside(path)
    if not folder.is_dir():
        raise DatasetError(f"{path} is not a folder; write it with dataset.save_to_disk(...)")
    only_files(folder, path)
    try:
        found = datasets.load_from_disk(str(folder))
    except Exception as error:  # of a damaged folder it raises nearly anything
        if (folder / "state.json").is_file() and not any(folder.glob("*.arrow")):
            raise DatasetError(f"{path} has no items: save_to_disk was called on an empty dataset") from error
        raise DatasetError(
            f"{path} is not what save_to_disk writes: {type(error).__name__}: {error}{_other_form(folder)}"
        ) from error
    if isinstance(found, datasets.DatasetDict):
        split = next(iter(found)) if split is None and len(found) == 1 else split
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
    if item == target:
        raise DatasetError(f"{path}: item and target are both {item!r}; a model would be given what it is to predict")
    found = found.with_format(None)
    rows = chosen_rows(len(found), start, limit)
    whole, found = found, found.select(rows)
    names, y = _targets(found, target, path, task, classes)
    about = {name: np.asarray(found[name][:]) for name in metadata}
    description = Description(warnings=tuple(_cut_off(whole, rows, target, path, task)), scale=scale)
    if image := _image_feature(found.features[item]):
        decode = Decoder(size, grayscale, background)
        x = np.empty((len(rows), 1 if grayscale else 3, size, size), np.float32)
        stored = found.select_columns([item]).cast_column(item, image)
        _decode_into(x, (row[item] for row in stored), decode, rows, f"{path}, column {item!r}")
        return ArrayDataset(x, y, names, path, (), about, decode.description(path).joined(description))
    if _is_text(found.features[item]):
        texts = found[item][:]
        _no_gaps(texts, item, path)
        counts, features = hashed_text(texts, text_features, item)
        return ArrayDataset(counts, y, names, path, features, about, description)
    array, moved = channels_first(_numbers(found, item, path), layout, path)
    pixels = as_unit(array) if scale == "auto" and array.ndim > 2 else array
    return ArrayDataset(pixels, y, names, path, (), about, description.joined(moved))


def _other_form(folder: Path) -> str:
    if any(folder.rglob("*.parquet")):
        return (
            "; it holds Parquet files: datasets.load_dataset('parquet', data_files=…).save_to_disk(…) makes it one, "
            "and the loader tabular reads a single file of numbers, categories and text"
        )
    return ""


def _cut_off(whole: Any, rows: NDArray[np.int64], target: str, path: str, task: Task) -> list[Remark]:
    if not 0 < len(rows) < len(whole):
        return []
    try:
        names, y = _targets(whole.select_columns([target]), target, path, task)
    except DatasetError:
        return []  # what is wrong with rows that are not taken is nobody's concern
    return cut_off(y, rows, names, path)


def _image_feature(feature: Any) -> Any:
    """Return a column's feature as that of undecoded images; None where it holds no images."""
    import datasets

    if isinstance(feature, datasets.Image):
        return datasets.Image(mode=feature.mode, decode=False)
    # Images that were written as bytes, as Parquet files have them, without being called images
    if isinstance(feature, Mapping) and "bytes" in feature and set(feature) <= {"bytes", "path"}:
        return datasets.Image(decode=False)
    is_binary = isinstance(feature, datasets.Value) and feature.dtype in ("binary", "large_binary")
    return datasets.Image(decode=False) if is_binary else None


def _decode_into(
    x: NDArray[np.float32], stored: Iterable[Any], decode: Decoder, rows: NDArray[np.int64], source: str
) -> None:
    """Decode images, each under `bytes` or at a `path`; say of all that cannot be used which they are."""
    empty, damaged = [], []
    for at, (row, one) in enumerate(zip(rows.tolist(), stored, strict=True)):
        value = one or {}
        if not value.get("bytes") and not value.get("path"):
            empty.append(row)
            continue
        try:
            content = value["bytes"] or resolve_inside(value["path"]).read_bytes()
            x[at] = decode.read(content)
        except Exception as error:  # the decoders of damaged files raise nearly anything
            damaged.append((row, error))
    if empty or damaged:
        said = [f"item {row} cannot be read: {error}" for row, error in damaged[:_MOST_NAMED]]
        if empty:
            first = ", ".join(map(str, empty[:_MOST_NAMED]))
            said.append(f"{len(empty)} items are empty ({first}{' …' if len(empty) > _MOST_NAMED else ''})")
        wrong = len(empty) + len(damaged)
        raise DatasetError(
            f"{source}: {wrong} of {len(rows)} images cannot be used: {'; '.join(said)}; drop those rows"
        )


def _is_text(feature: Any) -> bool:
    import datasets

    return isinstance(feature, datasets.Value) and feature.dtype in ("string", "large_string", "string_view")


def _numbers(found: Any, item: str, path: str) -> NDArray[Any]:
    values = found[item][:]
    _no_gaps(values, item, path)
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "buif":
            array = array.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise DatasetError(
            f"{path}: column {item!r} holds {found.features[item]}; items must be images, text, or numbers of one shape"
        ) from error
    stored = _leaf(found.features[item])
    if stored in ("uint8", "uint16") and array.ndim > 2:
        array = array.astype(stored)  # as Python's numbers they had lost what their range is
    return array[:, None] if array.ndim == 1 else array


def _leaf(feature: Any) -> str:
    """Return the type of a nested list's numbers."""
    while (inner := getattr(feature, "feature", feature[0] if isinstance(feature, list) else None)) is not None:
        feature = inner
    return str(getattr(feature, "dtype", ""))


def _no_gaps(values: list[Any], column: str, path: str) -> None:
    gaps = [row for row, value in enumerate(values) if value is None or (isinstance(value, float) and value != value)]
    if gaps:
        raise DatasetError(
            f"{path}: column {column!r} has {len(gaps)} empty {'value' if len(gaps) == 1 else 'values'}, the first in "
            f"item {gaps[0]}; drop those rows"
        )


def _targets(
    found: Any, target: str, path: str, task: Task, classes: list[str] | None = None
) -> tuple[list[str] | None, NDArray[Any]]:
    import datasets

    values = found[target][:]
    _no_gaps(values, target, path)
    several = task != "regression" and isinstance(values[0], list | tuple | np.ndarray)
    if not several and any(isinstance(value, list | dict) for value in values[:1]):
        raise DatasetError(
            f"{path}: column {target!r} holds {found.features[target]}, several values an item; a target is one class "
            "or one number"
        )
    if task == "regression":
        return None, np.asarray(values)
    if several:
        inner = getattr(found.features[target], "feature", None)
        names = classes or (list(inner.names) if isinstance(inner, datasets.ClassLabel) else None)
        return several_of_lists(values, names, "" if task == "classification" else task, f"{path}: column {target!r}")
    if isinstance(feature := found.features[target], datasets.ClassLabel):
        labels = np.asarray(values, dtype=np.int64)
        if hidden := int((labels == -1).sum()):
            raise DatasetError(
                f"{path}: {hidden} of {len(labels)} items have the label -1 in column {target!r}, which means that it "
                "is not given, as in the test splits of competitions; use another split, or drop those rows"
            )
        return classes_by_name(labels, list(feature.names), classes, path)
    if blank := [row for row, value in enumerate(values) if isinstance(value, str) and not value.strip()]:
        raise DatasetError(
            f"{path}: column {target!r} has {len(blank)} empty labels, the first in item {blank[0]}; drop those rows"
        )
    if odd := next((value for value in values if isinstance(value, float) and not value.is_integer()), None):
        raise DatasetError(
            f"{path}: column {target!r} holds numbers with fractions, such as {odd:g}, which are no classes; set "
            "task=regression to predict them"
        )
    ordered = sorted(set(values))
    number = {value: k for k, value in enumerate(ordered)}
    y = np.array([number[value] for value in values], dtype=np.int64)
    return classes_by_name(y, [str(value) for value in ordered], classes, path)
