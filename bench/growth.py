"""How long twice as much takes: validation, warnings and tables, in this process.

``python -m bench.growth``: seconds of processor time, the least of three tries, at a size, at twice and at four times
that; about 1 : 2 : 4 is as it should be. `tests/growth` holds counted work to this; the clock also sees what is done
in C, and by processor time it does not see who else is at work.
"""

import io
import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import numpy as np
from pydantic import TypeAdapter, ValidationError

from app.web.invalid import field_errors
from sufficiency import fit
from sufficiency.answers.study import FittedStudy, Study, fit_study
from sufficiency.answers.values import Spread, value_warnings
from sufficiency.answers.verdict import verdict
from sufficiency.data.tables.dataset import encoded
from sufficiency.method.measurements import Series, series_from_rows
from sufficiency.plugins import tabular
from sufficiency.schemas.spec import JobSpec

TRIES = 3
_NUMBERS = itertools.count()
SPEC = {"model": {"name": "m"}, "training": {"name": "t"}, "evaluation": {"name": "e"}, "dataset": "d"}


def refuse_zeros(size: int) -> None:
    """Put a schedule of zeros into words."""
    body = {**SPEC, "schedule": [0] * size}
    try:
        TypeAdapter(JobSpec).validate_python(body)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        assert field_errors(found, body, JobSpec).total >= 1


def warn(size: int) -> None:
    """Look at the values of many metrics."""
    # Of names that nobody has seen: how one is read is remembered for some thousands of them.
    value_warnings([Spread(f"Metric {next(_NUMBERS)}", -1, 3, 0.0, 2.0) for _ in range(size)], 5, {})


def load(size: int) -> None:
    """Read a table of many columns."""
    text = io.StringIO()
    text.write(",".join([*(f"f{k}" for k in range(size)), "y"]) + "\n")
    for number, row in enumerate(np.random.default_rng(0).random((60, size)).round(4)):
        text.write(",".join([*map(str, row.tolist()), str(number % 2)]) + "\n")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "wide.csv"
        file.write_text(text.getvalue())
        tabular.resolve_inside = lambda _: file
        dataset = tabular.load_tabular("wide.csv", "y")
        encoded(dataset, dataset)


def judge(size: int) -> None:
    """Fit the curves of many metrics, and judge each."""
    n = np.geomspace(20, 2000, 5).astype(int)
    drawn = np.random.default_rng(0).random((size, 3, 1))
    values = {f"Metric {k}": 1 - (0.5 + 0.4 * drawn[k]) * n**-0.4 for k in range(size)}
    fit(n, values, test_size=1000).verdict()


# A job of so many classes, with five metrics that have a value for each; in 5 runs × 8 steps.
PER_CLASS = ("Recall", "Precision", "F1", "Specificity", "Jaccard")
JOB = Study(id=UUID(int=0), state="completed", model="m", dataset="d", cells_done=40, cells_total=40, test_size=1000)


@cache
def measured(classes: int) -> list[Series]:
    """Return what a job has measured of classes."""
    rng = np.random.default_rng(0)
    n = np.geomspace(20, 2000, 8).astype(int)
    rows = []
    for metric, class_index in itertools.product(PER_CLASS, range(classes)):
        curve = 1 - rng.uniform(0.3, 0.9) * n ** -rng.uniform(0.2, 0.5)
        values = np.clip(curve + rng.normal(0, 0.01, (5, len(n))), 0, 1)
        rows += [
            (run, step, int(size), metric, class_index, float(values[run, step]))
            for run in range(5)
            for step, size in enumerate(n)
        ]
    return series_from_rows(rows, {})


@cache
def curves(classes: int) -> FittedStudy[Series]:
    """Return its curves."""
    return fit_study(JOB, measured(classes))


def fit_classes(size: int) -> None:
    """Fit the curves of classes, with their back-tests and flags."""
    # As they are read: nothing of them is worked out yet.
    fit_study(JOB, [replace(one) for one in measured(size)])


def judge_classes(size: int) -> None:
    """Judge the curves of classes, which are fitted."""
    verdict(replace(curves(size)))


CASES: dict[str, tuple[Callable[[int], None], int]] = {
    "a schedule of zeros": (refuse_zeros, 2_500),
    "warnings of metrics": (warn, 2_000),
    "columns of a table": (load, 1_000),
    "curves and verdicts": (judge, 50),
    "curves of classes × 5": (fit_classes, 50),
    "verdicts of these": (judge_classes, 50),
}


def _taken(act: Callable[[int], None], size: int) -> float:
    begun = time.process_time()
    act(size)
    return time.process_time() - begun


def main() -> None:
    """Print a line a case."""
    for name, (act, least) in CASES.items():
        act(min(100, least))
        seconds = [min(_taken(act, size) for _ in range(TRIES)) for size in (least, 2 * least, 4 * least)]
        told = "  ".join(f"{size:>6,}: {taken:6.3f} s" for size, taken in zip((1, 2, 4), seconds, strict=True))
        print(f"{name:<22} × {least:,}:  {told}   {seconds[2] / seconds[0]:.1f}×")


if __name__ == "__main__":
    main()
