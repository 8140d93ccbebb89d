"""What counts as a measurement, and how what does not is refused."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from sufficiency.training.metrics import InvalidMetrics, normalise


class Series:
    """As much of pandas' as says which class a value is of."""

    ndim = 1

    def __init__(self, values: dict[Any, float]) -> None:
        self.index = list(values)
        self._values = values

    def to_dict(self) -> dict[Any, float]:
        return self._values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(list(self._values.values()), dtype)


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        np.float32(0.5),
        np.array(0.5),
        np.array([0.5]),
        np.array([[0.5]]),
        torch.tensor(0.5, requires_grad=True),
        torch.tensor([0.5], dtype=torch.bfloat16),
        [0.5],
    ],
)
def test_one_number_is_a_scalar(value: object) -> None:
    assert normalise({"Accuracy": value}) == [("Accuracy", -1, 0.5)]


@pytest.mark.parametrize("value", [np.array([0.25, 0.5]), torch.tensor([0.25, 0.5]), [0.25, torch.tensor(0.5)]])
def test_a_vector_is_one_value_a_class(value: object) -> None:
    assert normalise({"Recall": value}) == [("Recall", 0, 0.25), ("Recall", 1, 0.5)]


def test_whole_numbers_and_truths_are_numbers() -> None:
    assert normalise({"a": 3, "b": np.True_, "c": torch.tensor(2)}) == [("a", -1, 3.0), ("b", -1, 1.0), ("c", -1, 2.0)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), torch.tensor(float("nan"))])
def test_what_is_not_finite_is_missing(value: object) -> None:
    assert normalise({"Accuracy": value}) == [("Accuracy", -1, None)]


def test_a_class_can_be_missing() -> None:
    assert normalise({"Recall": np.array([np.nan, 1.0])}) == [("Recall", 0, None), ("Recall", 1, 1.0)]


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        (0.5, "a float, not a mapping"),
        (None, "a NoneType, not a mapping"),
        ({}, "no metric at all"),
        ({"": 0.5}, "empty name"),
        ({" \t": 0.5}, "empty name"),
        ({7: 0.5}, "not a string"),
        ({"a" * 201: 0.5}, "201 characters"),
        ({"a\x00b": 0.5}, "control characters"),
        ({"m": "0.5"}, "'m' is a str, which is not numeric"),
        ({"m": "n/a"}, "not numeric"),
        ({"m": 1 + 2j}, "complex"),
        ({"m": torch.tensor(1 + 2j)}, "complex"),
        ({"m": np.zeros((2, 2))}, r"shape \(2, 2\)"),
        ({"m": torch.zeros(1, 2)}, r"shape \(1, 2\)"),
        ({"m": [[1.0], [2.0, 3.0]]}, "cannot be read as numbers"),
        ({"m": np.array([])}, "holds no value"),
        ({"m": np.zeros(10_001)}, "at most 10000 classes"),
        ({"m": 10**400}, "not numeric"),
    ],
)
def test_anything_else_is_refused(metrics: object, says: str) -> None:
    with pytest.raises(InvalidMetrics, match=says):
        normalise(metrics)


CLASSES = ["ant", "bee", "cat"]


def values(value: object, classes: Sequence[str] | None = None) -> list[float | None]:
    found = normalise({"Recall": value}, CLASSES if classes is None else classes)
    assert [index for _, index, _ in found] == list(range(len(found)))
    return [number for _, _, number in found]


@pytest.mark.parametrize("value", [None, np.array(None), [None], np.ma.masked_array([0.5], [True])])
def test_nothing_is_a_missing_value(value: object) -> None:
    assert normalise({"Accuracy": value}) == [("Accuracy", -1, None)]


@pytest.mark.parametrize("value", [Decimal("0.25"), Fraction(1, 4), np.float16(0.25), np.ma.masked_array(0.25)])
def test_numbers_of_any_kind_are_numbers(value: object) -> None:
    assert normalise({"Accuracy": value}) == [("Accuracy", -1, 0.25)]


@pytest.mark.parametrize(
    "value", [[0.1, None, 0.3], np.array([0.1, np.nan, 0.3]), np.ma.masked_array([0.1, 9.0, 0.3], [False, True, False])]
)
def test_a_vector_has_one_value_for_every_class(value: object) -> None:
    assert values(value) == [0.1, None, 0.3]


@pytest.mark.parametrize("value", [np.array([0.1, 0.3]), torch.ones(4), [0.1] * 7])
def test_a_vector_of_another_length_is_given_to_no_class(value: object) -> None:
    with pytest.raises(
        InvalidMetrics, match=r"holds \d values, and the dataset has 3 classes \(ant, bee, cat\)"
    ) as refused:
        values(value)
    assert "labels=range(3)" in str(refused.value)


@pytest.mark.parametrize(
    "value",
    [
        {"cat": 0.3, "ant": 0.1},
        {2: 0.3, 0: 0.1},
        {np.int64(2): torch.tensor(0.3, dtype=torch.float64), "ant": np.array([0.1])},
        {"ant": 0.1, "bee": None, "cat": 0.3},
        Series({"cat": 0.3, "ant": 0.1}),
    ],
)
def test_a_mapping_says_which_class_each_value_is_of(value: object) -> None:
    assert values(value) == [0.1, None, 0.3]


def test_a_series_that_is_numbered_through_says_no_more_than_an_array() -> None:
    assert values(Series({0: 0.1, 1: 0.2, 2: 0.3})) == [0.1, 0.2, 0.3]
    with pytest.raises(InvalidMetrics, match="holds 2 values"):
        values(Series({0: 0.1, 1: 0.2}))


def test_names_that_are_numbers_are_not_taken_for_indices() -> None:
    assert values({"3": 0.3, "5": 0.5}, ["3", "5", "8"]) == [0.3, 0.5, None]
    assert values({3: 0.3, 5: 0.5, 8: 0.8}, ["3", "5", "8"]) == [0.3, 0.5, 0.8]
    assert values({0: 0.3, 1: 0.5}, ["0", "1"]) == [0.3, 0.5]
    with pytest.raises(InvalidMetrics, match="the key 1, which is the index of class '2' and the name of class 0"):
        values({1: 0.3}, ["1", "2", "3"])


def test_without_classes_only_indices_will_do() -> None:
    assert values({0: 0.1, 2: 0.3}, []) == [0.1, None, 0.3]
    assert values([0.1, 0.2], []) == [0.1, 0.2]
    with pytest.raises(InvalidMetrics, match="the dataset has no classes: give each value a metric of its own"):
        values({"ant": 0.1}, [])


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({}, "empty mapping"),
        ({"dog": 0.1}, r"'dog', which is no class of the dataset \(ant, bee, cat\)"),
        ({"val": {"ant": 0.1}}, "'val', which is no class"),
        ({"ant": {"recall": 0.1}}, "not numeric"),
        ({"ant": [0.1, 0.2]}, "2 values for class 'ant'"),
        ({"ant": 0.1, 0: 0.2}, "two values for one class: 'ant' and 0"),
        ({3: 0.1}, "3, which is no class"),
        ({-1: 0.1}, "-1, which is no class"),
        ({True: 0.1}, "True, which is no class"),
        ({"Ant": 0.1}, "'Ant', which is no class"),
        ({1.0: 0.1}, "1.0, which is no class"),
    ],
)
def test_no_value_is_given_to_a_class_that_was_not_meant(value: object, says: str) -> None:
    with pytest.raises(InvalidMetrics, match=says):
        values(value)


def test_twins_are_told_apart_by_index_only() -> None:
    assert values({0: 0.1, 1: 0.2}, ["crane", "crane", "duck"]) == [0.1, 0.2, None]
    with pytest.raises(InvalidMetrics, match="'crane', of which there are 2"):
        values({"crane": 0.1}, ["crane", "crane", "duck"])
