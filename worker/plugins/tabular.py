"""Tables: CSV or Parquet, numeric and categorical columns, one column to predict."""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from worker.plugins.arrays import ArrayDataset, DatasetError, select
from worker.plugins.datasets import Limit, Start
from worker.plugins.paths import resolve_inside

MOST_CATEGORIES = 1000


def load_tabular(
    path: str,
    target: str,
    features: list[str] | None = None,
    split: Literal["train", "test"] | None = None,
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2,
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0,
    start: Start = 0,
    limit: Limit = None,
) -> ArrayDataset:
    """Load a CSV or Parquet file: numbers as they are, text columns one-hot, the target's values as classes.

    Parameters
    ----------
    path : str
        File inside a data root, ending in .csv or .parquet.
    target : str
        Column to predict.
    features : list of str
        Columns to predict from; all others where not given.
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
    names = [name for name in columns if name != target] if features is None else features
    if missing := [name for name in names if name not in columns]:
        raise DatasetError(f"{path} has no column {missing[0]!r}; it has {', '.join(list(columns)[:20])}")
    if not names or target in names:
        raise DatasetError(f"{path}: the features must be at least one column, and not the target {target!r}")
    classes, y = np.unique(_as_text(columns[target], target, path), return_inverse=True)
    x = np.concatenate([_encode(columns[name], name, path) for name in names], axis=1)
    if split is not None:
        order = np.random.default_rng(seed).permutation(len(x))
        cut = round(len(x) * test_fraction)
        rows = order[:cut] if split == "test" else order[cut:]
        x, y = x[rows], y[rows]
    x, y = select(x, y, start, limit)
    return ArrayDataset(x, y, classes.tolist(), path)


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
    return {name: table.column(name) for name in table.column_names}


def _as_text(column: Any, name: str, path: str) -> NDArray[np.str_]:
    if column.null_count:
        raise DatasetError(f"{path}: column {name!r} has {column.null_count} empty values; fill or drop them")
    return np.array([str(value) for value in column.to_pylist()])


def _encode(column: Any, name: str, path: str) -> NDArray[np.float32]:
    """Return a column as numbers, shape (N, 1), or one-hot, shape (N, categories)."""
    from pyarrow import types

    if types.is_integer(column.type) or types.is_floating(column.type) or types.is_boolean(column.type):
        if column.null_count:
            raise DatasetError(f"{path}: column {name!r} has {column.null_count} empty values; fill or drop them")
        return np.asarray(column.to_pylist(), dtype=np.float32)[:, None]
    categories, index = np.unique(_as_text(column, name, path), return_inverse=True)
    if len(categories) > MOST_CATEGORIES:
        raise DatasetError(f"{path}: column {name!r} has {len(categories)} categories; leave it out of the features")
    return np.eye(len(categories), dtype=np.float32)[index]
