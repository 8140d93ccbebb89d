"""A study in this process: the job of a service, with the same cells, the same seeds and so the same numbers."""

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import torch

from sufficiency.answers.designing import faults_of
from sufficiency.client.progress import progress_bar
from sufficiency.method.hope import is_hopeless
from sufficiency.method.methods import METHOD_VERSIONS
from sufficiency.method.schedule import ScheduleError, check_steps, geometric_steps
from sufficiency.method.shapes import shape_error, shapes_of
from sufficiency.schemas.spec import JobSpec, MetricSpec, PluginRef
from sufficiency.schemas.words import DEFAULT_METHOD, NEWEST_SAMPLING
from sufficiency.schemas.work import CellResult, UnitCell
from sufficiency.study import processes
from sufficiency.study.errors import Interrupted, InvalidStudy, StudyFailed
from sufficiency.study.given import recipe
from sufficiency.study.imprint import imprint
from sufficiency.study.keeping import Keeper, keeper
from sufficiency.study.recipe import Recipe
from sufficiency.study.record import Record, now
from sufficiency.study.result import StudyResult
from sufficiency.study.stages import measure_by_stages
from sufficiency.study.surroundings import unchanged
from sufficiency.training.build import build
from sufficiency.training.examining import looked_over
from sufficiency.training.faults import Fault
from sufficiency.training.loop import run_cells
from sufficiency.training.registry import Registry
from sufficiency.training.repeatable import make_repeatable
from sufficiency.training.schedules import named_steps
from sufficiency.training.splits import Splits
from sufficiency.training.study import JobStudy

if TYPE_CHECKING:
    from sufficiency.data.arrays import Task
    from sufficiency.schemas.problems import BadField
    from sufficiency.schemas.words import DeviceChoice, Plan, Protocol, Sampling


def run(
    *,
    model: Any,
    training: Any,
    evaluation: Any,
    train: Any,
    test: Any,
    reset: Any = None,
    runs: int = 5,
    substeps: int = 10,
    schedule: Any = None,
    plan: "Plan | None" = None,
    stop_when: Mapping[str, Any] | None = None,
    budget: Mapping[str, Any] | None = None,
    protocol: "Protocol" = "independent",
    metrics: Mapping[str, Any] | None = None,
    sampling: "Sampling | None" = None,
    seed: int = 0,
    device: "DeviceChoice" = "auto",
    priority: int = 0,
    dataset: str = "data",
    classes: Sequence[str] | None = None,
    task: "Task | None" = None,
    labels: Mapping[str, str] | None = None,
    workers: int = 1,
    resume: "str | os.PathLike[str] | StudyResult | None" = None,
    progress: bool | None = None,
    method_version: int | None = None,
) -> StudyResult:
    """Measure a learning curve in this process, as a job of the service would: the same numbers, without a service.

    Parameters
    ----------
    model : str, mapping, object, class or callable
        A registered plugin by its name, or as ``{"name": …, "params": …}``; or an object at hand: a model, or a class
        or function that makes one. Parameters of it that are called `input_shape` and `num_classes` are filled in.
    training, evaluation : str, mapping or object
        The strategies: objects with ``train(model, dataset, indices)`` and ``evaluate(model, dataset)``, or names.
    train, test : dataset, (x, y), str or mapping
        Both splits: any dataset with a length and items ``(input, target, …)``; a pair of arrays; or a loader as
        ``{"loader": "digits", "params": {"split": "train"}}``.
    reset : str, mapping or callable, optional
        Gives a model fresh parameters; see the guide on plugins.
    runs, substeps, schedule, plan, stop_when, budget, protocol, metrics, sampling, seed, device, priority
        As in a job. With ``stop_when={"target": 0.95, "n": 5000}``, or a `budget`, it measures a run, and then stage by
        stage the cells by which the answer gains most, until the question is decided. A
        schedule may be an object with ``get_steps(size)``. Nothing waits here: the priority is kept.
    dataset : str
        What to call the data in results.
    classes : sequence of str, optional
        Names of the classes, for arrays; their labels as they are otherwise.
    task : {"classification", "regression"}, optional
        Of arrays; where it is not given, floating targets are numbers to predict, and all others are classes.
    labels : mapping, optional
        Kept with the study.
    workers : int
        Processes that measure at a time. It makes no difference to the values.
    resume : path or StudyResult, optional
        A file that keeps each cell as soon as it is measured: with what it holds already the study goes on. Or a study
        that was interrupted.
    progress : bool, optional
        Show a bar; default in a notebook and on a terminal.
    method_version : int, optional
        Version of the calibrated method that the answers are to be by. A library with another one refuses before
        anything is measured, so that what is written down once is not compared with what another version says.

    Returns
    -------
    StudyResult

    Raises
    ------
    InvalidStudy
        With everything that is wrong with what was given.
    StudyFailed
        When a cell cannot be measured; with what was measured before.
    Interrupted
        On ^C, or a notebook's stop button; with what was measured before. It is a KeyboardInterrupt.

    Notes
    -----
    Python's, NumPy's and torch's generators, and torch's settings, are afterwards what they were before.

    Examples
    --------
    >>> import sufficiency
    >>> study = sufficiency.run(
    ...     model="mlp",
    ...     training={"name": "sgd-classifier", "params": {"lr": 0.05, "epochs": 5, "batch_size": 32}},
    ...     evaluation="classification",
    ...     train={"loader": "digits", "params": {"split": "train"}},
    ...     test={"loader": "digits", "params": {"split": "test"}},
    ...     runs=2,
    ...     substeps=4,
    ... )
    >>> study.state
    'completed'
    """
    made = recipe(
        {"model": model, "training": training, "evaluation": evaluation, "reset": reset},
        {"train": train, "test": test},
        {
            "dataset": dataset,
            "runs": runs,
            "substeps": substeps,
            "schedule": schedule,
            "plan": plan,
            "stop_when": stop_when,
            "budget": budget,
            "protocol": protocol,
            "metrics": dict(metrics or {}),
            "sampling": sampling,
            "seed": seed,
            "device": device,
            "priority": priority,
            "labels": dict(labels or {}),
        },
        classes=list(classes) if classes is not None else None,
        task=task,
    )
    if not isinstance(workers, int) or workers < 1:
        raise InvalidStudy([{"pointer": "workers", "detail": f"{workers!r} is no number of processes; take 1 or more"}])
    if method_version not in (None, METHOD_VERSIONS[DEFAULT_METHOD]):
        detail = (
            f"this library answers by version {METHOD_VERSIONS[DEFAULT_METHOD]} of the method {DEFAULT_METHOD}, not by "
            f"{method_version!r}; leave it out, or install the release that has it"
        )
        raise InvalidStudy([{"pointer": "method_version", "detail": detail}])
    with unchanged():
        make_repeatable()
        begun = begin(made)
        path = None if resume is None or isinstance(resume, StudyResult) else Path(resume)
        earlier = resume.record if isinstance(resume, StudyResult) else None
        if path is not None and path.exists():
            earlier = Record.read(path)
        if earlier is not None:
            begun.go_on(earlier, str(path or "the study"))
        return begun.measure(path, workers, progress)


def begin(made: Recipe) -> "Begun":
    """Read the data and build the strategies of a study, and plan its cells.

    Raises
    ------
    InvalidStudy
    """
    registry = made.registry()
    _require_known(made, registry)
    splits = _splits(made, registry)
    _require_buildable(made, registry, splits)
    steps = _steps(made, registry, splits)
    evaluation = registry.plugin("evaluation", made.spec.evaluation.name)
    assert evaluation is not None, "looked for above"
    try:
        declared = evaluation.description.capabilities.get("metrics") or {}
    except TypeError as error:
        raise InvalidStudy([{"pointer": "evaluation", "detail": str(error)}]) from error
    metrics = {name: MetricSpec.model_validate(one) for name, one in declared.items()} | made.spec.metrics
    device = made.spec.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    made.spec = made.spec.model_copy(update={"device": device, "sampling": made.spec.sampling or NEWEST_SAMPLING})
    if faults := faults_of(made.spec, steps, metrics):
        raise InvalidStudy([{"pointer": ".".join(path), "detail": detail} for path, detail in faults])
    if made.spec.is_adaptive:
        made.spec = made.spec.model_copy(update={"plan": "adaptive"})
    record = Record(
        id=uuid4(),
        spec=made.spec.model_dump(mode="json"),
        steps=steps,
        metrics={name: one.model_dump(mode="json") for name, one in metrics.items()},
        device=device,
        fingerprint=splits.fingerprint,
        info=splits.info,
        versions={f"{kind}:{name}": _version(registry, kind, name) for kind, name in _references(made.spec)},
        imprints={
            kind: imprint(target) for (kind, _), target in made.held.items() if kind not in ("dataset", "schedule")
        },
    )
    return Begun(made, registry, splits, record)


class Begun:
    """A study whose parts are at hand."""

    def __init__(self, made: Recipe, registry: Registry, splits: Splits, record: Record) -> None:
        self._made, self._registry, self._splits = made, registry, splits
        self.record = record

    @cached_property
    def _study(self) -> JobStudy:
        return self._made.study(self._registry, self._splits)

    def go_on(self, earlier: Record, source: str) -> None:
        """Take over what an earlier run of the same study has measured.

        Raises
        ------
        InvalidStudy
            When it is another study's.
        """
        mine, other = self.record, earlier
        differing = [
            name
            for name in ("model", "training", "evaluation", "reset", "protocol", "sampling", "seed")
            if mine.spec.get(name) != other.spec.get(name)
        ]
        changed = [kind for kind in _changed(mine.imprints, other.imprints) if not _was_to_be_mended(other, kind)]
        differing += [f"{kind} (its source or its settings)" for kind in changed]
        differing += ["steps"] if mine.steps != other.steps else []
        differing += ["data"] if mine.fingerprint != other.fingerprint else []
        differing += ["device"] if mine.device != other.device else []
        differing += [f"version of {name}" for name in _changed(mine.versions, other.versions)]
        if differing:
            detail = (
                f"holds another study: it differs in {', '.join(dict.fromkeys(differing))}. "
                "Name another file for this one, or give what it was measured with."
            )
            raise InvalidStudy([{"pointer": source, "detail": detail}])
        runs = max(int(mine.spec["runs"]), 1 + max((run for run, _ in other.cells), default=0))
        mine.spec = {**mine.spec, "runs": runs}
        self._made.spec = self._made.spec.model_copy(update={"runs": runs})
        mine.id, mine.created_at, mine.cells = other.id, other.created_at, other.without_what_follows_gaps()

    def measure(self, path: Path | None, workers: int, progress: bool | None) -> StudyResult:
        """Measure what is not measured yet."""
        result = StudyResult(self.record)
        with keeper(path, self.record) as kept, progress_bar(progress) as show:
            recorder = _Recorder(self.record, kept, lambda: show(result.look()) if show else None)
            self.record.state = "running"
            recorder.tell()
            try:
                self._measure(workers, recorder)
            except Fault as error:
                self.record.error = error.error
                self._ended("failed", kept, recorder)
                raise StudyFailed(error.error, result.look()) from (error.__cause__ or error)
            except KeyboardInterrupt:
                self._ended("cancelled", kept, recorder)
                raise Interrupted(result.look(), self._said(path)) from None
            self._ended("completed", kept, recorder)
        return result.look()

    def _ended(self, state: str, kept: Keeper, recorder: "_Recorder") -> None:
        self.record.state, self.record.finished_at = state, now()
        kept.end(self.record)
        recorder.tell()

    def _said(self, path: Path | None) -> str:
        done = f"{len(self.record.cells)} of {self.record.total} cells are measured and kept"
        if path is not None:
            return f"{done} in {path}: the same call with resume={str(path)!r} goes on from there."
        return f"{done}: `import sys; study = sys.last_value.study` has them, and run(..., resume=study) goes on."

    def _measure(self, workers: int, recorder: "_Recorder") -> None:
        record, spec = self.record, self._made.spec
        cells = [
            UnitCell(run, step, n, done=(run, step) in record.cells)
            for run in range(spec.runs)
            for step, n in enumerate(record.steps)
        ]
        with processes.Crew(self._made, record.device, workers) as crew:

            def measure(chosen: list[UnitCell]) -> None:
                if workers > 1:
                    crew.measure(list(_tasks(spec, chosen)), recorder)
                else:
                    run_cells(self._made.unit(chosen, record.device), self._study, recorder)

            if spec.is_adaptive:
                measure_by_stages(spec, record, measure)
            elif not all(cell.done for cell in cells):
                measure(cells)


class _Recorder:
    """Keeps what is measured, and shows how far the study is."""

    def __init__(self, record: Record, kept: Keeper, tell: Any) -> None:
        self._record, self._kept, self.tell = record, kept, tell
        self._shapes = shapes_of(value for cell in record.cells.values() for value in cell.values)

    def started(self, cell: UnitCell) -> None:
        """Not shown: the bar moves with what is measured."""

    def record(self, result: CellResult) -> None:
        """Keep a cell; end the study where its metrics are of other shapes than those of the cells before."""
        place = {"run": result.run, "step": result.step, "n": self._record.steps[result.step]}
        found = shapes_of(result.values)
        if error := shape_error(self._shapes, found, place):
            raise Fault(error)
        self._shapes |= found
        self._kept.cell(self._record, result)
        self._record.cells[result.run, result.step] = result
        self.tell()

    def give_up(self, cell: UnitCell, fault: Fault) -> None:
        """Keep that a cell cannot be measured; end the study where there is no hope for the rest."""
        record = self._record
        record.gaps[cell.run, cell.step] = fault.error
        self._kept.gap(record, (cell.run, cell.step))
        steps = record.steps
        largest = max(range(len(steps)), key=steps.__getitem__)
        if is_hopeless(list(record.gaps), len(record.cells), record.total, len(steps), largest, fault.error):
            raise fault
        self.tell()


def _tasks(spec: JobSpec, cells: Sequence[UnitCell]) -> Iterable[list[UnitCell]]:
    """Yield what one process measures at a time: a cell, a run's large ones first; or a run that is one sequence."""
    for run in range(spec.runs):
        of_run = [cell for cell in cells if cell.run == run]
        if spec.protocol == "independent":
            yield from ([cell] for cell in sorted(of_run, key=lambda cell: -cell.n) if not cell.done)
        elif not all(cell.done for cell in of_run):
            yield of_run


def _changed(mine: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return [name for name in sorted(mine.keys() | other.keys()) if mine.get(name) != other.get(name)]


def _was_to_be_mended(earlier: Record, kind: str) -> bool:
    """Return whether an object failed the earlier run, which can only go on with another."""
    where = (earlier.error or {}).get("where") or {}
    return earlier.state == "failed" and where.get("phase") == kind


def _references(spec: JobSpec) -> list[tuple[str, str]]:
    refs = {"model": spec.model, "training": spec.training, "evaluation": spec.evaluation, "reset": spec.reset}
    return [(kind, ref.name) for kind, ref in refs.items() if ref is not None]


def _version(registry: Registry, kind: str, name: str) -> str:
    plugin = registry.plugin(kind, name)
    return plugin.description.version if plugin is not None else "0"


def _require_known(made: Recipe, registry: Registry) -> None:
    named = [(kind, kind, name) for kind, name in _references(made.spec)]
    named += [("dataset", place, source.loader) for place, source in (("train", made.train), ("test", made.test))]
    if isinstance(made.spec.schedule, PluginRef):
        named.append(("schedule", "schedule", made.spec.schedule.name))
    faults: list[BadField] = []
    for kind, place, name in named:
        if registry.plugin(kind, name) is None:
            there = ", ".join(registry.names(kind)) or "none"
            faults.append({"pointer": place, "detail": f"no {kind} plugin is called {name!r}; there is {there}"})
    if faults:
        raise InvalidStudy(faults)


def _splits(made: Recipe, registry: Registry) -> Splits:
    try:
        return looked_over(made.splits(registry))
    except Fault as error:
        raise InvalidStudy([{"pointer": "train, test", "detail": str(error)}]) from (error.__cause__ or error)


def _require_buildable(made: Recipe, registry: Registry, splits: Splits) -> None:
    faults: list[BadField] = []
    for kind, ref in (
        ("training", made.spec.training),
        ("evaluation", made.spec.evaluation),
        ("reset", made.spec.reset),
    ):
        if ref is not None:
            try:
                build(registry, kind, ref, context=splits.context)
            except Fault as error:
                faults.append({"pointer": kind, "detail": str(error)})
    if faults:
        raise InvalidStudy(faults)


def _steps(made: Recipe, registry: Registry, splits: Splits) -> list[int]:
    spec, size = made.spec, int(splits.info["train"]["size"])
    try:
        if spec.schedule is None:
            classes = len(splits.info.get("class_names") or [])
            return geometric_steps(size, spec.substeps, classes=classes, protocol=spec.protocol)
        if isinstance(spec.schedule, PluginRef):
            return named_steps(registry, spec.schedule, size)
        return check_steps(spec.schedule, size)
    except ScheduleError as error:
        raise InvalidStudy([{"pointer": "schedule", "detail": str(error)}]) from None
    except Fault as error:
        raise InvalidStudy([{"pointer": "schedule", "detail": str(error)}]) from (error.__cause__ or error)
