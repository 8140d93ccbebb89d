"""Shapes of jobs."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sufficiency.schemas.examples import JOB_ID, SPEC_EXAMPLE, STEPS_EXAMPLE
from sufficiency.schemas.fields import ClassField, Name, Size, Strict, Timestamp, Word
from sufficiency.schemas.limits import STEPS
from sufficiency.schemas.paging import Page
from sufficiency.schemas.stopping import Budget, DesignView, StopWhen
from sufficiency.schemas.words import Device, Engine, JobState, Plan, Worth


class RunningCell(BaseModel):
    """A cell that a slot works on."""

    run: int
    step: int
    n: int = Field(description="its training-set size")
    since: Timestamp = Field(description="when its slot came to it")


class ProgressView(BaseModel):
    """How far a job is."""

    cells_done: int = Field(description="measured")
    cells_not_measurable: int = Field(
        0, description="ended without a value, every try having failed; the curves are without them; retry tries again"
    )
    cells_total: int = Field(description="0 until the steps are known")
    fraction: float = Field(description="of the training items over all cells")
    running: list[RunningCell] = Field(
        default_factory=list, description="what its slots work on", exclude_if=lambda cells: not cells
    )
    eta_seconds: float | None = Field(description="what its running slots still need, by the cells so far")


class ResultView(BaseModel):
    """What came of a job in a line: its primary metric at the largest size, and whether more data is worth it."""

    model_config = ConfigDict(serialize_by_alias=True)

    metric: str
    class_: ClassField = Field(
        None,
        serialization_alias="class",
        description="of a metric with a value a class the one that more data would bring most",
        exclude_if=lambda label: label is None,
    )
    value: float = Field(description="the curve at the largest measured size")
    n: int = Field(description="that size")
    worth: Word[Worth] | None = Field(description="as the verdict has it; null: of too many curves to be told at once")


class ReusedView(BaseModel):
    """The cells of a job that other jobs of the project had measured: they were taken over, and cost nothing."""

    cells: int
    training_items: int = Field(description="over these cells, one epoch")
    seconds_saved: float = Field(description="of a slot, that they had taken where they were measured")


class Links(BaseModel):
    """Where to go from here."""

    self: str
    cancel: str
    retry: str
    extend: str
    measurements: str
    project: str
    inv_project: str
    curves: str
    events: str
    export: str


class EngineView(BaseModel):
    """How a job's cells are gone through, where more than one way was to be had."""

    name: Word[Engine] = Field(description="stacked: the models of several cells are trained at once")
    why: str | None = Field(None, description="why it is not the stacked one", exclude_if=lambda why: why is None)

    @classmethod
    def of(cls, told: dict[str, Any] | None) -> "EngineView | None":
        """Return what is kept of an engine; None where there is nothing."""
        return cls.model_validate(told) if told is not None else None


class JobView(BaseModel):
    """One study: what it was asked, how far it is, what came of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": JOB_ID,
                    "name": "MNIST, first batch",
                    "note": "Labelled in March.",
                    "state": "running",
                    "queued_reason": None,
                    "spec": {**SPEC_EXAMPLE, "device": "cpu"},
                    "steps": STEPS_EXAMPLE,
                    "metrics": {"Accuracy": {"direction": "maximize", "bounds": [0.0, 1.0]}},
                    "device": "cpu",
                    "dataset_fingerprint": "sha256:9f86d081884c7d65",
                    "plugin_versions": {"model:tutorial-cnn": "0.1.0"},
                    "progress": {
                        "cells_done": 20,
                        "cells_not_measurable": 0,
                        "cells_total": 50,
                        "fraction": 0.62,
                        "eta_seconds": 41.0,
                    },
                    "labels": {"team": "vision"},
                    "priority": 0,
                    "created_at": "2026-11-23T12:00:00Z",
                    "started_at": "2026-11-23T12:00:01Z",
                    "finished_at": None,
                    "error": None,
                    "warnings": [],
                    "links": {
                        "self": f"/jobs/{JOB_ID}",
                        **{
                            name: f"/jobs/{JOB_ID}/{name}"
                            for name in (
                                "cancel",
                                "retry",
                                "extend",
                                "measurements",
                                "project",
                                "inv_project",
                                "curves",
                                "events",
                                "export",
                            )
                        },
                    },
                }
            ]
        }
    )

    id: UUID
    name: str = Field("", description="what it is called; empty: its model and its dataset")
    note: str = Field("", description="what somebody has written beside it")
    state: Word[JobState]
    queued_reason: str | None = Field(
        description="what a queued job waits for; and a running one, where no worker could take its next unit"
    )
    spec: dict[str, Any] = Field(description="as run: the defaults of service and plugins filled in")
    steps: list[int] | None = Field(
        description="training-set sizes by step number, those that it was extended by at the end; null until a "
        "schedule plugin has named them"
    )
    metrics: dict[str, Any] = Field(description="direction and bounds, as declared by the evaluation or the job")
    device: Word[Device]
    dataset_fingerprint: str
    plugin_versions: dict[str, str] = Field(description="what all its cells are measured with")
    progress: ProgressView
    labels: dict[str, str]
    priority: int
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    error: dict[str, Any] | None = Field(description="why it failed: code, detail, where, exception, traceback")
    warnings: list[dict[str, Any]] = Field(
        description="what gives reason to doubt the values: code, metric or dataset, detail"
    )
    design: DesignView | None = Field(
        None,
        description="of an adaptive job: how far it has gone, and why it stopped",
        exclude_if=lambda design: design is None,
    )
    engine: EngineView | None = Field(
        None,
        description="how its cells are gone through; null: one after the other, as on a CPU unless asked otherwise",
        exclude_if=lambda engine: engine is None,
    )
    result: ResultView | None = Field(
        None, description="what came of it, kept when it completed; null until then, and where nothing can be fitted"
    )
    reused: ReusedView | None = Field(
        None,
        description="what was taken over from other jobs and not measured again",
        exclude_if=lambda reused: reused is None,
    )
    measured_elsewhere: bool = Field(
        False, description="its values were handed in, and nothing was measured here", exclude_if=lambda told: not told
    )
    links: Links


class JobPage(Page[JobView]):
    """One page of jobs."""

    count: int | None = Field(None, description="how many jobs are like this in all; null unless it was asked for")
    count_complete: bool = Field(True, description="false: there are more of them than are counted")


class PlanView(BaseModel):
    """What a job would do; nothing is stored. Counts are null while a schedule plugin is to name the steps."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "spec": {**SPEC_EXAMPLE, "device": "cpu"},
                    "device": "cpu",
                    "steps": STEPS_EXAMPLE,
                    "runs": 5,
                    "cells": 50,
                    "units": 33,
                    "training_items": 31000,
                    "sgd_steps": 39100,
                    "estimated_slot_seconds": 132.0,
                    "queued_reason": None,
                    "warnings": [],
                }
            ]
        }
    )

    spec: dict[str, Any] = Field(description="as it would be run")
    device: Word[Device]
    steps: list[int] | None
    runs: int
    cells: int | None
    units: int | None = Field(description="what workers take one at a time")
    training_items: int | None = Field(description="over all cells, one epoch")
    sgd_steps: int | None = Field(description="over all cells, where the training has batch_size and epochs")
    estimated_slot_seconds: float | None = Field(
        description="of one slot, by earlier jobs with this model and training; null without any"
    )
    queued_reason: str | None = Field(description="what it would wait for, if no worker could take it now")
    design: DesignView | None = Field(
        None,
        description="of an adaptive job its first stage; all other figures are the most that it could measure",
        exclude_if=lambda design: design is None,
    )
    warnings: list[dict[str, Any]] = Field(
        default_factory=list,
        description="what gives reason to doubt what it would measure, and what of its learner changes with the number "
        "of training items: code, detail, and dataset, or kink and n",
    )


class NewExtension(Strict):
    """What to add to an ended job."""

    runs: int | None = Field(None, ge=1, le=10_000, description="the larger number of runs that it shall have in all")
    steps: list[Size] | None = Field(
        None, min_length=1, max_length=STEPS, description="sizes to measure besides those that it has"
    )
    dataset: Name | None = Field(
        None,
        description="a later version of the job's dataset: what is measured stays, and larger sizes are measured, up "
        "to all that there is where no `steps` are named; or another registration of the same data; other data only "
        "with start_anew",
    )
    plan: Plan | None = Field(None, description="grid: measure what an adaptive job has left out; adaptive: go on so")
    stop_when: StopWhen | None = Field(None, description="another question, in place of the one that it has")
    budget: Budget | None = Field(None, description="another budget, with what is spent already in it")

    @model_validator(mode="after")
    def _something(self) -> "NewExtension":
        if not any((self.runs, self.steps, self.dataset, self.plan, self.stop_when, self.budget)):
            raise ValueError("name what to extend: runs, steps, dataset, plan, stop_when or budget")
        return self


class ExtensionPlanView(BaseModel):
    """What an extension would do; nothing is stored. Counts are null while a schedule plugin is to name the steps."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "spec": {**SPEC_EXAMPLE, "runs": 8, "device": "cpu"},
                    "steps": STEPS_EXAMPLE,
                    "cells_kept": 50,
                    "cells_dropped": 0,
                    "cells_to_measure": 30,
                    "units": 21,
                    "training_items": 18600,
                    "estimated_slot_seconds": 79.0,
                    "queued_reason": None,
                    "warnings": [],
                }
            ]
        }
    )

    spec: dict[str, Any] = Field(description="as it would be")
    steps: list[int] | None = Field(description="training-set sizes by step number")
    cells_kept: int = Field(description="measured already, and not measured again")
    cells_dropped: int = Field(description="measured already, and dropped by start_anew")
    cells_to_measure: int | None = Field(description="null too where they are chosen stage by stage")
    units: int | None = Field(description="what workers would take one at a time, of what is new")
    training_items: int | None = Field(
        description="over all cells to measure, one epoch; with protocol dataeval a run's earlier steps are gone "
        "through again besides"
    )
    estimated_slot_seconds: float | None = Field(
        description="of one slot, by earlier jobs with this model and training; null without any"
    )
    queued_reason: str | None = Field(description="what it would wait for, if no worker could take it now")
    warnings: list[dict[str, Any]] = Field(
        description="settings of the learner that change with the size of the training set: code, kink, n, detail"
    )
