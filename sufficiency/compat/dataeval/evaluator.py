"""DataEval's `Sufficiency`: its constructor, its `evaluate`, and what they are documented to do, over our own loop."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, field_validator

from sufficiency.answers.dataeval import SufficiencyOutput
from sufficiency.answers.provenance import ExecutionMetadata
from sufficiency.client.progress import progress_bar
from sufficiency.compat.dataeval.schedules import EvaluationSchedule, GeometricSchedule, ManualSchedule
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import NEWEST_SAMPLING, Direction, Method
from sufficiency.schemas.words import Protocol as StudyProtocol
from sufficiency.schemas.work import CellResult, UnitCell
from sufficiency.study import processes
from sufficiency.study.recipe import labels_of
from sufficiency.study.surroundings import unchanged
from sufficiency.training.faults import Fault
from sufficiency.training.loop import run_cells
from sufficiency.training.metrics import on_host
from sufficiency.training.repeatable import make_repeatable
from sufficiency.training.unit import UnitPlan

T = TypeVar("T")
M = TypeVar("M")
_T = TypeVar("_T")
_M = TypeVar("_M")


@runtime_checkable
class TrainingStrategy(Protocol):
    """Trains a model in place on the items of a dataset that the indices name."""

    def train(self, model: Any, dataset: Any, indices: Any) -> Any: ...


@runtime_checkable
class EvaluationStrategy(Protocol):
    """Measures a trained model on the test split."""

    def evaluate(self, model: Any, dataset: Any) -> Mapping[str, Any]: ...


class Sufficiency(Generic[T, M]):
    """Measure how a model's metrics grow with the training data, as DataEval 1.1.4's class of this name does.

    Parameters
    ----------
    model : Any
        The model; what the reset strategy is given before each run.
    training_strategy : TrainingStrategy, optional
        Has ``train(model, dataset, indices)``; default the config's.
    evaluation_strategy : EvaluationStrategy, optional
        Has ``evaluate(model, dataset)``; default the config's.
    reset_strategy : callable, optional
        Gives the model fresh parameters, and returns it; default a deep copy of the model as it was given here.
    runs, substeps : int, optional
        Default the config's: 1 and 5.
    unit_interval : bool, optional
        Whether the metrics lie in [0, 1]; default the config's: True.
    config : Sufficiency.Config, optional
        What is not given by itself.
    protocol : {"dataeval", "independent"}
        How cells are trained. `dataeval`: subsets with replacement, and a run's model goes on training from step to
        step. `independent`: nested subsets without replacement, and a fresh model in every cell.
    method : {"power_law", "calibrated"}
        How the output projects: by DataEval's law, or by the method with intervals that a job of ours has.
    seed : int
        Of everything random: the same seed measures the same, whatever was drawn before.
    workers : int
        Processes that measure at a time; it makes no difference to the values.
    progress : bool, optional
        Show a bar; default in a notebook and on a terminal.

    Raises
    ------
    ValueError
        When `runs` or `substeps` is not positive.
    """

    class Config(BaseModel, Generic[_T, _M]):
        """What a study is made of.

        Attributes
        ----------
        training_strategy, evaluation_strategy : strategies or None
        reset_strategy : callable or None
        runs : int, default 1
        substeps : int, default 5
        unit_interval : bool, default True
        """

        model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

        training_strategy: TrainingStrategy | None = None
        evaluation_strategy: EvaluationStrategy | None = None
        reset_strategy: Callable[[Any], Any] | None = None
        runs: int = 1
        substeps: int = 5
        unit_interval: bool = True

        @field_validator("runs", "substeps")
        @classmethod
        def _positive(cls, value: int) -> int:
            if value <= 0:
                raise ValueError("must be positive")
            return value

    def __init__(
        self,
        model: M,
        training_strategy: TrainingStrategy | None = None,
        evaluation_strategy: EvaluationStrategy | None = None,
        reset_strategy: Callable[[M], M] | None = None,
        runs: int | None = None,
        substeps: int | None = None,
        unit_interval: bool | None = None,
        config: "Sufficiency.Config[Any, Any] | None" = None,
        *,
        protocol: StudyProtocol = "dataeval",
        method: Method = "power_law",
        seed: int = 0,
        workers: int = 1,
        progress: bool | None = None,
    ) -> None:
        base: Sufficiency.Config[Any, Any] = config if config is not None else Sufficiency.Config()
        given = {
            "training_strategy": training_strategy,
            "evaluation_strategy": evaluation_strategy,
            "runs": runs,
            "substeps": substeps,
            "unit_interval": unit_interval,
        }
        self.config = base.model_copy(update={name: value for name, value in given.items() if value is not None})
        self.model = model
        self.training_strategy = self.config.training_strategy
        self.evaluation_strategy = self.config.evaluation_strategy
        self.runs, self.substeps = self.config.runs, self.config.substeps
        self.unit_interval = self.config.unit_interval
        reset = reset_strategy if reset_strategy is not None else base.reset_strategy
        if reset is None:
            reset = _CopyOf(copy.deepcopy(model))
        self.reset_strategy: Callable[[Any], Any] = reset
        for name, number in (("runs", self.runs), ("substeps", self.substeps), ("workers", workers)):
            if number <= 0:
                raise ValueError(f"{name} must be positive, got {number}")
        if protocol not in ("dataeval", "independent"):
            raise ValueError(f"protocol must be 'dataeval' or 'independent', got {protocol!r}")
        if method not in ("power_law", "calibrated"):
            raise ValueError(f"method must be 'power_law' or 'calibrated', got {method!r}")
        self.protocol: StudyProtocol = protocol
        self.method: Method = method
        self.seed, self.workers, self.progress = seed, workers, progress

    def __repr__(self) -> str:
        """Return the configuration."""
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in type(self.config).model_fields)
        return f"{type(self).__name__}({shown})"

    def evaluate(
        self,
        train_dataset: Any,
        test_dataset: Any,
        schedule: EvaluationSchedule | int | Iterable[int] | None = None,
    ) -> SufficiencyOutput:
        """Train and evaluate the model on growing subsets.

        Parameters
        ----------
        train_dataset, test_dataset : dataset
            Each with a length; everything else is between it and the strategies.
        schedule : EvaluationSchedule or int or iterable of int, optional
            The sizes; default `substeps` in geometric progression from 1 % to all of the training data.

        Returns
        -------
        SufficiencyOutput

        Raises
        ------
        TypeError
            For a dataset without a length.
        ValueError
            For an empty one, and for sizes below 0 or above what there is.
        """
        began = datetime.now(UTC)
        length = validate_dataset_len(train_dataset)
        validate_dataset_len(test_dataset)
        steps = self._steps(schedule, length)
        work = _Work(
            train=train_dataset,
            test=test_dataset,
            labels=labels_of(train_dataset) if self.protocol == "independent" else None,
            training=_Training(_required(self.training_strategy, "training_strategy")),
            evaluation=_Flattening(_required(self.evaluation_strategy, "evaluation_strategy")),
            seed=self.seed,
            protocol=self.protocol,
            untrained=self.model,
            fresh=self.reset_strategy,
        )
        collected = _Collected(self.runs, steps)
        with unchanged():
            self._measure(work, collected)
        output = SufficiencyOutput(
            steps=steps,
            measures=collected.measures(),
            unit_interval=self.unit_interval,
            method=self.method,
            directions=_directions(self.evaluation_strategy),
        )
        output._meta = ExecutionMetadata(
            name=f"{type(self).__module__}.{type(self).__name__}.evaluate",
            execution_time=began,
            execution_duration=(datetime.now(UTC) - began).total_seconds(),
            arguments={
                "train_dataset": _told(train_dataset),
                "test_dataset": _told(test_dataset),
                "schedule": _told(schedule),
            },
            state={"runs": self.runs, "substeps": self.substeps, "protocol": self.protocol, "seed": self.seed},
        )
        return output

    def _create_schedule(self, schedule: EvaluationSchedule | int | Iterable[int] | None) -> EvaluationSchedule:
        if schedule is None:
            return GeometricSchedule(substeps=self.substeps)
        return schedule if isinstance(schedule, EvaluationSchedule) else ManualSchedule(schedule)

    def _steps(self, schedule: EvaluationSchedule | int | Iterable[int] | None, length: int) -> NDArray[np.intp]:
        named = np.atleast_1d(np.asarray(self._create_schedule(schedule).get_steps(length)))
        if named.ndim != 1 or not named.size or not np.all(named == named.astype(np.intp)):
            raise ValueError(f"a schedule must name whole sizes, got {named!r:.200}")
        steps: NDArray[np.intp] = named.astype(np.intp)
        if (wrong := steps[(steps < 0) | (steps > length)]).size:
            raise ValueError(
                f"the schedule names {wrong[0]}, and there are {length} training items: a step must be in 1 … {length}"
            )
        # A fresh model learns nothing from nothing, and the same from the same.
        return np.unique(steps[steps > 0]) if self.protocol == "independent" else steps

    def _measure(self, work: "_Work", collected: "_Collected") -> None:
        cells = [[UnitCell(run, step, int(n)) for step, n in enumerate(collected.steps)] for run in range(self.runs)]
        with progress_bar(self.progress) as show:
            collected.tell = show
            try:
                if self.workers == 1:
                    make_repeatable()
                    run_cells(work.unit([cell for of_run in cells for cell in of_run], "given"), work, collected)
                    return
                tasks = cells if self.protocol == "dataeval" else [[cell] for of_run in cells for cell in of_run[::-1]]
                processes.measure(work, "given", tasks, self.workers, collected)
            except Fault as error:
                if error.__cause__ is not None and error.error["code"] == "plugin_raised":
                    raise error.__cause__ from error  # what a strategy raises is for whoever wrote it
                raise RuntimeError(str(error)) from error


@dataclass
class _Work:
    """What the loop is given; models stay where they are."""

    train: Any
    test: Any
    labels: NDArray[np.int64] | None
    training: Any
    evaluation: Any
    seed: int
    protocol: StudyProtocol
    untrained: Any
    fresh: Callable[[Any], Any]

    class_names: ClassVar[Sequence[str]] = ()
    names: ClassVar[dict[str, str]] = {
        "model": "the model",
        "training": "the training strategy",
        "evaluation": "the evaluation strategy",
        "reset": "the reset strategy",
    }

    def prepare(self) -> "_Work":
        """Return what the loop takes, in whichever process."""
        return self

    def model(self) -> Any:
        """Return something that is never the same: what is reset is the one model that was given."""
        return object()

    def reset(self, _: Any) -> Any:
        """Return the model with fresh parameters."""
        return self.fresh(self.untrained)

    def unit(self, cells: Sequence[UnitCell], device: str) -> UnitPlan:
        """Return cells as the loop takes them."""
        return UnitPlan(
            seed=self.seed,
            protocol=self.protocol,
            device=device,
            sampling=NEWEST_SAMPLING,
            cells=list(cells),
            placed=False,
        )


class _CopyOf:
    """Returns a copy of the model as it was given."""

    def __init__(self, pristine: Any) -> None:
        self._pristine = pristine

    def __call__(self, _: Any) -> Any:
        return copy.deepcopy(self._pristine)


class _Training:
    """Trains as the strategy does, which is asked for nothing else, as in DataEval."""

    def __init__(self, strategy: TrainingStrategy) -> None:
        self._strategy = strategy

    def train(self, model: Any, dataset: Any, indices: Any) -> Any:
        """Train the model."""
        return self._strategy.train(model, dataset, indices)


class _Flattening:
    """Evaluates as the strategy does; an array of more than one dimension becomes a row, as in DataEval."""

    def __init__(self, strategy: EvaluationStrategy) -> None:
        self._strategy = strategy

    def evaluate(self, model: Any, dataset: Any) -> Mapping[str, Any]:
        """Return the metrics."""
        metrics = self._strategy.evaluate(model, dataset)
        if not isinstance(metrics, Mapping):
            return metrics
        return {name: _in_one_dimension(value) for name, value in metrics.items()}


def _in_one_dimension(value: Any) -> Any:
    held = on_host(value)
    try:
        return np.ravel(held) if np.ndim(held) > 1 else value
    except ValueError:  # rows of unequal length: whoever reads it as numbers says so
        return value


class _Collected:
    """Takes what is measured, in whatever order."""

    def __init__(self, runs: int, steps: NDArray[np.intp]) -> None:
        self.runs, self.steps = runs, steps
        self.tell: Callable[[Any], object] | None = None
        self._cells: dict[tuple[int, int], CellResult] = {}

    def started(self, cell: UnitCell) -> None:
        """Not shown: the bar moves with what is measured."""

    def record(self, result: CellResult) -> None:
        """Take a cell."""
        self._cells[result.run, result.step] = result
        if self.tell is not None:
            total, done = self.runs * len(self.steps), len(self._cells)
            fraction = sum(self.steps[step] for _, step in self._cells) / max(1, self.runs * self.steps.sum())
            progress = {"cells_done": done, "cells_total": total, "fraction": float(fraction)}
            self.tell({"state": "running" if done < total else "completed", "progress": progress})

    def give_up(self, cell: UnitCell, fault: Fault) -> None:
        """End the study: DataEval's output has no holes to leave."""
        raise fault

    def measures(self) -> dict[str, NDArray[np.float64]]:
        """Return the values of each metric, (runs, steps) or (runs, steps, classes); NaN where there is none."""
        classes: dict[str, int] = {}
        for cell in self._cells.values():
            for metric, index, _ in cell.values:
                classes[metric] = max(classes.get(metric, 0), index + 1)
        shape = (self.runs, len(self.steps))
        found = {name: np.full((*shape, count) if count else shape, np.nan) for name, count in classes.items()}
        for (run, step), cell in self._cells.items():
            for metric, index, value in cell.values:
                place = (run, step) if not classes[metric] else (run, step, max(index, 0))
                found[metric][place] = np.nan if value is None else value
        return found


def validate_dataset_len(dataset: Any) -> int:
    """Return how many items a dataset has.

    Raises
    ------
    TypeError
        When it has no length.
    ValueError
        When it is empty.
    """
    if not isinstance(dataset, Sized):
        raise TypeError("Must provide a dataset with a length attribute")
    length = len(dataset)
    if length <= 0:
        raise ValueError("Dataset length must be greater than 0")
    return length


def _required(strategy: Any, name: str) -> Any:
    if strategy is None:
        raise ValueError(f"{name} is required: give it, or a config that has it")
    return strategy


def _directions(evaluation: Any) -> dict[str, Direction]:
    """Return which way is better for the metrics that an evaluation declares, as our own do."""
    declared = getattr(evaluation, "metric_properties", None)
    if not isinstance(declared, Mapping):
        return {}
    return {str(name): MetricSpec.model_validate(properties).direction for name, properties in declared.items()}


def _told(value: Any) -> Any:
    if value is None or np.isscalar(value):
        return value
    if hasattr(value, "shape"):
        return f"{type(value).__name__}: shape={value.shape}"
    return f"{type(value).__name__}: len={len(value)}" if isinstance(value, Sized) else type(value).__name__
