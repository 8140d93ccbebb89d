"""What a study is asked before it has measured everything: when its answer is good enough, and what it may cost."""

from typing import Any

from pydantic import BaseModel, Field, model_validator

from sufficiency.schemas.fields import Name, Price, Size, Strict, Word
from sufficiency.schemas.words import CostUnit, StopReason


class StopWhen(Strict):
    """The question that a study is to answer; it ends as soon as all that is named here holds."""

    metric: Name | None = Field(
        None,
        description="that the question is about; null: the job's primary metric, Accuracy, or the first with one value",
    )
    n: Size | None = Field(
        None, description="the training-set size that the question is about; null: four times the largest step"
    )
    width: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="the interval at n is narrower than this, in metric units"
    )
    level: float = Field(0.95, gt=0, lt=1, description="of that interval")
    target: float | None = Field(
        None, allow_inf_nan=False, description="whether the metric is this good at n is decided"
    )
    probability: float = Field(0.95, gt=0.5, lt=1, description="with which the target is to be decided, either way")
    verdict: bool = Field(False, description="whether more data is worth it is told: yes or no, not unclear")

    @model_validator(mode="after")
    def _asks_something(self) -> "StopWhen":
        if self.width is None and self.target is None and not self.verdict:
            raise ValueError("name what is to hold: width, target or verdict")
        return self


class Budget(Strict):
    """The most that a study may cost: in SGD steps, in training items, or in money at a price."""

    sgd_steps: int | None = Field(None, ge=1, le=2**53, description="over all cells")
    training_items: int | None = Field(None, ge=1, le=2**53, description="over all cells, one epoch")
    money: Price | None = Field(None, description="in any currency, at the price")
    price: Price | None = Field(
        None, description="of a thousand SGD steps, or of a thousand training items where nothing tells the steps"
    )

    @model_validator(mode="after")
    def _one_way(self) -> "Budget":
        if sum(one is not None for one in (self.sgd_steps, self.training_items, self.money)) != 1:
            raise ValueError("name one of sgd_steps, training_items and money")
        if (self.money is None) != (self.price is None):
            raise ValueError("money and price belong together: the price of a thousand SGD steps")
        return self


class DesignView(BaseModel):
    """How far an adaptive study has gone, and why it stopped."""

    stages: int = Field(description="planned so far; each is chosen by what those before it measured")
    unit: Word[CostUnit] = Field(description="what costs are counted in")
    spent: float = Field(description="what the cells of all stages cost")
    grid: float = Field(description="what every run at every step would cost")
    stopped: Word[StopReason] | None = Field(
        None,
        description="decided: the question is answered; budget: no cell is left that it pays for; grid: all is "
        "measured; null while it goes on",
    )
    saved: float = Field(description="the share of the grid that is not measured")
    detail: str = Field(description="how the answer stands, in a sentence")

    @classmethod
    def of(cls, told: dict[str, Any] | None) -> "DesignView | None":
        """Return what is kept of a design; None where there is none."""
        return cls.model_validate(told) if told is not None else None
