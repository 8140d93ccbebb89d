"""What the loop is given: the cells of a unit, what they are measured with, and whom to tell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from sufficiency.schemas import words
from sufficiency.schemas.spec import JobSpec
from sufficiency.schemas.work import CellResult, UnitCell
from sufficiency.training.faults import Fault
from sufficiency.training.protocols import Dataset, EvaluationStrategy, ResetStrategy, TrainingStrategy


@dataclass(frozen=True)
class UnitPlan:
    """The cells of a unit and how they are to be run.

    The `engine` is what was asked for; see `training.engines.choosing`. Models are moved to the device, unless they are
    not to be `placed`: then they stay where they are. They are evaluated on training items too where `measure_train`
    says so, or, where it says nothing, by a built-in evaluation.
    """

    seed: int
    protocol: words.Protocol
    device: str
    cells: list[UnitCell] = field(default_factory=list)
    sampling: words.Sampling = 1
    grown: tuple[int, ...] = ()
    placed: bool = True
    measure_train: bool | None = None
    engine: words.EngineChoice = "sequential"

    @classmethod
    def of(cls, spec: JobSpec, device: str, cells: Iterable[UnitCell]) -> Self:
        """Return cells of a job as they are to be run, whoever runs them."""
        return cls(
            seed=spec.seed,
            protocol=spec.protocol,
            device=device,
            sampling=spec.sampling or 1,
            grown=tuple(spec.grown),
            measure_train=spec.measure_train,
            engine=spec.engine,
            cells=list(cells),
        )


class Study(Protocol):
    """What a job's cells have in common: both splits, the strategies, and models by the piece.

    Attributes
    ----------
    train, test : Dataset
        As their loaders made them: a strategy gets exactly that.
    labels : NDArray, shape (N,), or None
        Class of each training item, for stratified subsets.
    class_names : sequence of str
        The dataset's; empty where it has none, or nobody knows them.
    training, evaluation, reset
        The strategies; `reset` may be None.
    names : dict
        Of "model", "training", "evaluation" and "reset": how an error calls them.
    """

    @property
    def train(self) -> Dataset: ...

    @property
    def test(self) -> Dataset: ...

    @property
    def labels(self) -> NDArray[np.int64] | None: ...

    @property
    def class_names(self) -> Sequence[str]: ...

    @property
    def training(self) -> TrainingStrategy: ...

    @property
    def evaluation(self) -> EvaluationStrategy: ...

    @property
    def reset(self) -> ResetStrategy | None: ...

    @property
    def names(self) -> dict[str, str]: ...

    def model(self) -> Any:
        """Build a model; the same object every time where the plugin is a ready-made one."""
        ...


class Recorder(Protocol):
    """Is told how the loop gets on."""

    def started(self, cell: UnitCell) -> None:
        """Take note of the cell that is in hand from now on."""
        ...

    def record(self, result: CellResult) -> None:
        """Keep what a cell measured."""
        ...

    def give_up(self, cell: UnitCell, fault: Fault) -> None:
        """Keep that a cell cannot be measured: how its last try failed.

        Whoever keeps it also decides whether there is any hope for the rest (`method.hope`); raising ends the loop.
        """
        ...
