"""Shapes of gates: whether targets are met surely enough, for who builds on it."""

from pydantic import BaseModel, ConfigDict, Field

from sufficiency.schemas.examples import ANSWER_EXAMPLE
from sufficiency.schemas.fields import ClassField, Word
from sufficiency.schemas.results import Answer
from sufficiency.schemas.words import Attainable, BoundModels


class AttainableView(BaseModel):
    """Whether any model can reach a target, and how sure that is."""

    status: Word[Attainable] = Field(
        description="demonstrated: it was measured to be met; ruled_out: items that are alike, number by number or "
        "nearly, and of different classes forbid it; undecided"
    )
    confidence: float = Field(description="in that; of undecided the larger of the two that do not reach 95 %")
    detail: str
    of_models: Word[BoundModels] | None = Field(
        None,
        description="of which models it is ruled out: all of them; or those that answer nearly alike items alike; "
        "null: it is not",
    )


class CheckView(BaseModel):
    """Whether one target is met surely enough."""

    model_config = ConfigDict(serialize_by_alias=True)

    metric: str
    target: float
    value: float = Field(description="the metric at n")
    lower: float
    upper: float
    probability: float = Field(description="that it meets the target at n, on any test split where its noise is known")
    passed: bool
    sentence: str
    attainable: AttainableView | None = Field(None, description="by any model; null of an older service")
    class_: ClassField = Field(
        None,
        serialization_alias="class",
        description="where the metric is one a class",
        exclude_if=lambda label: label is None,
    )


class GateView(Answer):
    """Whether every target is met surely enough."""

    model_config = ConfigDict(
        serialize_by_alias=True,
        json_schema_extra={
            "examples": [
                {
                    **ANSWER_EXAMPLE,
                    "n": 2500,
                    "probability": 0.8,
                    "passed": True,
                    "checks": [
                        {
                            "metric": "Accuracy",
                            "target": 0.93,
                            "value": 0.946,
                            "lower": 0.94,
                            "upper": 0.952,
                            "probability": 0.94,
                            "passed": True,
                            "sentence": "Accuracy is 0.946 at n = 2,500 and meets 0.93 with 94 %; 80 % is asked for.",
                            "attainable": {
                                "status": "undecided",
                                "confidence": 0.94,
                                "detail": "Neither has it been measured to be met (94 %) nor do the labels rule it "
                                "out.",
                                "of_models": None,
                            },
                        }
                    ],
                    "warnings": [],
                }
            ]
        },
    )

    n: int = Field(description="the training-set size that is looked at")
    probability: float = Field(description="with which each target has to be met")
    passed: bool = Field(description="every one of them is")
    checks: list[CheckView]
