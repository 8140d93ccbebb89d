"""Shapes of decisions: what to buy now, at what it costs and what the metric is worth."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sufficiency.schemas.examples import ANSWER_EXAMPLE
from sufficiency.schemas.fields import ClassField, Money, Price, Strict
from sufficiency.schemas.results import Answer

MOST_ROUNDS = 20


class DecisionTerms(Strict):
    """What labels cost, and what the metric is worth; in any currency, the same throughout."""

    price: Price = Field(description="of a label")
    round_cost: Money = Field(0.0, description="of each purchase, however large")
    rounds: int = Field(1, ge=1, le=MOST_ROUNDS, description="purchases that are left; after each one looks again")
    value: Price | None = Field(
        None, description="of a point: a hundredth of the metric's range, or one of its units where it has no range"
    )
    target: str | None = Field(
        None, max_length=300, description="in place of value: what the metric has to meet, 0.95 or Accuracy:0.95"
    )
    penalty: Price | None = Field(None, description="with target: what not meeting it costs")
    budget: Money | None = Field(None, description="most to spend in all, over all rounds")

    @model_validator(mode="after")
    def _one_aim(self) -> "DecisionTerms":
        if faults := contradictions(self.model_dump()):
            raise ValueError("; ".join(detail for _, detail in faults))
        return self


def contradictions(terms: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return which of the terms cannot be meant at once, and why."""
    value, target, penalty = (terms.get(name) is not None for name in ("value", "target", "penalty"))
    if value:
        why = "value is what a point is worth; name that, or a target with its penalty, not both"
        return [(name, why) for name, given in (("target", target), ("penalty", penalty)) if given]
    if target and penalty:
        return []
    if target:
        return [("penalty", "a target needs its penalty: what not meeting it costs")]
    if penalty:
        return [("target", "a penalty is for missing a target: name the target")]
    return [("value", "say what the metric is worth: value, or target and penalty")]


class OutcomeView(BaseModel):
    """What comes of a plan, on average over the curves that are likely."""

    loss: float = Field(description="spent, and what missing the target costs, less what the improvement is worth")
    spend: float
    probability: float = Field(description="of meeting the target in the end; without one, of any improvement")
    gain: float = Field(description="expected improvement in the end, in the metric's units")


class PurchaseView(BaseModel):
    """Buying so many at once and never again."""

    items: int
    n: int
    cost: float
    probability: float = Field(description="of meeting the target; without one, of any improvement")
    gain: float
    loss: float


class TradeView(BaseModel):
    """What may be spent with the rounds that are left, and what that brings."""

    spend: float = Field(description="on average")
    probability: float
    gain: float
    items: int = Field(description="to buy first")


class FirstView(BaseModel):
    """What it is worth to know more before anything is bought: at most so much may it cost."""

    curve: float = Field(description="to know the curve: nothing is worth more")
    runs: float = Field(description="twice as many runs")
    test_split: float | None = Field(
        description="a test split four times as large; null: its noise is not known for this metric"
    )


class DecisionView(Answer):
    """What to buy now, and what is to be expected of it."""

    model_config = ConfigDict(
        serialize_by_alias=True,
        json_schema_extra={
            "examples": [
                {
                    **ANSWER_EXAMPLE,
                    "metric": "Accuracy",
                    "now": 0.946,
                    "terms": {
                        "price": 0.1,
                        "round_cost": 50.0,
                        "rounds": 3,
                        "value": None,
                        "target": "Accuracy:0.96",
                        "penalty": 2000.0,
                        "budget": None,
                    },
                    "buy": 1036,
                    "n": 3536,
                    "sentence": "Buy 1,036 labels now, for 154, and look again: in the end Accuracy meets 0.96 with "
                    "94 %, for about 410 in all. Who knew the curve would be better off by 90.",
                    "plan": {"loss": 530.0, "spend": 410.0, "probability": 0.94, "gain": 0.015},
                    "stop": {"loss": 2000.0, "spend": 0.0, "probability": 0.0, "gain": 0.0},
                    "regret": 90.0,
                    "first": {"curve": 90.0, "runs": 12.0, "test_split": 25.0},
                    "purchases": [
                        {"items": 1036, "n": 3536, "cost": 153.6, "probability": 0.4, "gain": 0.006, "loss": 1353.6}
                    ],
                    "frontier": [{"spend": 410.0, "probability": 0.94, "gain": 0.015, "items": 1036}],
                    "warnings": [],
                }
            ]
        },
    )

    metric: str
    class_: ClassField = Field(
        None,
        serialization_alias="class",
        description="where the metric is one a class",
        exclude_if=lambda label: label is None,
    )
    now: float = Field(description="the metric at the largest measured size")
    terms: DecisionTerms
    buy: int = Field(description="items to buy now; 0: none")
    n: int = Field(description="items to have then")
    sentence: str = Field(description="the decision in words")
    plan: OutcomeView = Field(description="of buying that, looking again, and going on as is best then")
    stop: OutcomeView = Field(description="of buying nothing, ever")
    regret: float = Field(description="how much less would be lost on average by one who knew the curve")
    first: FirstView
    purchases: list[PurchaseView] = Field(description="everything that may be bought at once, from nothing on")
    frontier: list[TradeView] = Field(description="from the cheapest to the surest")
