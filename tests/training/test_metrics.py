"""What counts as a measurement, and how what does not is refused."""

import numpy as np
import pytest
import torch

from sufficiency.training.metrics import InvalidMetrics, normalise


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
        ({"m": None}, "not numeric"),
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
