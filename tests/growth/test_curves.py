"""Curves and verdicts of many series are worked out side by side: one more takes little, and always as much."""

from uuid import UUID

import numpy as np
import pytest

from sufficiency.answers.study import FittedStudy, Study, fit_study
from sufficiency.answers.verdict import verdict
from sufficiency.method.measurements import Row, Series, series_from_rows
from sufficiency.schemas.words import SCALAR
from tests.growth.counting import hold_growth

N = (20, 50, 120, 300, 700, 1600, 4000, 10_000)
# Calls that one more series takes: its curve with the back-test, and its verdict. One by one it was 3,400 and 9,400.
MOST_OF_A_CURVE, MOST_OF_A_VERDICT = 600, 1250
STUDY = Study(id=UUID(int=0), state="completed", model="m", dataset="d", cells_done=24, cells_total=24, test_size=500)


def of_metrics(count: int) -> list[Series]:
    return series_of([(f"Metric {k}", SCALAR) for k in range(count)])


def of_classes(count: int) -> list[Series]:
    return series_of([("Recall", k) for k in range(count)])


def series_of(keys: list[tuple[str, int]]) -> list[Series]:
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    for metric, class_index in keys:
        values = 1 - rng.uniform(0.5, 0.9) * np.array(N) ** -0.4 + rng.normal(0, 0.005, (3, len(N)))
        rows += [
            (run, step, n, metric, class_index, float(values[run, step]))
            for run in range(3)
            for step, n in enumerate(N)
        ]
    return series_from_rows(rows, {})


@pytest.mark.parametrize("shape", [of_metrics, of_classes])
def test_of_many_series(shape: object) -> None:
    least = 64
    series = {size: shape(size) for size in (least, 2 * least, 4 * least)}  # type: ignore[operator]
    fitted: dict[int, FittedStudy[Series]] = {}

    def fits(size: int) -> None:
        fitted[size] = fit_study(STUDY, series[size])

    def judges(size: int) -> None:
        fitted[size].__dict__.pop("drivers", None)
        verdict(fitted[size])

    for act, most in ((fits, MOST_OF_A_CURVE), (judges, MOST_OF_A_VERDICT)):
        seen = hold_growth(act, least, f"{act.__name__} {shape}")
        assert (seen[2].calls - seen[1].calls) / (2 * least) < most, seen
