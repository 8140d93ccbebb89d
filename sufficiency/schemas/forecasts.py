"""Shapes of forecasts: what was said of sizes before they were measured, and what came."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from sufficiency.schemas.examples import JOB_ID
from sufficiency.schemas.fields import ClassField, Timestamp

_FORECAST: dict[str, Any] = {
    "job_id": JOB_ID,
    "model": "tutorial-cnn",
    "dataset": "mnist",
    "metric": "Accuracy",
    "n": 2500,
    "n_observed": 1000,
    "value": 0.962,
    "lower": 0.935,
    "upper": 0.985,
    "measured": 0.964,
    "runs": 5,
    "inside": {"0.5": True, "0.8": True, "0.95": True},
    "text": "We said 0.9620 [0.9350, 0.9850]; it came 0.9640.",
    "method_version": 1,
    "made_at": "2026-11-23T12:00:00Z",
    "scored_at": "2026-11-23T12:20:00Z",
}
_RECORD: dict[str, Any] = {
    "metric": "Accuracy",
    "further_than": 2.0,
    "up_to": 4.0,
    "forecasts": 12,
    "studies": 4,
    "coverage": {"0.5": 0.58, "0.8": 0.83, "0.95": 1.0},
    "bias": -0.002,
    "mean_absolute_error": 0.006,
    "width": 0.041,
}


class ForecastView(BaseModel):
    """What a job's curve said of a size that it had not measured, and what came when it was."""

    model_config = ConfigDict(serialize_by_alias=True, json_schema_extra={"examples": [_FORECAST]})

    job_id: UUID | None = Field(description="null: the job has been deleted")
    model: str
    dataset: str
    metric: str
    class_: ClassField = Field(
        None,
        serialization_alias="class",
        description="where the metric is one a class",
        exclude_if=lambda label: label is None,
    )
    n: int
    n_observed: int = Field(description="largest size measured then")
    value: float = Field(description="what was said")
    lower: float = Field(description="of the 95 % interval")
    upper: float
    measured: float | None = Field(description="what came: the mean over runs; null: not measured yet")
    runs: int | None = Field(description="of that mean")
    inside: dict[str, bool] | None = Field(description="whether it came inside the interval of each level")
    text: str = Field(description="both in a sentence")
    method_version: int = Field(description="of the method that said it")
    made_at: Timestamp
    scored_at: Timestamp | None


class ForecastRecord(BaseModel):
    """How forecasts of one metric, from one distance, came true."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RECORD]})

    metric: str
    further_than: float = Field(description="in units of the largest size measured when they were made")
    up_to: float | None = Field(description="null: without end")
    forecasts: int
    studies: int = Field(description="that they are of; forecasts of one study come true or fail together")
    coverage: dict[str, float] = Field(description="share that came inside the intervals, by their level")
    bias: float = Field(description="of what was said: positive, things came worse than was said")
    mean_absolute_error: float
    width: float = Field(description="mean width of the 95 % intervals")


class Forecasts(BaseModel):
    """A page of forecasts, the latest first; and the record of all that were scored."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"record": [_RECORD], "items": [_FORECAST], "next_cursor": None}]}
    )

    record: list[ForecastRecord] = Field(description="by metric and distance, of all that came, whatever the page")
    items: list[ForecastView]
    next_cursor: str | None
