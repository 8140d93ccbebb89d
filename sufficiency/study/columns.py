"""From tables of any tool to measured values: by the names of their columns."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sufficiency.study.files import lengths, refused
from sufficiency.study.spelling import (
    MISSING,
    is_meant_as_numbers,
    number_of,
    size_of,
    without_na,
    without_per_cent,
)

# What columns are called, each by the first of its names that a table has.
SIZE = (
    *(
        "n",
        "train_size",
        "train_sizes",
        "training_size",
        "training_set_size",
        "n_train",
        "n_samples",
        "samples",
        "size",
    ),
    *("num_samples", "train_samples", "n_examples", "training_examples", "examples", "items", "step"),
)
RUN = ("run", "fold", "split", "repetition", "repeat", "rep", "trial", "seed", "cv")
METRIC = ("metric", "measure", "score_name", "name")
VALUE = ("value", "score", "test_score", "mean")
CLASS = ("class", "label", "class_name")
# What this product's own tables have beside the values.
BESIDE = ("step", "n_unique", "seconds", "device", "attempt", "reused_from", "index", "unnamed:_0", "")
# A log of training has a row for each of these.
PASSES = ("epoch", "epochs", "iteration", "iterations", "iter", "global_step")
# How far a column's values spread about, called after the column.
_SPREADS = ("_std", "_sd", "_se", "_sem", "__min", "__max")
RUNS = 10_000


def frame_columns(frame: Any) -> dict[str, list[Any]]:
    """Return the columns of a data frame, of pandas, polars or anything with `columns`; its index where it is named."""
    index = getattr(getattr(frame, "index", None), "names", None) or [None]
    if hasattr(frame, "reset_index") and all(name is not None and name not in frame.columns for name in index):
        frame = frame.reset_index()
    if doubled := next((name for k, name in enumerate(frame.columns) if name in list(frame.columns)[:k]), None):
        raise refused("the frame", f"has two columns {doubled!r}; give each a name of its own")
    return {
        str(name): list(frame[name].to_list() if hasattr(frame[name], "to_list") else frame[name])
        for name in frame.columns
    }


def rows_of(
    columns: Mapping[str, Sequence[Any]], place: str, named: Mapping[str, str | None], metric: str | None
) -> list[dict[str, Any]]:
    """Return the values of a table: a row a value, or a row a size with a column a metric.

    Parameters
    ----------
    place : str
        What to call the table in an error.
    named : mapping
        Columns that are named for `n`, `run`, `metric`, `value`, `class`; the rest are found by what they are called.
    metric : str or None
        What a single column of values is called in answers.

    Raises
    ------
    InvalidStudy
        With everything that is wrong.
    """
    columns = {name: without_na(values) for name, values in columns.items()}
    if len({len(values) for values in columns.values()}) > 1:
        raise refused(place, f"has columns of different lengths: {lengths(columns)}")
    found = {_plain(name): name for name in columns}
    faults: list[str] = [f"has no column {name!r}" for name in named.values() if name and name not in columns]
    if faults:
        raise refused(place, "; ".join(faults) + f"; it has {', '.join(columns)}")

    def column(of: str, names: Sequence[str]) -> str | None:
        return named.get(of) or next((found[name] for name in names if name in found), None)

    size, run, kind = column("n", SIZE), column("run", RUN), column("class", CLASS)
    value = column("value", VALUE) if (column("metric", METRIC) or named.get("value")) else _only_number(found)
    names = column("metric", METRIC)
    if size is None:
        raise refused(
            place,
            f"has no column of training-set sizes: call it n, or say which with n=…; it has {', '.join(columns)}",
        )
    columns = {name: values if name == size else _plain_values(values, name, place) for name, values in columns.items()}
    beside = {size, run, kind, names, *_spreads(found), *(found[name] for name in PASSES if name in found)}
    faults += [
        f"column {found[name]!r}: it has a row for each {name} of a training, and each would count as a run: keep the "
        "last one of each training"
        for name in PASSES
        if name in found and found[name] not in (size, run) and _is_log(columns[size], columns[found[name]])
    ]
    if value is not None:
        measured = [value]
    else:
        measured = [
            name for name in columns if name not in beside and _plain(name) not in BESIDE and _is_numeric(columns[name])
        ]
        faults += [
            f"column {name!r} holds text of several kinds: fit each by itself, or leave the column out"
            for name in columns
            if name not in beside and name not in measured and _plain(name) not in BESIDE and _varies(columns[name])
        ]
    if not measured:
        faults.append(f"has no column of values beside {size!r}")
    rows: list[dict[str, Any]] = []
    counted: dict[tuple[Any, ...], int] = {}
    for number in range(len(columns[size])):
        try:
            n = _whole(columns[size][number])
            at = None if run is None else _hashable(columns[run][number])
            label = None if kind is None else _label(columns[kind][number])
            for name in measured:
                called = str(columns[names][number]) if names and value is not None else metric if value else name
                row = {
                    "n": n,
                    "value": measured_number(columns[name][number]),
                    "metric": called or "value",
                    "class": label,
                }
                place_of = (n, row["metric"], label)
                row["run"] = at if at is not None else counted.get(place_of, 0)
                counted[place_of] = counted.get(place_of, 0) + 1
                rows.append(row)
        except ValueError as error:
            faults.append(f"row {number + 1}: {error}")
    if faults:
        raise refused(place, "; ".join(faults[:10]))
    return numbered(rows)


def _plain_values(values: Sequence[Any], name: str, place: str) -> list[Any]:
    try:
        return without_per_cent(values)
    except ValueError as error:
        raise refused(place, f"column {name!r}: {error}") from error


def numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with their runs numbered: folds and seeds may be called anything."""
    labels = list(dict.fromkeys(row["run"] for row in rows))
    try:
        labels.sort(key=lambda label: float(label))
    except (TypeError, ValueError, OverflowError):
        labels.sort(key=str)
    if any(not isinstance(label, int) or isinstance(label, bool) or not 0 <= label < RUNS for label in labels):
        places = {label: k for k, label in enumerate(labels)}
        return [{**row, "run": places[row["run"]]} for row in rows]
    return rows


def _spreads(found: Mapping[str, str]) -> list[str]:
    """Return the columns that say how far another one's values spread, which are no values themselves."""
    return [
        name for plain, name in found.items() for end in _SPREADS if plain.endswith(end) and plain[: -len(end)] in found
    ]


def _is_log(sizes: Sequence[Any], passes: Sequence[Any]) -> bool:
    """Return whether rows of one size are the passes of its training, 0, 1, 2 …, and not the last one of each run."""
    by_size: dict[str, set[Any]] = {}
    for size, at in zip(sizes, passes, strict=True):
        by_size.setdefault(str(size), set()).add(str(at))
    several = [seen for seen in by_size.values() if len(seen) > 1]
    counted = [{text.removesuffix(".0") for text in seen} for seen in several]
    return bool(several) and all(
        seen in ({str(k) for k in range(len(seen))}, {str(k) for k in range(1, len(seen) + 1)}) for seen in counted
    )


def _only_number(found: Mapping[str, str]) -> str | None:
    return found.get("value") or found.get("score") or found.get("test_score")


def _plain(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.strip().lower())


def _whole(value: Any) -> int:
    number = measured_number(size_of(value) if isinstance(value, str) else value)
    if number is None or number != int(number) or number < 1:
        raise ValueError(f"{value!r} is no training-set size: a whole number from 1 on")
    return int(number)


def _label(value: Any) -> str | int | None:
    if value is None or str(value).strip().lower() in MISSING:
        return None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and str(int(value)) == value else value
    try:
        return int(value) if float(value) == int(value) else str(value)
    except (TypeError, ValueError, OverflowError):  # no number, or none that is as large
        return str(value)


def _hashable(label: Any) -> Any:
    """Return what a run is called, or how that is written: JSON has lists there, and frames arrays."""
    try:
        hash(label)
    except TypeError:
        return str(label)
    return label


def measured_number(value: Any) -> float | None:
    """Return a measured number; None for a missing one: NaN, an infinity, or an empty field."""
    if value is None:
        return None
    if isinstance(value, str):
        return number_of(value)
    if isinstance(value, bool | np.bool_ | complex | np.complexfloating):
        raise ValueError(f"{value!r} is no measured number")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is no number") from None
    except OverflowError:
        raise ValueError(f"{str(value)[:40]}… is too large") from None
    return number if np.isfinite(number) else None


def _is_numeric(values: Sequence[Any]) -> bool:
    """Return whether a column holds numbers, be it with a few that are none."""
    good = 0
    for value in values:
        try:
            good += measured_number(value) is not None
        except ValueError:
            continue
    return good * 2 > len(values) or is_meant_as_numbers(values)


def _varies(values: Sequence[Any]) -> bool:
    return len({str(value) for value in values}) > 1
