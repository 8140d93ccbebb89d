"""Which items a cell trains on, where a curve is measured and in what units, and every answer of the method."""

import json
from dataclasses import replace
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.golden import subjects
from tests.golden.golden import check
from tests.golden.subjects import Fit, Series

# Measured once (or made up), and never written anew.
MEASUREMENTS: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("measurements.json").read_text())
Method = Literal["calibrated", "power_law"]
PROTOCOLS: tuple[Literal["independent", "dataeval"], ...] = ("independent", "dataeval")
LEVELS = (subjects.DEFAULT_LEVEL, 0.8)
SEEDS = (0, 7, 2**63 - 1)

# Items, steps and units


def digest(numbers: NDArray[np.int64]) -> str:
    """Return the hash of whole numbers in this order, and the first of them for a reader."""
    first = " ".join(map(str, numbers[:6].tolist()))
    return f"{sha256(numbers.astype('<i8').tobytes()).hexdigest()[:32]} {first}"


def labels(size: int, kind: str) -> NDArray[np.int64] | None:
    """Return the class of each item: of four alike, or of four that are rarer and rarer; or none."""
    item = np.arange(size, dtype=np.int64)
    match kind:
        case "four_classes":
            return item * 7 % 4
        case "imbalanced":
            return np.select([item % 50 == 3, item % 10 == 5, item % 3 == 0], [3, 2, 1], 0).astype(np.int64)
    return None


def test_order_of_items() -> None:
    places = list(product((1, 10, 97, 1500, 60_000), ("no_labels", "four_classes", "imbalanced"), SEEDS, (0, 1, 4)))
    nested = {
        f"{size} items, {kind}, seed {seed}, run {run}": digest(
            subjects.nested_order(size, labels(size, kind), seed, run)
        )
        for size, kind, seed, run in places
    }
    with_replacement = {
        f"{size} items, seed {seed}, run {run}": digest(subjects.with_replacement_order(size, seed, run))
        for size, kind, seed, run in places
        if kind == "no_labels"
    }
    check("method_order", {"nested": nested, "with_replacement": with_replacement})
    of_rule_2 = {
        f"{size} items, {kind}, seed {seed}, run {run}": digest(
            subjects.nested_order(size, labels(size, kind), seed, run, 2)
        )
        for size, kind, seed, run in places
        if kind != "no_labels"
    }
    check("method_order_of_rule_2", of_rule_2)


def test_cell_seeds() -> None:
    check(
        "method_cell_seed",
        {
            f"seed {seed}, run {run}, step {step}": subjects.cell_seed(seed, run, step).generate_state(8, np.uint32)
            for seed, run, step in product(SEEDS, (0, 1, 9999), (0, 1, 9))
        },
    )


def test_default_schedule() -> None:
    check(
        "method_schedule",
        {
            f"{size} items, {substeps} substeps, {classes} classes, {protocol}": subjects.geometric_steps(
                size, substeps, classes=classes, protocol=protocol
            )
            for size, substeps, classes, protocol in product(
                (1, 9, 50, 297, 1000, 1500, 60_000, 1_281_167), (1, 5, 10, 50), (0, 10), PROTOCOLS
            )
        },
    )


def test_refused_steps_and_taken_ones() -> None:
    given: list[list[Any]] = [[], [0, 5], [5, 11], [3, 3], [4, 3], ["2"], [1, 10]]
    answers: dict[str, Any] = {}
    for steps in given:
        try:
            answers[str(steps)] = subjects.check_steps(steps, 10)
        except subjects.ScheduleError as error:
            answers[str(steps)] = {"refused": str(error), "index": error.index}
    check("method_steps", answers)


def test_units() -> None:
    steps = subjects.geometric_steps(1500, 10, classes=10)
    plans: dict[str, tuple[list[int], int, Any, tuple[int, int]]] = {
        "3 steps, 2 runs": ([10, 20, 40], 2, "independent", (0, 0)),
        "3 steps, 2 runs, dataeval": ([10, 20, 40], 2, "dataeval", (0, 0)),
        "default, 5 runs": (steps, 5, "independent", (0, 0)),
        "default, 5 runs, dataeval": (steps, 5, "dataeval", (0, 0)),
        "one step": ([1500], 3, "independent", (0, 0)),
        "many small cells": ([1, 2, 3, 1000], 40, "independent", (0, 0)),
        "two runs more": (steps, 7, "independent", (5, 10)),
        "two runs more, dataeval": (steps, 7, "dataeval", (5, 10)),
        "a step in between": ([*steps, 500], 5, "independent", (5, 10)),
        "runs and steps more, dataeval": ([10, 20, 40, 80], 3, "dataeval", (2, 3)),
    }
    answers = {}
    for name, (sizes, runs, protocol, planned) in plans.items():
        units = subjects.plan_units(sizes, runs, protocol, planned=planned)
        answers[name] = {
            "work": subjects.work(cell for cells in units for cell in cells),
            "units": [" ".join(f"{cell.run}.{cell.step}:{cell.n}" for cell in cells) for cells in units],
        }
    check("method_units", answers)


# Answers


def series(name: str) -> Series:
    """Return a stored series, by the way that measurements take from the database."""
    kept = MEASUREMENTS[name]
    class_index = -1 if kept["class_index"] is None else kept["class_index"]
    rows = [
        (run, step, n, kept["metric"], class_index, value)
        for run, values in enumerate(kept["values"])
        for step, (n, value) in enumerate(zip(kept["n"], values, strict=True))
    ]
    metric = subjects.MetricSpec(direction=kept["direction"], bounds=tuple(kept["bounds"]))
    [one] = subjects.series_from_rows(rows, {kept["metric"]: metric})
    return one


def answers(one: Series, method: Method, targets: list[float]) -> dict[str, Any]:
    """Return all that a method says of a series."""
    try:
        fit = subjects.fit_series(one, method)
    except subjects.NotEnoughData as error:
        return {"refused": str(error)}
    kept = fit.to_dict()
    assert type(fit).from_dict(json.loads(json.dumps(kept))).to_dict() == kept
    tested = subjects.backtest(one, method)
    assert subjects.Backtest.from_dict(json.loads(json.dumps(tested.to_dict()))) == tested
    return {
        "fit": kept,
        **({"params": fit.params()} if method == "power_law" else {}),
        "project": projections(one, fit),
        "inverse": inverses(one, fit, targets),
        "backtest": {**tested.to_dict(), "error": tested.error, "inside_interval": tested.inside_interval},
    }


def projections(one: Series, fit: Fit) -> dict[str, Any]:
    """Return the metric at sizes below, within, beyond and far beyond what was measured."""
    low, high = int(fit.n_min), int(fit.n_max)
    sizes = [1, low // 2 or 1, low, (low + high) // 2, high, *(high * k for k in (2, 4, 16, 40, 1024, 3000))]
    return {
        f"{of}, {level}": [list(vars(point).values()) for point in subjects.project(one, fit, sizes, level, of)]
        for of, level in product(("mean", "training"), LEVELS)
    }


def inverses(one: Series, fit: Fit, targets: list[float]) -> dict[str, Any]:
    """Return the sizes that targets need, at two levels and up to two horizons."""
    return {
        f"{level}, {horizon}": [subjects.inv_project(one, fit, target, level, horizon) for target in targets]
        for level, horizon in ((LEVELS[0], subjects.HORIZON), (LEVELS[1], subjects.HORIZON), (LEVELS[0], 4))
    }


def judgement(one: Series, items: int | None, min_gain: float | None) -> dict[str, Any]:
    """Return what is odd about a series, whether more data is worth it, and what drives a projection far beyond it."""
    try:
        flags = subjects.diagnose(one)
        fit = subjects.fit_series(one, "calibrated")
    except subjects.NotEnoughData as error:
        return {"refused": str(error)}
    return {
        "flags": flags,
        "verdict": subjects.judge(one, fit, flags, items=items, min_gain=min_gain),
        "verdict_of_others": subjects.judge(one, fit, flags, items=None, min_gain=1e-3, level=0.5),
        "drivers": subjects.find_drivers(one, subjects.RELIABLE * fit.n_max, most=8),
    }


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_calibrated_answers(name: str) -> None:
    one, kept = series(name), MEASUREMENTS[name]
    said = {
        "averages": {"mean": one.mean(), "sd": one.sd(), "runs": one.runs(), "extremes": one.extremes()},
        **answers(one, "calibrated", kept["targets"]),
        **judgement(one, kept["items"], kept["min_gain"]),
    }
    check(f"method_calibrated_{name}", said)


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_power_law_answers(name: str) -> None:
    said = answers(series(name), "power_law", MEASUREMENTS[name]["targets"])
    # The sum of squares is flat around the best exponent, which rounding thus moves in the eighth digit.
    check(f"method_power_law_{name}", said, rtol=1e-6)


def test_series_of_undeclared_metrics() -> None:
    rows = [
        (run, step, n, metric, class_index, value)
        for run, step, n in product((0, 2), (1, 0), (30,))
        for metric, class_index, value in (("A", -1, 0.5), ("B", -1, 1.5), ("C", 1, None), ("C", 0, 0.25 * run))
    ]
    check("method_undeclared", subjects.series_from_rows(rows, {}))


def test_targets_out_of_bounds() -> None:
    said = {}
    for target, bounds in product((-0.1, 0.0, 1.0, 1.5, float("nan")), ((0.0, 1.0), (0.0, None), (None, 1.0))):
        try:
            subjects.check_target(target, bounds)
            said[f"{target} in {bounds}"] = "taken"
        except subjects.TargetOutOfBounds as error:
            said[f"{target} in {bounds}"] = str(error)
    check("method_targets", said)


def test_noise_of_a_test_split() -> None:
    cases = product((-0.1, 0.0, 0.5, 0.93, 1.0), (0, 1, 297, 10_000))
    check("method_sampling_sd", {f"{value} of {items}": subjects.sampling_sd(value, items) for value, items in cases})


def test_method_versions() -> None:
    check("method_versions", subjects.METHOD_VERSIONS)


PAIRS = {
    "they_cross": ("smooth", "steeper"),
    "the_other_way_round": ("steeper", "smooth"),
    "of_other_sizes": ("smooth", "other_sizes"),
    "with_itself": ("smooth", "smooth"),
    "with_one_run": ("one_run", "smooth"),
    "with_holes": ("smooth", "holes"),
    "with_a_falling_one": ("falling", "smooth"),
    "with_a_flat_one": ("flat", "other_sizes"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_comparison(name: str) -> None:
    first, second = map(series, PAIRS[name])
    assert_comparison(f"method_comparison_{name}", first, second)


def test_comparison_of_losses() -> None:
    loss = series("loss")
    half = replace(loss, values=loss.values * np.linspace(1.2, 0.7, loss.values.shape[1]))
    assert_comparison("method_comparison_of_losses", loss, half)


def assert_comparison(name: str, first: Series, second: Series) -> None:
    curves = first, subjects.fit_series(first, "calibrated"), second, subjects.fit_series(second, "calibrated")
    said = {}
    for level in LEVELS:
        needed = subjects.efficiency(*curves, level)
        said[f"at {level}"] = {
            "crossing": subjects.find_crossing(*curves, level),
            "efficiency": needed,
            "ratios": [[one.ratio, one.ratio_lower, one.ratio_upper] for one in needed],
            "paired": subjects.paired_differences(first, second, level),
        }
    check(name, said)
