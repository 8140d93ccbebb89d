"""Shapes of results: measurements, projections, curves."""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

JOB_ID = "019ab0c4-7d10-7b6e-8a53-5d1c2b3a4f60"

ClassLabel = str | int | None


def _example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(serialize_by_alias=True, json_schema_extra={"examples": [value]})


class CellMeasurement(BaseModel):
    """One value of one cell."""

    model_config = _example(
        {
            "run": 0,
            "step": 9,
            "n": 2500,
            "n_unique": 2500,
            "metric": "Accuracy",
            "class": None,
            "value": 0.944,
            "seconds": 12.5,
            "device": "cpu",
            "attempt": 1,
        }
    )

    run: int
    step: int = Field(description="counts from 0")
    n: int
    n_unique: int | None = Field(description="distinct items among the n")
    metric: str
    class_: ClassLabel = Field(serialization_alias="class", description="null for a scalar")
    value: float | None = Field(description="null: the evaluation gave none")
    seconds: float | None
    device: str | None
    attempt: int | None


class AverageMeasurement(BaseModel):
    """Mean and standard deviation over the runs at one step."""

    model_config = _example(
        {"step": 9, "n": 2500, "metric": "Accuracy", "class": None, "mean": 0.9448, "sd": 0.0031, "runs": 5}
    )

    step: int = Field(description="counts from 0")
    n: int
    metric: str
    class_: ClassLabel = Field(serialization_alias="class", description="null for a scalar")
    mean: float | None
    sd: float | None = Field(description="null with fewer than two runs")
    runs: int = Field(description="runs that have a value")


class ProjectedValue(BaseModel):
    """What a metric is expected to be at one training-set size."""

    model_config = ConfigDict(serialize_by_alias=True)

    n: int
    value: float
    lower: float | None = Field(description="null: the method gives no interval")
    upper: float | None
    measured_range: bool = Field(description="n is within what was measured")
    class_: ClassLabel = Field(
        None,
        serialization_alias="class",
        description="where the metric is one a class",
        exclude_if=lambda label: label is None,
    )


class Answer(BaseModel):
    """What every answer from the curves says of itself."""

    job_id: UUID
    method: Literal["power_law"]
    level: float = Field(description="level of the intervals")
    n_observed: int = Field(description="largest size measured")
    provisional: bool = Field(description="the job has not completed: from what is measured so far")
    warnings: list[dict[str, Any]] = Field(description="what could not be fitted, and why")


class Projection(Answer):
    """Expected values at the sizes asked for."""

    model_config = _example(
        {
            "job_id": JOB_ID,
            "method": "power_law",
            "level": 0.95,
            "n_observed": 2500,
            "provisional": False,
            "metrics": {
                "Accuracy": [
                    {"n": 1000, "value": 0.902, "lower": None, "upper": None, "measured_range": True},
                    {"n": 5000, "value": 0.957, "lower": None, "upper": None, "measured_range": False},
                ]
            },
            "trust": {},
            "warnings": [],
        }
    )

    metrics: dict[str, list[ProjectedValue]]
    trust: dict[str, Any] = Field(description="how well these data would have predicted themselves")


class TargetAnswer(BaseModel):
    """How many training items one target needs."""

    model_config = ConfigDict(serialize_by_alias=True)

    target: float
    status: Literal["reached", "needs", "beyond_horizon", "unreachable", "undetermined"]
    n: int | None
    lower: int | None
    upper: int | None
    probability: float | None = Field(description="null: the method gives none")
    n_assured: int | None = Field(description="null: the method gives none")
    class_: ClassLabel = Field(
        None,
        serialization_alias="class",
        description="where the metric is one a class",
        exclude_if=lambda label: label is None,
    )


class InverseProjection(Answer):
    """Training-set sizes for the targets asked for."""

    model_config = _example(
        {
            "job_id": JOB_ID,
            "method": "power_law",
            "level": 0.95,
            "n_observed": 2500,
            "provisional": False,
            "metrics": {
                "Accuracy": [
                    {
                        "target": 0.93,
                        "status": "needs",
                        "n": 2710,
                        "lower": None,
                        "upper": None,
                        "probability": None,
                        "n_assured": None,
                    }
                ]
            },
            "warnings": [],
        }
    )

    metrics: dict[str, list[TargetAnswer]]


class CurveView(BaseModel):
    """The fitted law of one metric, of one class where it has classes."""

    model_config = ConfigDict(serialize_by_alias=True)

    metric: str
    class_: ClassLabel = Field(serialization_alias="class")
    method: Literal["power_law"]
    method_version: int
    stored: bool = Field(description="kept at completion; else fitted for this answer")
    params: list[float | None] = Field(
        description="[scale, exponent, error_asymptote] of the law 1 − (scale · n^−exponent + error_asymptote)"
    )
    fit: dict[str, Any] = Field(description="the fit as it is kept; its scale is for n in units of n_max")


class Curves(BaseModel):
    """The fitted curves of a job."""

    model_config = _example(
        {
            "job_id": JOB_ID,
            "n_observed": 2500,
            "provisional": False,
            "items": [
                {
                    "metric": "Accuracy",
                    "class": None,
                    "method": "power_law",
                    "method_version": 1,
                    "stored": True,
                    "params": [2.31, 0.49, 0.011],
                    "fit": {
                        "scale": 0.05,
                        "exponent": 0.49,
                        "error_asymptote": 0.011,
                        "sse": 0.0004,
                        "n_min": 25.0,
                        "n_max": 2500.0,
                        "steps": 10,
                        "weights": "none",
                    },
                }
            ],
            "warnings": [],
        }
    )

    job_id: UUID
    n_observed: int
    provisional: bool
    items: list[CurveView]
    warnings: list[dict[str, Any]]


class DataevalExport(BaseModel):
    """What DataEval's `SufficiencyOutput(steps, measures, averaged_measures, unit_interval)` takes."""

    model_config = _example(
        {
            "steps": [25, 41, 69],
            "measures": {"Accuracy": [[0.31, 0.42, 0.55], [0.29, 0.44, 0.57]]},
            "averaged_measures": {"Accuracy": [0.30, 0.43, 0.56]},
            "unit_interval": True,
            "params": {"Accuracy": [2.31, 0.49, 0.011]},
            "warnings": [],
        }
    )

    steps: list[int]
    measures: dict[str, list[Any]] = Field(description="[runs][steps], or [runs][steps][classes]")
    averaged_measures: dict[str, list[Any]] = Field(description="[steps], or [classes][steps]")
    unit_interval: bool
    params: dict[str, list[Any] | None] = Field(description="[scale, exponent, error_asymptote], one a class")
    warnings: list[dict[str, Any]]
