"""Answers name the learner's thresholds, and a curve is of one learner."""

from typing import Any

import numpy as np
import pytest

from sufficiency.answers.figure import figure
from sufficiency.answers.projection import inv_project, project
from sufficiency.answers.study import FittedStudy
from sufficiency.answers.verdict import verdict
from sufficiency.method.kinks.learner import Component, Data, Learner
from sufficiency.method.kinks.rules import Met, met_by
from sufficiency.method.measurements import Series
from sufficiency.schemas.words import SCALAR
from tests.answers.studies import fitted


def boosting(**params: Any) -> list[Met]:
    estimator = Component("HistGradientBoostingClassifier", (), params)
    return met_by(Learner((estimator,)), Data(20, 2, 0.5))


def constant_at_first(run: int, n: int) -> dict[tuple[str, int], float | None]:
    """Return what a learner measures that answers a constant below 40 items."""
    return {("Accuracy", SCALAR): 0.5 + 1e-3 * run if n < 40 else 1.0 - 0.5 * n**-0.25 + 1e-3 * run}


def without_the_first() -> FittedStudy[Series]:
    return fitted(lambda run, n: constant_at_first(run, n) if n >= 40 else {("Accuracy", SCALAR): None})


def kinks(answer: Any) -> list[str]:
    return [one["kink"] for one in answer.warnings if one["code"] == "size_dependent_default"]


def test_what_is_on_the_far_side_of_a_threshold_is_left_out_of_the_curve() -> None:
    study = fitted(constant_at_first, kinks=boosting(early_stopping=False))
    answer = project(study, [4000])
    [left_out] = [one for one in answer.warnings if one["code"] == "left_out_of_fit"]
    assert left_out["sizes"] == [10]
    assert "min_samples_leaf=20" in left_out["detail"]
    alone = project(without_the_first(), [4000])
    assert answer.metrics["Accuracy"][0].value == pytest.approx(alone.metrics["Accuracy"][0].value, abs=1e-12)
    pinned = project(fitted(constant_at_first, kinks=boosting(min_samples_leaf=1)), [4000])
    assert pinned.metrics["Accuracy"][0].value != pytest.approx(alone.metrics["Accuracy"][0].value, abs=1e-6)
    assert not [one for one in pinned.warnings if one["code"] == "left_out_of_fit"]
    # What was measured is shown all the same.
    assert np.array_equal(figure(study).n, [10, 40, 160, 640, 1000])
    assert figure(study).sizes.min() == 40


def test_a_threshold_before_the_size_asked_for_is_named() -> None:
    study = fitted(constant_at_first, kinks=boosting(min_samples_leaf=1))
    assert kinks(project(study, [9000])) == ["histogram_bins"]
    assert kinks(project(study, [9000, 20_000])) == ["histogram_bins", "histogram_early_stopping"]
    detail = project(study, [20_000]).warnings[-1]["detail"]
    assert "early stopping switches on" in detail
    assert "early_stopping=False" in detail
    assert kinks(verdict(study)) == ["histogram_bins"]
    [answer] = inv_project(study, [("Accuracy", 0.94)]).metrics["Accuracy"]
    assert answer.n is not None
    assert answer.n > 10_001
    assert kinks(inv_project(study, [("Accuracy", 0.94)])) == ["histogram_bins", "histogram_early_stopping"]
    assert kinks(project(fitted(constant_at_first), [20_000])) == []
