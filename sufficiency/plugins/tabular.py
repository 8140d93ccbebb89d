"""Tables: CSV or Parquet, numeric and categorical columns, one column to predict."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sufficiency.data.arrays import ArrayDataset, DatasetError, Task, chosen_rows
from sufficiency.data.paths import resolve_inside
from sufficiency.plugins.datasets import Limit, Start

MOST_CATEGORIES = 1000


def load_tabular(
    path: str,
    target: str,
    features: list[str] | None = None,
    classes: list[str] | None = None,
    task: Task = "classification",
    text: list[str] = [],  # noqa: B006  (never changed; shown in the schema)
    text_features: Annotated[int, Field(ge=1, le=2**20)] = 1024,
    metadata: list[str] = [],  # noqa: B006
    split: Literal["train", "test"] | None = None,
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2,
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0,
    start: Start = 0,
    limit: Limit = None,
) -> ArrayDataset:
    """Load a CSV or Parquet file: numbers as they are, categories one-hot, free text hashed, one column to predict.

    Parameters
    ----------
    path : str
        File inside a data root, ending in .csv or .parquet.
    target : str
        Column to predict.
    features : list of str
        Columns to predict from; all others where not given, but for the metadata.
    classes : list of str
        All values of the target, in order; those in the file where not given. For a split that lacks some of them.
    task : {"classification", "regression"}
        Whether the target's values are classes, or numbers to predict.
    text : list of str
        Columns of free text: their words are counted by hash, without a vocabulary to be learnt.
    text_features : int
        Features that the words of each text column are hashed to.
    metadata : list of str
        Columns that are no features, but by which rows can be grouped.
    split : {"train", "test"}
        Split the file's rows at random; null takes all of them. Categories are those of the whole file.
    test_fraction : float
        Share of the rows in the test split.
    seed : int
        Of the split; give both splits the same.
    start, limit : int
        Take `limit` rows from `start` on, after splitting.
    """
    file = resolve_inside(path)
    columns = _read(file, path)
    if target not in columns:
        raise DatasetError(f"{path} has no column {target!r}; it has {', '.join(list(columns)[:20])}")
    others = [name for name in columns if name != target and name not in metadata]
    names = others if features is None else features
    if missing := [name for name in (*names, *text, *metadata) if name not in columns]:
        raise DatasetError(f"{path} has no column {missing[0]!r}; it has {', '.join(list(columns)[:20])}")
    if not names or target in names:
        raise DatasetError(f"{path}: the features must be at least one column, and not the target {target!r}")
    if stray := [name for name in text if name not in names]:
        raise DatasetError(f"{path}: the text column {stray[0]!r} is not among the features")
    class_names: list[str] | None
    y: NDArray[Any]
    if task == "regression":
        class_names, y = None, _numbers_of(columns[target], target, path, classes)
    else:
        class_names, y = _classes(columns[target], target, path, classes)
    encoded = [
        hashed_text(_as_text(columns[name], name, path).tolist(), text_features, name)
        if name in text
        else _encode(columns[name], name, path)
        for name in names
    ]
    about = {name: _about(columns[name], name, path) for name in metadata}
    x = np.concatenate([numbers for numbers, _ in encoded], axis=1)
    if split is not None:
        order = np.random.default_rng(seed).permutation(len(x))
        cut = round(len(x) * test_fraction)
        rows = order[:cut] if split == "test" else order[cut:]
    else:
        rows = np.arange(len(x))
    rows = rows[chosen_rows(len(rows), start, limit)]
    labels = [label for _, names in encoded for label in names]
    return ArrayDataset(x[rows], y[rows], class_names, path, labels, {key: about[key][rows] for key in about})


def _read(file: Path, path: str) -> dict[str, Any]:
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        if file.suffix.lower() == ".parquet":
            table = parquet.read_table(file)
        elif file.suffix.lower() == ".csv":
            table = csv.read_csv(file)
        else:
            raise DatasetError(f"{path} must end in .csv or .parquet")
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as a table: {error}") from error
    if twice := [name for k, name in enumerate(table.column_names) if name in table.column_names[:k]]:
        raise DatasetError(f"{path} has two columns {twice[0]!r}; give them different names")
    return {name: table.column(name) for name in table.column_names}


def _classes(column: Any, name: str, path: str, given: list[str] | None) -> tuple[list[str], NDArray[np.int64]]:
    """Return the class names and each row's class; numbers sort as numbers, so that 10 comes after 9."""
    text = _as_text(column, name, path)
    values = text.tolist() if not _is_number(column) else column.to_pylist()
    names = [str(value) for value in sorted(set(values))] if given is None else given
    if len(names) > MOST_CATEGORIES:
        raise DatasetError(f"{path}: the target {name!r} has {len(names)} different values; it is no class")
    number = {value: k for k, value in enumerate(names)}
    if unknown := [value for value in text.tolist() if value not in number]:
        raise DatasetError(f"{path}: {unknown[0]!r} in the target {name!r} is not among the classes")
    return names, np.array([number[value] for value in text.tolist()], dtype=np.int64)


def _numbers_of(column: Any, name: str, path: str, classes: list[str] | None) -> NDArray[np.float32]:
    if classes is not None:
        raise DatasetError(f"{path}: a regression has no classes; leave them out, or make the task a classification")
    if not _is_number(column):
        raise DatasetError(f"{path}: the target {name!r} holds {column.type}; a regression needs numbers")
    return _encode(column, name, path)[0][:, 0]


def hashed_text(texts: Sequence[str], features: int, name: str) -> tuple[NDArray[np.float32], list[str]]:
    """Return word counts by hash, each text of length 1, shape (N, features), and what each number is.

    Notes
    -----
    Nothing is learnt from the texts, so that a subset and the whole set, or two splits, are encoded alike.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    counts = HashingVectorizer(n_features=features, alternate_sign=False).transform(texts)
    return counts.toarray().astype(np.float32), [f"{name}#{k}" for k in range(features)]


def _about(column: Any, name: str, path: str) -> NDArray[Any]:
    _refuse_gaps(column, name, path)
    return np.asarray(column.to_pylist()) if _is_number(column) else np.array([str(v) for v in column.to_pylist()])


def _is_number(column: Any) -> bool:
    from pyarrow import types

    return any(is_kind(column.type) for is_kind in (types.is_integer, types.is_floating, types.is_decimal))


def _refuse_gaps(column: Any, name: str, path: str) -> None:
    if column.null_count:
        raise DatasetError(f"{path}: column {name!r} has {column.null_count} empty values; fill or drop them")


def _as_text(column: Any, name: str, path: str) -> NDArray[np.str_]:
    from pyarrow import types

    _refuse_gaps(column, name, path)
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    known = (types.is_string, types.is_large_string, types.is_string_view, types.is_boolean)
    if len(column) and not _is_number(column) and not any(is_kind(kind) for is_kind in known):
        raise DatasetError(f"{path}: column {name!r} holds {column.type}; it must hold numbers or text")
    return np.array([str(value) for value in column.to_pylist()], dtype=np.str_)


def _encode(column: Any, name: str, path: str) -> tuple[NDArray[np.float32], list[str]]:
    """Return a column as numbers, shape (N, 1), or one-hot, shape (N, categories), and what each number is."""
    from pyarrow import types

    if _is_number(column) or types.is_boolean(column.type):
        _refuse_gaps(column, name, path)
        numbers = np.asarray(column.to_numpy(), dtype=np.float64)[:, None]
        if (bad := np.flatnonzero(~np.isfinite(numbers))).size:
            raise DatasetError(f"{path}: column {name!r} is NaN or infinite in row {bad[0]} ({bad.size} such rows)")
        with np.errstate(over="ignore"):  # refused with the items
            return numbers.astype(np.float32), [name]
    categories, index = np.unique(_as_text(column, name, path), return_inverse=True)
    if len(categories) > MOST_CATEGORIES:
        raise DatasetError(f"{path}: column {name!r} has {len(categories)} categories; leave it out of the features")
    one_hot = np.eye(len(categories), dtype=np.float32)[index]
    return one_hot, [f"{name}={category}" for category in categories.tolist()]
