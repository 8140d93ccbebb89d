"""Shapes of verdicts: is more data worth it, by what it would bring, and what limits the answer."""

from pydantic import BaseModel, ConfigDict, Field

from sufficiency.schemas.examples import ANSWER_EXAMPLE
from sufficiency.schemas.fields import ClassField, Word
from sufficiency.schemas.results import Answer, BacktestView
from sufficiency.schemas.words import Course, Fitting, GainBasis, Limit, LimitedBy, StatementKind, Worth


class GainView(BaseModel):
    """What the metric would be with more data."""

    added: int = Field(description="items to add, in units of n_observed")
    n: int
    value: float
    lower: float
    upper: float
    gain: float = Field(description="improvement on the value now, positive where better, in the metric's units")
    gain_lower: float
    gain_upper: float
    probability: float = Field(description="that the improvement is at least min_gain")


class CeilingView(BaseModel):
    """Where the curve is at 32 times n_observed, the farthest that curves were followed to learn from."""

    n: int
    value: float
    lower: float
    upper: float
    in_sight: bool = Field(description="the curve has all but levelled off there; else it still gets better")


class LimitView(BaseModel):
    """Something that keeps the answer from being better or surer, and what to do about it."""

    code: Word[Limit]
    detail: str
    remedy: str


class StepView(BaseModel):
    """How the projection follows one step."""

    n: int
    sensitivity: float = Field(description="change of the projection for a change of this step's mean")


class DrivingCell(BaseModel):
    """What one cell did to the projection."""

    run: int
    n: int
    value: float
    effect: float = Field(description="by how much the projection is higher than without this cell")


class DriversView(BaseModel):
    """What drove the projection to `n`."""

    n: int
    steps: list[StepView]
    cells: list[DrivingCell] = Field(description="those with the largest effects")
    run_sd: float = Field(description="standard deviation of the projection made by the scatter between runs")


class TrainView(BaseModel):
    """How well the models do on their own training items, at the largest measured size."""

    value: float
    gap: float = Field(description="how much better than on the test split, in the metric's units")
    fitting: Word[Fitting] = Field(
        description="over: most of what is left to the best value is missing on other items alone; under: on the "
        "training items already"
    )


class AlikeBoundView(BaseModel):
    """What the labels leave to be reached by a model that answers nearly alike items alike."""

    best: float = Field(description="the accuracy that such a model has at best, as far as these items tell")
    highest: float = Field(description="with 95 % confidence no such model has more on data of the kind")
    unavoidable: int = Field(
        description="pairs of nearly alike test items of two classes, no item twice: such a model is wrong about one "
        "of each"
    )
    pairs: int = Field(description="further test items with a nearly alike training item, one pair of a group")
    differing: int = Field(description="of these pairs those of two classes")
    looked_at: int = Field(description="test items that were looked at")


class LabelBoundView(BaseModel):
    """What the test split's labels leave to be reached: items that are alike, number by number, and of two classes."""

    best: float = Field(description="no model has more on this test split, whatever it is and learned from")
    highest: float = Field(description="nor, with 95 % confidence, more than this on other data of the kind")
    unavoidable: int = Field(description="test items that no model is right about")
    items: int = Field(description="in the test split")
    alike: AlikeBoundView | None = Field(
        None,
        description="what items that are only nearly alike leave besides; null: nothing, or what little tells them "
        "apart tells their classes too",
    )


class StatementView(BaseModel):
    """A sentence of a verdict, and what it claims."""

    text: str
    kind: Word[StatementKind]
    direction: Word[Course] | None = Field(description="which way the metric goes by it; null: it does not say")
    n: int | None = Field(description="the training-set size that it is about")
    size: float | None = Field(
        description="now, ceiling, no_ceiling: the metric there; expected: how much better it gets; worth_it, "
        "not_worth_it, cannot_be_told: the least gain that counts"
    )


class OverallView(BaseModel):
    """The verdict of the study, by its primary metric."""

    model_config = ConfigDict(serialize_by_alias=True)

    metric: str
    worth: Word[Worth]
    sentence: str = Field(description="the primary metric's verdict, and which others say otherwise")
    statements: list[StatementView]
    class_: ClassField = Field(
        None,
        serialization_alias="class",
        description="where the metric is one a class: the class that decides",
        exclude_if=lambda label: label is None,
    )


class VerdictView(BaseModel):
    """Whether more data is worth it, by one metric, of one class where it has classes."""

    model_config = ConfigDict(serialize_by_alias=True)

    sentence: str = Field(description="the verdict in words")
    worth: Word[Worth] = Field(
        description="whether doubling the data brings at least min_gain; unclear, where neither is sure enough, or "
        "what is measured cannot bear an answer"
    )
    min_gain: float = Field(description="the least gain that counts, in the metric's units")
    min_gain_by: Word[GainBasis] = Field(description="who said so: the question, the job, or nobody")
    now: float = Field(description="the measured value at n_observed")
    left: float | None = Field(description="to the metric's best value; null: it has none")
    statements: list[StatementView] = Field(description="the verdict, limits and advice, sentence by sentence")
    more: list[GainView]
    ceiling: CeilingView
    limits: list[LimitView] = Field(description="the gravest first")
    test_sd: float | None = Field(description="the test split's own noise; null: not known for this metric")
    drivers: DriversView
    train: TrainView | None = Field(None, description="null: nobody looked; see the job's measure_train")
    label_bound: LabelBoundView | None = Field(
        None, description="null: no labels contradict each other, or it is not known what that means for the metric"
    )
    limited_by: Word[LimitedBy] | None = Field(
        None, description="what keeps the metric where it is; null: it cannot be told, or nothing is left to gain"
    )
    backtest: BacktestView
    class_: ClassField = Field(
        None,
        serialization_alias="class",
        description="where the metric is one a class",
        exclude_if=lambda label: label is None,
    )


_VERDICT_EXAMPLE = (
    "Accuracy is 0.946 at n = 2,500. Twice the data should bring it to 0.957 (95 % interval 0.942 to 0.968). More data "
    "is worth it: a gain of about 0.011 is to be expected, and 0.0054 is the least that counts. It seems to level off "
    "near 0.983."
)


class Verdicts(Answer):
    """Whether more data is worth it, by every metric."""

    model_config = ConfigDict(
        serialize_by_alias=True,
        json_schema_extra={
            "examples": [
                {
                    **ANSWER_EXAMPLE,
                    "overall": {"metric": "Accuracy", "worth": "yes", "sentence": _VERDICT_EXAMPLE, "statements": []},
                    "metrics": {
                        "Accuracy": [
                            {
                                "sentence": _VERDICT_EXAMPLE,
                                "worth": "yes",
                                "min_gain": 0.0054,
                                "min_gain_by": "default",
                                "now": 0.946,
                                "left": 0.054,
                                "label_bound": None,
                                "limited_by": "data",
                                "train": None,
                                "statements": [
                                    {
                                        "text": "Accuracy is 0.946 at n = 2,500.",
                                        "kind": "now",
                                        "direction": None,
                                        "n": 2500,
                                        "size": 0.946,
                                    }
                                ],
                                "more": [
                                    {
                                        "added": 1,
                                        "n": 5000,
                                        "value": 0.957,
                                        "lower": 0.942,
                                        "upper": 0.968,
                                        "gain": 0.011,
                                        "gain_lower": -0.004,
                                        "gain_upper": 0.022,
                                        "probability": 0.84,
                                    }
                                ],
                                "ceiling": {
                                    "n": 80000,
                                    "value": 0.983,
                                    "lower": 0.95,
                                    "upper": 0.997,
                                    "in_sight": True,
                                },
                                "limits": [],
                                "test_sd": 0.01,
                                "drivers": {
                                    "n": 12500,
                                    "steps": [{"n": 2500, "sensitivity": 0.9}],
                                    "cells": [{"run": 3, "n": 2500, "value": 0.94, "effect": -0.001}],
                                    "run_sd": 0.002,
                                },
                                "backtest": {"error": 0.006, "inside_interval": 1.0, "predictions": []},
                            }
                        ]
                    },
                    "warnings": [],
                }
            ]
        },
    )

    overall: OverallView
    metrics: dict[str, list[VerdictView]]
