"""Whatever a file, a plugin or a trainer has many of, twice as many cost no more than about twice the work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sufficiency.answers.study import distinct_names
from sufficiency.answers.values import Spread, value_warnings
from sufficiency.data.errors import DatasetError
from sufficiency.data.tables.dataset import encoded
from sufficiency.method.assumed import assume
from sufficiency.method.plan import plan_units
from sufficiency.method.schedule import check_steps
from sufficiency.plugins.tabular import load_tabular
from sufficiency.schemas.spec import MetricSpec
from sufficiency.training.metrics import InvalidMetrics, normalise
from tests.growth.counting import hold_growth

ROWS = 30


# Cells by a number in [0, 1), and how such columns are loaded.
CELLS: dict[str, tuple[Callable[[float], str], Callable[[list[str]], dict[str, Any]]]] = {
    "numbers": (str, lambda _: {}),
    "categories": (lambda v: "abcdefgh"[int(7.9 * v)], lambda _: {}),
    "gaps": (lambda v: "" if v < 0.2 else str(v), lambda _: {"missing": "impute"}),
    "refused gaps": (lambda v: "" if v < 0.2 else str(v), lambda _: {}),
    "dates": (lambda v: f"20{10 + int(80 * v)}-03-01", lambda _: {"dates": "parts"}),
    "far numbers": (lambda v: str(1_700_000_000 + v), lambda _: {}),
    "named features": (str, lambda names: {"features": names}),
    "named categories": (str, lambda names: {"categorical": names}),
    "texts": (lambda v: f"word{int(9 * v)}", lambda names: {"text": names, "text_features": 2}),
    "left out": (str, lambda names: {"leave_out": names[1:]}),
    "metadata": (lambda v: "abcdefgh"[int(7.9 * v)], lambda names: {"metadata": names[1:]}),
    "no such columns": (str, lambda names: {"features": [f"{name}?" for name in names]}),
}


@pytest.mark.parametrize("kind", CELLS)
def test_the_columns_of_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr("sufficiency.plugins.tabular.resolve_inside", lambda path: tmp_path / path)
    cell, choices = CELLS[kind]
    numbers = np.random.default_rng(0).random((ROWS, 160)).round(4)

    def load(columns: int) -> None:
        names = [f"f{k}" for k in range(columns)]
        refused = ""
        try:
            dataset = load_tabular(f"{columns}.csv", "y", **choices(names))
            encoded(dataset, dataset)
        except DatasetError as error:
            refused = str(error)
        assert len(refused) < 50_000

    for columns in (40, 80, 160):
        rows = [",".join([*map(cell, row[:columns].tolist()), str(k % 2)]) for k, row in enumerate(numbers)]
        header = ",".join([*(f"f{k}" for k in range(columns)), "y"])
        (tmp_path / f"{columns}.csv").write_text("\n".join([header, *rows]) + "\n")
    hold_growth(load, 40, kind, slack=3000)


@pytest.mark.parametrize("what", ["metrics", "classes", "named classes"])
def test_what_an_evaluation_returns(what: str) -> None:
    def record(size: int) -> None:
        names = [f"c{k}" for k in range(size)]
        returned: Any = {f"m{k}": 0.5 for k in range(size)}
        if what == "classes":
            returned = {"Recall": np.zeros(size)}
        elif what == "named classes":
            returned = {"Recall": dict.fromkeys(names, 0.5)}
        assert len(normalise(returned, names)) == size

    hold_growth(record, 200, what)


def test_an_evaluation_without_measure_is_refused() -> None:
    with pytest.raises(InvalidMetrics, match="1001 metrics; at most 1000"):
        normalise({f"m{k}": 0.5 for k in range(1001)})
    with pytest.raises(InvalidMetrics, match="more than 100000 values"):
        normalise({f"m{k}": np.zeros(10_000) for k in range(11)})


def test_warnings_of_many_metrics() -> None:
    def warn(size: int) -> None:
        assume.__globals__["_kind"].cache_clear()
        spreads = [Spread(f"Metric {k}", -1, 3, 0.0, 2.0) for k in range(size)]
        declared = {f"metric {k}": MetricSpec() for k in range(size)}
        assert len(value_warnings(spreads, 5, declared, declared)) >= size

    hold_growth(warn, 200)


def test_classes_of_one_name() -> None:
    def name(size: int) -> None:
        assert len(set(distinct_names(["crane"] * size + [f"crane ({k})" for k in range(size)]))) == 2 * size

    hold_growth(name, 500)


def test_the_plan_of_many_cells() -> None:
    def plan(size: int) -> None:
        assert plan_units(check_steps(range(1, size + 1), size), 10, "independent")

    hold_growth(plan, 200)
