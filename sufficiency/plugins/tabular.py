"""Tables: CSV or Parquet, one column to predict."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from sufficiency.data.description import Description, Remark
from sufficiency.data.errors import DatasetError
from sufficiency.data.paths import resolve_inside
from sufficiency.data.rows import chosen_rows
from sufficiency.data.suspicions import cut_off
from sufficiency.data.tables.columns import Column, counts_rows
from sufficiency.data.tables.dataset import Table, TableDataset
from sufficiency.data.tables.encoding import Choices, Dates, Missing
from sufficiency.data.tables.kinds_of_file import KindsOfFile
from sufficiency.data.tables.reading import Contents, read_table
from sufficiency.data.tables.refusal import refuse
from sufficiency.data.tables.spelling import Decimal
from sufficiency.data.tables.targets import MOST_NAMED, classes_of, groups_of
from sufficiency.plugins.datasets import Limit, Start

MISSING_VALUES = [
    *("", "NA", "N/A", "n/a", "<NA>", "#N/A", "#N/A N/A", "#NA", "NaN", "nan", "-NaN", "-nan", "NaT"),
    *("NULL", "Null", "null", "(null)", "None", "?", "\\N", "n.a.", "N.A.", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    *("#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!"),
]


def load_tabular(
    path: str,
    target: str,
    features: list[str] | None = None,
    classes: list[str] | None = None,
    task: Literal["classification", "regression"] = "classification",
    text: list[str] = [],  # noqa: B006  (never changed; shown in the schema)
    text_features: Annotated[int, Field(ge=1, le=2**20)] = 1024,
    metadata: list[str] = [],  # noqa: B006
    split: Literal["train", "test"] | None = None,
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2,
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0,
    start: Start = 0,
    limit: Limit = None,
    leave_out: list[str] = [],  # noqa: B006
    categorical: list[str] = [],  # noqa: B006
    missing: Missing = "refuse",
    missing_values: list[str] = MISSING_VALUES,
    dates: Dates = "refuse",
    delimiter: Annotated[str | None, Field(min_length=1, max_length=1)] = None,
    decimal: Decimal | None = None,
    encoding: str | None = None,
) -> TableDataset:
    """Load a CSV or Parquet file: numbers as they are, categories one-hot, free text hashed, one column to predict.

    Parameters
    ----------
    path : str
        File inside a data root, ending in .csv (.tsv, .txt) or .parquet.
    target : str
        Column to predict.
    features : list of str
        Columns to predict from; all others where not given, but for the metadata, an index, and what counts the rows.
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
        Split the file's rows at random; null takes all of them.
    test_fraction : float
        Share of the rows in the test split.
    seed : int
        Of the split; give both splits the same.
    start, limit : int
        Take `limit` rows from `start` on, after splitting.
    leave_out : list of str
        Columns that are no features.
    categorical : list of str
        Columns whose numbers are names, as postal codes are.
    missing : {"refuse", "drop", "impute"}
        What becomes of missing values: the file is refused; their rows are left out; or they are filled with the
        training split's median (and a 0/1 feature says where) or most frequent category. A row without a target is
        never filled.
    missing_values : list of str
        What stands for a missing value in text, spaces around it aside.
    dates : {"refuse", "ordinal", "parts"}
        What becomes of dates and times: they are refused; days since 1970 (seconds since midnight); or year, month,
        day, weekday (Monday is 0), hour, minute and second, each a feature.
    delimiter : str
        What stands between the cells of a text file; found where not given.
    decimal : {".", ","}
        What stands before the fraction of a number in a text file; found where not given.
    encoding : str
        Of a text file, such as cp1252; found where not given.
    """
    contents = read_table(resolve_inside(path), path, target, delimiter, encoding)
    names = _features(contents, path, target, features, text, metadata, leave_out)
    known = set(names)
    for name in (*categorical, *text):
        if name not in known:
            what = "text" if name in text else "categorical"
            raise DatasetError(f"{path}: the {what} column {name!r} is not among the features")
    wanted = list(dict.fromkeys((*names, target, *metadata)))
    kinds = KindsOfFile(contents, missing_values, decimal, (*categorical, *metadata), text)
    columns = {name: kinds.of(name) for name in wanted if name != target}
    labels = kinds.of(target, named=task == "classification", values=classes or ())
    if not len(labels):
        raise DatasetError(f"{path} has no items: it is a header without rows")
    for name in categorical:
        columns[name] = replace(columns[name], kind="category", unclear="", unit="", doubt="")

    notes = [*contents.notes, *kinds.notes(path)]
    if features is None:
        notes += [
            Remark("index_left_out", f"{path}: the column {name.split(chr(0))[0]!r} is no feature: {why}")
            for name, why in contents.index.items()
            if name not in columns and name != target
        ]
    spare = {}
    if features is None:
        of_words = {*text, *categorical}
        spare = {name: columns[name] for name in names if name not in of_words and _counts(columns[name])}
        notes += [
            Remark("index_left_out", f"{path}: the column {name!r} counts the rows, and is no feature")
            for name in spare
        ]
    used = {name: columns[name] for name in names if name not in spare}
    if missing != "refuse":
        of_text = set(text)
        for name in [name for name, column in used.items() if column.kind == "empty" and name not in of_text]:
            notes.append(Remark("column_empty", f"{path}: the column {name!r} is empty, and is no feature"))
            spare[name] = used.pop(name)
    about = {name: columns[name] for name in metadata}
    refuse(path, labels, target, used, about, task, classes, Choices(missing, dates, tuple(text), text_features))

    rows = np.arange(len(labels))
    handled: dict[str, Any] | None = None
    if missing != "refuse":
        gaps = np.zeros(len(rows), bool)
        if missing == "drop":
            gaps |= np.any([column.missing for column in (*used.values(), *about.values())], axis=0)
        rows = np.flatnonzero(~(gaps | labels.missing))
        dropped = len(labels) - len(rows)
        handled = {"path": path, "rows_dropped": dropped, "without_target": int(labels.missing.sum())}
        if not len(rows):
            raise DatasetError(f"{path}: every row has a missing value; leave out the columns that have most of them")
        if dropped:
            what = f"{dropped} of {len(labels)} rows lack a value, and are left out"
            notes.append(Remark("rows_dropped", f"{path}: {what}"))
    class_names, y = (None, labels.numbers) if task == "regression" else classes_of(labels, target, path, classes, rows)
    assert y is not None, "a regression's target was seen to hold numbers"
    if split is not None:
        order = np.random.default_rng(seed).permutation(len(rows))
        cut = round(len(rows) * test_fraction)
        rows = rows[order[:cut] if split == "test" else order[cut:]]
    taken = chosen_rows(len(rows), start, limit)
    doubts = tuple(cut_off(y[rows], taken, class_names, path))
    rows = rows[taken]
    table = Table(used, spare, Choices(missing, dates, tuple(text), text_features), features is not None).take(rows)
    grouped = {name: groups_of(column)[rows] for name, column in about.items()}
    return TableDataset(table, y[rows], class_names, path, grouped, Description(tuple(notes), doubts, missing=handled))


def _features(
    contents: Contents,
    path: str,
    target: str,
    features: list[str] | None,
    text: Sequence[str],
    metadata: Sequence[str],
    leave_out: Sequence[str],
) -> list[str]:
    """Return the features' names, in order.

    Raises
    ------
    DatasetError
        For a column that is not there, or no feature at all.
    """
    aside, unwanted = {target, *metadata, *contents.index}, set(leave_out)
    others = [name for name in contents.cells if name not in aside]
    names = [name for name in (others if features is None else features) if name not in unwanted]
    for name in (target, *names, *text, *metadata, *leave_out):
        if name not in contents.cells:
            known = ", ".join(repr(known) for known in list(contents.cells)[:MOST_NAMED])
            raise DatasetError(f"{path} has no column {name!r}; it has {known}")
    if not names or target in names:
        raise DatasetError(f"{path}: the features must be at least one column, and not the target {target!r}")
    return names


def _counts(column: Column) -> bool:
    return column.kind == "number" and not column.missing.any() and counts_rows(column.present())
