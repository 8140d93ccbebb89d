"""Shapes of results: measurements, projections, curves."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from sufficiency.schemas.examples import JOB_ID
from sufficiency.schemas.fields import ClassField, Timestamp, Word
from sufficiency.schemas.words import Bounds, Direction, Method, Of, TargetStatus, Told


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
    class_: ClassField = Field(serialization_alias="class", description="null for a scalar")
    value: float | None = Field(description="null: the evaluation gave none")
    seconds: float | None
    device: str | None
    attempt: int | None
    reused_from: UUID | None = Field(
        None,
        description="the job that measured it, where it was taken over and not measured again",
        exclude_if=lambda job: job is None,
    )


class TrainingWarning(BaseModel):
    """A warning that a library gave while a cell was trained."""

    category: str
    message: str
    count: int


class LossView(BaseModel):
    """How the training loss of torch's networks went, as it went into `backward`."""

    start: float = Field(description="mean over the first hundredth of the steps")
    halfway: float = Field(description="by a line through the second half, over the logarithm of the steps")
    end: float = Field(description="by the same line")
    falls: bool | None = Field(
        description="whether it still fell when training ended, beyond its noise; null: it cannot be told, of a "
        "learning rate that had come down as planned, or of a loss below zero"
    )


class CellDetails(BaseModel):
    """What a cell's learner did that its values do not show; nothing where nobody looked."""

    optimiser_steps: int | None = Field(None, description="of torch's optimisers")
    optimiser: dict[str, Any] | None = Field(None, description="name, first_lr and last_lr of torch's optimiser")
    loss: LossView | None = Field(
        None, description="of the training; null: it could not be told", exclude_if=lambda found: found is None
    )
    settled: dict[str, dict[str, Any]] | None = Field(
        None,
        description="by estimator, what it chose by itself: n_iter_, learning_rate_, batch_size, _gamma, CatBoost's "
        "get_all_params(), and parameters that the strategy changed",
    )
    train: dict[str, float | None] = Field(
        default_factory=dict, description="the metrics on at most 2,000 of the items that it was trained on"
    )
    warnings: list[TrainingWarning] = Field(default_factory=list)
    test_sd: dict[str, float] | None = Field(
        None,
        description="by metric, what the test split's own chance adds to the value, where the evaluation says so",
        exclude_if=lambda found: found is None,
    )
    cut: bool = Field(False, description="there was more than is kept")


class CellView(BaseModel):
    """One measured cell."""

    model_config = _example(
        {
            "run": 0,
            "step": 9,
            "n": 2500,
            "n_unique": 2500,
            "seconds": 12.5,
            "device": "cpu",
            "attempt": 1,
            "finished_at": "2026-11-23T12:05:01Z",
            "details": {
                "optimiser_steps": 3130,
                "optimiser": {"name": "SGD", "first_lr": 0.01, "last_lr": 0.01},
                "loss": {"start": 2.31, "halfway": 0.21, "end": 0.09, "falls": True},
                "settled": None,
                "train": {},
                "warnings": [],
                "cut": False,
            },
        }
    )

    run: int
    step: int = Field(description="counts from 0")
    n: int
    n_unique: int | None = Field(description="distinct items among the n")
    seconds: float | None
    device: str | None
    attempt: int | None
    finished_at: Timestamp | None = None
    reused_from: UUID | None = Field(
        None,
        description="the job that measured it, where it was taken over and not measured again",
        exclude_if=lambda job: job is None,
    )
    details: CellDetails


class AverageMeasurement(BaseModel):
    """Mean and standard deviation over the runs at one step."""

    model_config = _example(
        {"step": 9, "n": 2500, "metric": "Accuracy", "class": None, "mean": 0.9448, "sd": 0.0031, "runs": 5}
    )

    step: int = Field(description="counts from 0")
    n: int
    metric: str
    class_: ClassField = Field(serialization_alias="class", description="null for a scalar")
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
    class_: ClassField = Field(
        None,
        serialization_alias="class",
        description="where the metric is one a class",
        exclude_if=lambda label: label is None,
    )


class Answer(BaseModel):
    """What every answer from the curves says of itself."""

    job_id: UUID
    method: Word[Method]
    method_version: int = Field(description="of the method; a completed job keeps the one that it completed with")
    level: float = Field(description="level of the intervals")
    n_observed: int = Field(description="largest size measured")
    provisional: bool = Field(description="the job has not completed: from what is measured so far")
    warnings: list[dict[str, Any]] = Field(description="what could not be fitted, and what is odd about the curves")


class TrustView(BaseModel):
    """How well a metric's curve would have predicted its own later steps; the mean over classes where it has them."""

    backtest_error: float | None = Field(description="mean absolute error; null: too few early steps to tell")
    inside_interval: float | None = Field(description="share of what was measured inside the 95 % intervals")
    predictions: int = Field(description="how many later steps were predicted")


class Projection(Answer):
    """Expected values at the sizes asked for."""

    model_config = _example(
        {
            "job_id": JOB_ID,
            "method": "calibrated",
            "method_version": 3,
            "level": 0.95,
            "of": "mean",
            "n_observed": 2500,
            "provisional": False,
            "metrics": {
                "Accuracy": [
                    {"n": 1000, "value": 0.902, "lower": 0.895, "upper": 0.910, "measured_range": True},
                    {"n": 5000, "value": 0.957, "lower": 0.942, "upper": 0.968, "measured_range": False},
                ]
            },
            "trust": {"Accuracy": {"backtest_error": 0.006, "inside_interval": 1.0, "predictions": 7}},
            "warnings": [],
        }
    )

    of: Word[Of]
    metrics: dict[str, list[ProjectedValue]]
    trust: dict[str, TrustView] = Field(description="how well these data would have predicted themselves")


class TargetAnswer(BaseModel):
    """How many training items one target needs."""

    model_config = ConfigDict(serialize_by_alias=True)

    target: float
    status: Word[TargetStatus]
    n: int | None = Field(description="the first size at which the curve meets the target")
    lower: int | None = Field(description="where the better end of the interval meets it; null: nowhere")
    upper: int | None = Field(description="where the worse end of the interval meets it; null: nowhere")
    probability: float | None = Field(description="of meeting it within 1024 times what was measured; null: not given")
    n_assured: int | None = Field(
        description="the first size at which one new training meets it with probability 0.8; null: nowhere"
    )
    class_: ClassField = Field(
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
            "method": "calibrated",
            "method_version": 3,
            "level": 0.95,
            "n_observed": 2500,
            "provisional": False,
            "metrics": {
                "Accuracy": [
                    {
                        "target": 0.93,
                        "status": "needs",
                        "n": 2710,
                        "lower": 2510,
                        "upper": 4890,
                        "probability": 0.97,
                        "n_assured": 3900,
                    }
                ]
            },
            "warnings": [],
        }
    )

    metrics: dict[str, list[TargetAnswer]]


class PredictionView(BaseModel):
    """A later step as the earlier ones predicted it."""

    n_fitted: int = Field(description="the largest size that the prediction knew")
    n: int
    value: float
    lower: float | None
    upper: float | None
    measured: float


class BacktestView(BaseModel):
    """How well a curve would have predicted its own later steps, fitted up to a quarter and a half of the largest."""

    error: float | None = Field(description="mean absolute error; null: too few early steps to tell")
    inside_interval: float | None = Field(description="share of what was measured inside the 95 % intervals")
    predictions: list[PredictionView]


class CurveView(BaseModel):
    """The fitted curve of one metric, of one class where it has classes."""

    model_config = ConfigDict(serialize_by_alias=True)

    metric: str
    class_: ClassField = Field(serialization_alias="class")
    direction: Word[Direction]
    bounds: Bounds = Field(description="what the metric can take; null: unbounded")
    method: Word[Method]
    method_version: int
    stored: bool = Field(description="kept at completion; else fitted for this answer")
    params: list[float | None] | None = Field(
        description="of power_law: [scale, exponent, error_asymptote] of 1 − (scale · n^−exponent + error_asymptote)"
    )
    fit: dict[str, Any] = Field(
        description="the fit as it is kept. calibrated: knots over log2_n, the median and the widths below and above "
        "it on the link's scale. power_law: its parameters, the scale for n in units of n_max"
    )
    backtest: BacktestView


class ReadingView(BaseModel):
    """What `project` and `inv_project` go by when they read a curve; who reads the fits alone needs the same."""

    horizon: int = Field(description="how far targets are looked for, in units of the largest measured size")
    reliable: int = Field(description="up to where an answer can be relied on, in units of the largest measured size")
    least_probability: float = Field(description="a target less likely than this to be met at all is unreachable")
    assurance: float = Field(description="probability that one new training meets the target, at n_assured")


class Refitted(BaseModel):
    """By which versions of the methods a job's curves were kept, and are now that they were fitted anew."""

    model_config = _example(
        {"job_id": JOB_ID, "before": {"calibrated": 1, "power_law": 1}, "now": {"calibrated": 2, "power_law": 1}}
    )

    job_id: UUID
    before: dict[str, int]
    now: dict[str, int]


class Curves(BaseModel):
    """The fitted curves of a job."""

    model_config = _example(
        {
            "job_id": JOB_ID,
            "n_observed": 2500,
            "provisional": False,
            "reading": {"horizon": 1024, "reliable": 16, "least_probability": 0.05, "assurance": 0.8},
            "items": [
                {
                    "metric": "Accuracy",
                    "class": None,
                    "direction": "maximize",
                    "bounds": [0.0, 1.0],
                    "method": "power_law",
                    "method_version": 3,
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
                    "backtest": {"error": 0.021, "inside_interval": None, "predictions": []},
                }
            ],
            "warnings": [],
        }
    )

    job_id: UUID
    n_observed: int
    provisional: bool
    reading: ReadingView
    cells_reused: int = Field(
        0,
        description="of the measured cells those that were taken over from other jobs of the project",
        exclude_if=lambda cells: not cells,
    )
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
            "directions": {"Accuracy": "maximize"},
            "warnings": [],
        }
    )

    steps: list[int]
    measures: dict[str, list[Any]] = Field(
        description="[runs][steps], or [runs][steps][classes]; null where a cell could not be measured"
    )
    averaged_measures: dict[str, list[Any]] = Field(description="[steps], or [classes][steps]")
    unit_interval: bool
    params: dict[str, list[Any] | None] = Field(description="[scale, exponent, error_asymptote], one a class")
    directions: dict[str, Word[Direction]] = Field(default_factory=dict, description="which way is better, by metric")
    warnings: list[dict[str, Any]]


class ComparedJob(BaseModel):
    """One of the jobs that are compared."""

    job_id: UUID
    model: str
    dataset: str
    n_observed: int
    provisional: bool
    shares_subsets: bool = Field(description="its runs trained on the same subsets as the first job's")


class ComparedCurve(BaseModel):
    """A job's curve at sizes that are the same for all jobs."""

    job_id: UUID
    points: list[ProjectedValue]


class CrossingView(BaseModel):
    """Where two curves cross; the jobs' uncertainties are taken as independent."""

    n: int | None = Field(
        description="the last size at which the curves change places, up to where they can be relied on; null: none"
    )
    lower: int | None = Field(description="the largest size below, at which it is sure which is ahead; null: none is")
    upper: int | None = Field(description="the smallest size above, at which it is sure which is ahead; null: none is")
    ahead_before: UUID | None = Field(description="the job that is ahead below n")
    ahead_after: UUID | None = Field(description="the job that is ahead from n on; without a crossing, throughout")
    sure_before: float = Field(description="greatest probability that it is, over the sizes below n")
    sure_after: float
    told: Word[Told] = Field(
        description="what may be said at this level, by the curves or by what is paired: overtakes (one is surely "
        "ahead below n, and the other above), ahead (throughout), ahead_before, ahead_after (surely, on that side of n "
        "alone), within_noise (differences are no larger than chance may make them)"
    )


class EfficiencyView(BaseModel):
    """How many items a job's curve needs for what the first job's is at `n_first`."""

    n_first: int
    value: float
    status: Word[TargetStatus]
    n: int | None = Field(description="the first size at which this job's curve meets the value; null: none in reach")
    lower: int | None
    upper: int | None
    ratio: float | None = Field(description="n in units of n_first: 2 means twice the data for the same value")
    ratio_lower: float | None
    ratio_upper: float | None


class PairedView(BaseModel):
    """This job minus the first, over runs that trained on the same subsets of n items."""

    n: int
    runs: int
    difference: float
    sd: float | None = Field(description="null with fewer than two pairs")
    lower: float | None
    upper: float | None


class ItemsPairedView(BaseModel):
    """This job minus the first, item by item of the test split that both were measured on."""

    n: int
    runs: int = Field(description="of each job; with 1, how trainings scatter is not in the interval")
    items: int = Field(description="of the test split")
    difference: float = Field(description="of the shares of items that were right")
    lower: float = Field(description="of the difference on all data that the test split was drawn from")
    upper: float
    only_first: float = Field(description="items that the first job alone had right, mean over the runs")
    only_second: float = Field(description="items that this job alone had right, mean over the runs")


class PairView(BaseModel):
    """A job beside the first one."""

    job_id: UUID
    crossing: CrossingView
    efficiency: list[EfficiencyView]
    paired: list[PairedView] = Field(description="empty where the jobs do not share their subsets")
    on_items: list[ItemsPairedView] = Field(
        description="empty where the jobs do not share their test split, or the metric's evaluation did not say which "
        "items were right"
    )


class ComparedMetric(BaseModel):
    """One metric of all the jobs, of one class where it has classes."""

    model_config = ConfigDict(serialize_by_alias=True)

    curves: list[ComparedCurve]
    pairs: list[PairView] = Field(description="each later job beside the first")
    class_: ClassField = Field(
        None,
        serialization_alias="class",
        description="where the metric is one a class",
        exclude_if=lambda label: label is None,
    )


OTHER_ID = "019ab0c4-9a41-7d02-b1c5-0a8e6f2d7b13"


class ComparisonView(BaseModel):
    """Jobs' curves side by side."""

    model_config = _example(
        {
            "level": 0.95,
            "jobs": [
                {
                    "job_id": job_id,
                    "model": model,
                    "dataset": "mnist-2500",
                    "n_observed": 2500,
                    "provisional": False,
                    "shares_subsets": True,
                }
                for job_id, model in ((JOB_ID, "tutorial-cnn"), (OTHER_ID, "mlp"))
            ],
            "metrics": {
                "Accuracy": [
                    {
                        "curves": [
                            {
                                "job_id": JOB_ID,
                                "points": [
                                    {"n": 2500, "value": 0.946, "lower": 0.94, "upper": 0.952, "measured_range": True}
                                ],
                            }
                        ],
                        "pairs": [
                            {
                                "job_id": OTHER_ID,
                                "crossing": {
                                    "n": 420,
                                    "lower": 190,
                                    "upper": 700,
                                    "ahead_before": OTHER_ID,
                                    "ahead_after": JOB_ID,
                                    "sure_before": 0.99,
                                    "sure_after": 0.99,
                                    "told": "overtakes",
                                },
                                "efficiency": [
                                    {
                                        "n_first": 2500,
                                        "value": 0.946,
                                        "status": "needs",
                                        "n": 7300,
                                        "lower": 4100,
                                        "upper": 21000,
                                        "ratio": 2.92,
                                        "ratio_lower": 1.64,
                                        "ratio_upper": 8.4,
                                    }
                                ],
                                "paired": [
                                    {
                                        "n": 2500,
                                        "runs": 5,
                                        "difference": -0.031,
                                        "sd": 0.008,
                                        "lower": -0.041,
                                        "upper": -0.021,
                                    }
                                ],
                                "on_items": [
                                    {
                                        "n": 2500,
                                        "runs": 5,
                                        "items": 1000,
                                        "difference": -0.031,
                                        "lower": -0.045,
                                        "upper": -0.017,
                                        "only_first": 44.2,
                                        "only_second": 13.2,
                                    }
                                ],
                            }
                        ],
                    }
                ]
            },
            "warnings": [],
        }
    )

    level: float
    jobs: list[ComparedJob]
    metrics: dict[str, list[ComparedMetric]]
    warnings: list[dict[str, Any]] = Field(description="metrics that are left out, and why")
