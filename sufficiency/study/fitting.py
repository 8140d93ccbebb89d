"""The answers of a study without training anything: for who has measured already, with whatever tool."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from sufficiency.answers.elsewhere import Arranged, Disarranged, arranged
from sufficiency.answers.errors import TooLittleMeasured
from sufficiency.data.hosted import array_of
from sufficiency.schemas.faults import worded
from sufficiency.schemas.measured import ELSEWHERE, Measured
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import Bounds, Direction
from sufficiency.schemas.work import CellResult
from sufficiency.study.answering import OwnAnswers, Question
from sufficiency.study.columns import frame_columns, measured_number, numbered, rows_of
from sufficiency.study.errors import InvalidStudy
from sufficiency.study.files import read_file, refused
from sufficiency.study.record import Record, now
from sufficiency.study.result import StudyResult

# Fewer rows are in order by chance; and so much farther apart than the values of a row are sizes from each other.
_LEAST_SQUARE, _APART = 4, 2.0


def fit(
    n: Any,
    values: Any = None,
    *,
    metric: str | None = None,
    direction: Direction | None = None,
    bounds: Bounds | None = None,
    metrics: Mapping[str, Any] | None = None,
    class_names: Sequence[str] | None = None,
    test_size: int | None = None,
    test_class_counts: Sequence[int] | None = None,
    model: str = ELSEWHERE,
    dataset: str = ELSEWHERE,
    source: str | None = None,
    labels: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> StudyResult:
    """Fit the learning curves of values that were measured already; the answers are those of a study.

    Parameters
    ----------
    n : sequence of int, data frame, path, or what ``sklearn.model_selection.learning_curve`` returned
        Training-set sizes, in any order. A frame or a CSV file has a row a value (columns ``n``, ``value``, and maybe
        ``run``, ``metric``, ``class``) or a row a size (``n``, and a column a metric); several rows of one size are
        several runs.
    values : sequence or mapping
        With sizes: a value a size, shape (K,); runs by sizes, (R, K); runs by sizes by classes, (R, K, C). Or a
        mapping from metric names to such. NaN where a value is missing.
    metric : str, optional
        What to call a single metric.
    direction, bounds : optional
        How a single metric reads; else as `metrics` says, else by its name and its values.
    metrics : mapping, optional
        How each metric reads, as in a job.
    class_names : sequence of str, optional
        Of the classes, by their index.
    test_size, test_class_counts : optional
        Items that the values were measured on, so that the noise which they add is known.
    model, dataset, source : str
        What to call them in answers, and where the values come from.
    labels : mapping, optional
        Kept with the study.
    columns : mapping, optional
        Which columns of a table are ``n``, ``value``, ``run``, ``metric``, ``class``, where they are called otherwise.

    Returns
    -------
    StudyResult

    Raises
    ------
    InvalidStudy
        With everything that is wrong: too few sizes, sizes below 1, what is no number, a value that is there twice, a
        class that `class_names` lacks.

    Examples
    --------
    >>> import sufficiency
    >>> study = sufficiency.fit([50, 100, 200, 400], [0.71, 0.78, 0.83, 0.865], metric="Accuracy")
    >>> study.inv_project(0.9)[0]["status"]
    'needs'
    """
    rows = _rows(n, values, metric, dict(columns or {}))
    declared = _declared(rows, direction, bounds, metrics)
    try:
        measured = Measured.model_validate(
            {
                "values": rows,
                "model": model,
                "dataset": dataset,
                "source": source,
                "class_names": None if class_names is None else [str(name) for name in class_names],
                "test_size": test_size,
                "test_class_counts": None if test_class_counts is None else list(test_class_counts),
            }
        )
        cells = arranged(measured)
    except ValidationError as error:
        raise InvalidStudy(
            [{"pointer": "/".join(map(str, one["loc"])), "detail": worded(one)} for one in error.errors()[:20]]
        ) from error
    except Disarranged as error:
        raise InvalidStudy(
            [{"pointer": f"value {number + 1}", "detail": detail} for number, _, detail in error.faults]
        ) from error
    record = measured_elsewhere(measured, cells, declared, labels)
    answers = OwnAnswers(record)
    try:
        answers.fitted(Question())
    except TooLittleMeasured as error:
        raise InvalidStudy([{"pointer": "n", "detail": error.detail}]) from error
    return StudyResult(record, answers)


def measured_elsewhere(
    measured: Measured, cells: Arranged, metrics: Mapping[str, MetricSpec], labels: Mapping[str, str] | None = None
) -> Record:
    """Return the record of what was measured elsewhere."""
    info: dict[str, Any] = {"class_names": cells.class_names, "elsewhere": {"source": measured.source}}
    if measured.test_size is not None or measured.test_class_counts:
        counts = measured.test_class_counts or []
        info["test"] = {"size": measured.test_size or sum(counts), "class_counts": counts}
    record = Record(
        id=uuid4(),
        spec={
            **{kind: {"name": ELSEWHERE, "params": {}} for kind in ("training", "evaluation")},
            "model": {"name": measured.model, "params": {}},
            "dataset": measured.dataset,
            "runs": cells.runs,
            "schedule": cells.steps,
            "labels": dict(labels or {}),
        },
        steps=cells.steps,
        metrics={name: one.model_dump(mode="json") for name, one in metrics.items()},
        info=info,
        elsewhere=True,
        planned=len(cells.cells),
    )
    for (run, step), of_cell in cells.cells.items():
        record.cells[run, step] = CellResult(run, step, cells.steps[step], 0.0, ELSEWHERE, of_cell)
    record.state, record.finished_at = "completed", now()
    return record


def _rows(n: Any, values: Any, metric: str | None, columns: dict[str, str]) -> list[dict[str, Any]]:
    if isinstance(n, str | os.PathLike):
        return rows_of(read_file(Path(n)), str(n), columns, metric)
    if values is None and hasattr(n, "columns") and not isinstance(n, type):
        return rows_of(frame_columns(n), "the frame", columns, metric)
    if values is None and hasattr(n, "test_scores") and hasattr(n, "train_sizes"):  # a LearningCurveDisplay
        name = metric or getattr(n, "score_name", None) or "score"
        return _array_rows(n.train_sizes, {str(name): np.asarray(n.test_scores).T})
    if values is None and isinstance(n, tuple) and len(n) >= 3 and all(np.ndim(part) for part in n[:3]):
        return _array_rows(n[0], {metric or "score": np.asarray(n[2]).T})
    if values is None and isinstance(n, Mapping):
        if single := [str(k) for k, v in n.items() if not isinstance(v, Iterable)]:
            raise refused("the table", f"has no list of values in {single[0]!r}")
        return rows_of({str(k): list(v) for k, v in n.items()}, "the table", columns, metric)
    if values is None:
        detail = "give values with the sizes; or a frame, a CSV file, or what scikit-learn's learning_curve returned"
        raise InvalidStudy([{"pointer": "values", "detail": detail}])
    given = values if isinstance(values, Mapping) else {metric or "value": values}
    return _array_rows(n, given)


def _array_rows(n: Any, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    faults: list[tuple[str, str]] = []
    sizes = np.atleast_1d(_array(n))
    whole = sizes.dtype.kind in "iuf" and sizes.ndim == 1
    if not whole:
        faults.append(("n", f"must be whole numbers in one dimension, got {sizes.dtype} of shape {sizes.shape}"))
    else:
        faults += [
            (f"n[{k}]", f"{size!r} is no training-set size: a whole number from 1 on")
            for k, size in enumerate(sizes.tolist())
            if not (np.isfinite(size) and size >= 1 and size == int(size))
        ][:10]
    tables: dict[str, np.ndarray[Any, Any]] = {}
    for name, given in metrics.items():
        try:
            table = _array(given)
        except (TypeError, ValueError) as error:
            faults.append((str(name), f"must be a value a size: {error}"))
            continue
        if table.dtype.kind not in "iufO" or table.ndim not in (1, 2, 3):
            faults.append(
                (
                    str(name),
                    f"must be numbers, (sizes), (runs, sizes) or (runs, sizes, classes); got "
                    f"{table.dtype} of shape {table.shape}",
                )
            )
        elif whole and table.shape[0 if table.ndim == 1 else 1] != len(sizes):
            at = table.shape[0 if table.ndim == 1 else 1]
            hint = ""
            if table.ndim == 2 and table.shape[0] == len(sizes):
                hint = "; it seems to be sizes by runs: give its transpose"
            faults.append((str(name), f"has {at} sizes, and n has {len(sizes)}{hint}"))
        elif whole and _seems_transposed(table):
            detail = (
                "has as many runs as sizes, and seems to be sizes by runs, as scikit-learn's learning_curve has it: "
                "give its transpose; where rows are runs all the same, give a table with the columns n, run and value"
            )
            faults.append((str(name), detail))
        else:
            tables[str(name)] = table
    if faults:
        raise InvalidStudy([{"pointer": place, "detail": detail} for place, detail in faults])
    rows: list[dict[str, Any]] = []
    seen: dict[tuple[Any, ...], int] = {}
    for name, table in tables.items():
        by_class = table.ndim == 3
        cube = table[None, :] if table.ndim == 1 else table
        for run in range(cube.shape[0]):
            for k, size in enumerate(sizes.tolist()):
                parts = enumerate(cube[run, k]) if by_class else [(None, cube[run, k])]
                for label, value in parts:
                    place = (name, run, int(size), label)
                    # A size that is there twice is measured twice: another run.
                    again = seen[place] = seen.get(place, -1) + 1
                    try:
                        number = measured_number(value)
                    except ValueError as error:
                        faults.append((f"{name}[{run}, {k}]", str(error)))
                        continue
                    rows.append(
                        {
                            "n": int(size),
                            "value": number,
                            "metric": name,
                            "class": label,
                            "run": run + again * cube.shape[0],
                        }
                    )
    if faults:
        raise InvalidStudy([{"pointer": place, "detail": detail} for place, detail in faults[:20]])
    return numbered(rows)


def _seems_transposed(table: NDArray[Any]) -> bool:
    """Return whether a square of values goes one way from row to row, where those of a row are near each other."""
    if table.ndim != 2 or len(table) < _LEAST_SQUARE or len(set(table.shape)) > 1 or table.dtype.kind not in "iuf":
        return False
    means = table.mean(axis=1)
    one_way = (np.diff(means) > 0).all() or (np.diff(means) < 0).all()
    return bool(
        one_way and means.std() > _APART * table.std(axis=1).mean() and means.std() > _APART * table.mean(axis=0).std()
    )


def _array(given: Any) -> NDArray[Any]:
    if isinstance(given, np.ma.MaskedArray):  # what is masked is missing
        return np.ma.filled(given.astype(np.float64), np.nan)
    return np.asarray(given, dtype=object) if _ragged(given) else array_of(given)


def _ragged(given: Any) -> bool:
    return isinstance(given, list | tuple) and any(isinstance(one, str) or one is None for one in given)


def _declared(
    rows: Sequence[Mapping[str, Any]],
    direction: Direction | None,
    bounds: Bounds | None,
    metrics: Mapping[str, Any] | None,
) -> dict[str, MetricSpec]:
    names = list(dict.fromkeys(str(row["metric"]) for row in rows))
    try:
        declared = {name: MetricSpec.model_validate(one) for name, one in (metrics or {}).items()}
        if direction is not None or bounds is not None:
            if len(names) > 1:
                detail = f"there are {len(names)} metrics; say by `metrics` how each of them reads"
                raise InvalidStudy([{"pointer": "direction, bounds", "detail": detail}])
            spec = {"direction": direction or "maximize", "bounds": (None, None) if bounds is None else tuple(bounds)}
            declared[names[0]] = MetricSpec.model_validate(spec)
    except ValidationError as error:
        raise InvalidStudy(
            [{"pointer": "/".join(map(str, one["loc"])) or "bounds", "detail": worded(one)} for one in error.errors()]
        ) from error
    if unknown := sorted(set(declared) - set(names)):
        detail = f"names {', '.join(unknown)}, and what was measured is {', '.join(names)}"
        raise InvalidStudy([{"pointer": "metrics", "detail": detail}])
    return declared
