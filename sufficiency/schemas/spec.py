"""What a client may ask: the job, its plugins, its metrics."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from sufficiency.schemas.fields import Name, Size, Strict
from sufficiency.schemas.words import Bounds, DeviceChoice, Direction, ProportionOf, Protocol, Sampling


class PluginRef(Strict):
    """A registered plugin and the parameters to build it with."""

    name: Name
    params: dict[str, Any] = Field(default_factory=dict)


class MetricSpec(Strict):
    """How a metric reads: which way is better, and what values it can take (null: unbounded on that side)."""

    direction: Direction = "maximize"
    bounds: Bounds = (0.0, 1.0)
    proportion_of: ProportionOf | None = Field(
        None,
        description="the share of the test items, or of each class's: what noise the test split adds is then known",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "MetricSpec":
        low, high = self.bounds
        if low is not None and high is not None and not low < high:
            raise ValueError("the lower bound must be below the upper bound")
        return self


class JobSpec(Strict):
    """One study: the model, how it is trained and evaluated, on what data, and where the curve is measured."""

    model: PluginRef
    training: PluginRef
    evaluation: PluginRef
    reset: PluginRef | None = Field(None, description="null: reset-parameters where the model's modules have it")
    dataset: Name
    runs: int = Field(5, ge=1, le=10_000, description="independent repetitions")
    substeps: int = Field(10, ge=1, le=10_000, description="steps of the geometric schedule; unused with another one")
    schedule: list[Size] | PluginRef | None = Field(None, description="null: geometric; or sizes; or a schedule plugin")
    protocol: Protocol = "independent"
    sampling: Sampling | None = Field(
        None,
        description="the rule by which subsets are drawn; 2, which a new job is given: two items of every class before "
        "a third of any; 1, which a job of before the field has and keeps: the classes in proportion",
    )
    metrics: dict[Name, MetricSpec] = Field(default_factory=dict, description="overrides what the evaluation declares")
    seed: int = Field(0, ge=0, lt=2**63)
    device: DeviceChoice = "auto"
    priority: int = Field(0, ge=0, le=9, description="9 is served first")
    labels: dict[Name, Annotated[str, Field(max_length=500)]] = Field(default_factory=dict, max_length=50)
