"""What a client may ask: the job, its plugins, its metrics."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any

from pydantic import ConfigDict, Field, field_validator, model_validator

from sufficiency.schemas.fields import Name, Size, Strict
from sufficiency.schemas.limits import DECLARED_METRICS, GROWN, LABELS, NAME_CHARACTERS, NOTE_CHARACTERS, STEPS
from sufficiency.schemas.measured import ELSEWHERE, Measured
from sufficiency.schemas.naming import JobName, JobNote
from sufficiency.schemas.stopping import Budget, StopWhen
from sufficiency.schemas.words import (
    Bounds,
    DeviceChoice,
    Direction,
    EngineChoice,
    MetricFamily,
    Plan,
    ProportionOf,
    Protocol,
    Sampling,
)


class PluginRef(Strict):
    """A registered plugin and the parameters to build it with."""

    name: Name
    params: dict[str, Any] = Field(default_factory=dict)


class MetricSpec(Strict):
    """How a metric reads: which way is better, and what values it can take (null: unbounded on that side)."""

    direction: Direction = "maximize"
    bounds: Annotated[Bounds, Field(strict=False)] = (0.0, 1.0)  # JSON has lists
    proportion_of: ProportionOf | None = Field(
        None,
        description="the share of the test items, or of each class's: what noise the test split adds is then known",
    )
    family: MetricFamily | None = Field(
        None,
        description="what kind of metric it is, by which its curve is projected; null: told from its name",
        exclude_if=lambda family: family is None,
    )

    @model_validator(mode="after")
    def _ordered(self) -> "MetricSpec":
        low, high = self.bounds
        if low is not None and high is not None and not low < high:
            raise ValueError("the lower bound must be below the upper bound")
        return self


def _one_way_or_the_other(schema: dict[str, Any]) -> None:
    """Say in the schema that what was measured elsewhere stands in place of the references."""
    required = schema.pop("required")
    # Not by anyOf, of which generators of clients make types of their own, or none.
    schema |= {"if": {"required": ["measured"]}, "else": {"required": required}}


class JobSpec(Strict):
    """One study: the model, how it is trained and evaluated, on what data, and where the curve is measured."""

    model_config = ConfigDict(json_schema_extra=_one_way_or_the_other)

    model: PluginRef
    training: PluginRef
    evaluation: PluginRef
    reset: PluginRef | None = Field(None, description="null: reset-parameters where the model's modules have it")
    dataset: Name
    runs: int = Field(5, ge=1, le=10_000, description="independent repetitions")
    substeps: int = Field(10, ge=1, le=10_000, description="steps of the geometric schedule; unused with another one")
    schedule: Annotated[list[Size], Field(max_length=STEPS)] | PluginRef | None = Field(
        None, description="null: geometric; or sizes; or a schedule plugin"
    )
    plan: Plan | None = Field(
        None,
        description="grid: every run at every step; adaptive: a run, and then stage by stage the cells by which the "
        "answer gains most for their cost; null: adaptive where there is a question or a budget",
        exclude_if=lambda plan: plan is None,
    )
    stop_when: StopWhen | None = Field(
        None,
        description="the question that it is to answer: it ends as soon as that is decided",
        exclude_if=lambda asked: asked is None,
    )
    budget: Budget | None = Field(
        None, description="the most that it may cost", exclude_if=lambda budget: budget is None
    )
    protocol: Protocol = "independent"
    sampling: Sampling | None = Field(
        None,
        description="the rule by which subsets are drawn; 2, which a new job is given: two items of every class before "
        "a third of any; 1, which a job of before the field has and keeps: the classes in proportion",
    )
    grown: list[Size] = Field(
        default_factory=list,
        max_length=GROWN,
        description="sizes that the training split had when the job was begun and extended, ascending: subsets keep "
        "the order that they had then, and go on in what was added",
        exclude_if=lambda grown: not grown,
    )
    metrics: dict[Name, MetricSpec] = Field(
        default_factory=dict, max_length=DECLARED_METRICS, description="overrides what the evaluation declares"
    )
    primary: Name | None = Field(
        None,
        description="the metric that answers whether more data is worth it, the others under it; default the first "
        "that the evaluation is asked for",
        exclude_if=lambda primary: primary is None,
    )
    min_gain: dict[Name, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        max_length=DECLARED_METRICS,
        description="what doubling the data must bring to be worth it, by metric, in its units; default a tenth of "
        "what is left to its best value, but at least .005 and at most .01 of its range; of a metric without a range "
        "5 % of its present value",
        exclude_if=lambda min_gain: not min_gain,
    )
    measure_train: bool | None = Field(
        None,
        description="whether each cell is evaluated on (at most 2,000 of) its own training items too, which tells "
        "over- from underfitting; null: by a built-in evaluation",
        exclude_if=lambda measure_train: measure_train is None,
    )
    reuse: bool = Field(
        True,
        description="whether cells that another job of the project has measured are taken over, where all that decides "
        "their values is the same; false: all are measured",
        exclude_if=lambda reuse: reuse,
    )
    seed: int = Field(0, ge=0, lt=2**63)
    device: DeviceChoice = "auto"
    engine: EngineChoice = Field(
        "auto",
        description="stacked: the models of several cells are trained at once, where model and training allow it; "
        "sequential: one after the other; auto: stacked on a GPU, for small models",
        exclude_if=lambda engine: engine == "auto",
    )
    priority: int = Field(
        0, ge=0, le=9, description="among the jobs of the project 9 is served first; above 4 it takes scope admin"
    )
    labels: dict[Name, Annotated[str, Field(max_length=NOTE_CHARACTERS)]] = Field(
        default_factory=dict, max_length=LABELS
    )
    name: JobName = Field(
        "",
        description="what lists and reports call it; empty: its model and its dataset",
        exclude_if=lambda name: not name,
    )
    note: JobNote = Field("", description="what is to be remembered of it", exclude_if=lambda note: not note)
    measured: Measured | None = Field(
        None,
        description="what was measured elsewhere, in place of model, training, evaluation and dataset: the job is "
        "completed at once",
        exclude_if=lambda measured: measured is None,
    )

    @model_validator(mode="after")
    def _cells_can_be_stacked(self) -> "JobSpec":
        if self.engine == "stacked" and self.protocol == "dataeval":
            raise ValueError(
                "engine: stacked trains independent cells at once, and under protocol: dataeval a run is one model "
                "that is trained on from step to step; take protocol: independent, or leave engine out"
            )
        return self

    @property
    def unnamed(self) -> "JobSpec":
        """What is measured, without what it is called: that may change, and is kept apart."""
        return self.model_copy(update={"name": "", "note": ""})

    @property
    def is_adaptive(self) -> bool:
        """Whether it measures by what it has measured: it says so, or has a question or a budget."""
        if self.plan is not None:
            return self.plan == "adaptive"
        return self.stop_when is not None or self.budget is not None

    @field_validator("grown")
    @classmethod
    def _ascending(cls, grown: list[int]) -> list[int]:
        if any(low >= high for low, high in pairwise(grown)):
            raise ValueError("sizes ascend")
        return grown

    @model_validator(mode="before")
    @classmethod
    def _measured_in_place_of_references(cls, given: Any) -> Any:
        """Give what was measured elsewhere the names by which answers speak of a study."""
        if not isinstance(given, Mapping) or given.get("measured") is None:
            return given
        places = ("model", "training", "evaluation", "reset", "dataset", "plan", "stop_when", "budget")
        if known := [name for name in places if name in given]:
            raise ValueError(f"`measured` stands in place of {', '.join(known)}: leave out one or the other")
        measured = given["measured"]
        told = measured if isinstance(measured, Mapping) else getattr(measured, "__dict__", {})
        names = {name: told.get(name) or ELSEWHERE for name in ("model", "dataset")}
        names = {
            name: one if isinstance(one, str) and len(one) <= NAME_CHARACTERS else ELSEWHERE
            for name, one in names.items()
        }
        stand_in = {"name": ELSEWHERE}
        return {
            **given,
            "model": {"name": names["model"]},
            "training": stand_in,
            "evaluation": stand_in,
            "dataset": names["dataset"],
        }
