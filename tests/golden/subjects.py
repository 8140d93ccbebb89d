"""Everything of the project that the goldens of the method, the loop and the leases are about.

No other of their files imports from the project: where a part moves to, or is called otherwise, is told here alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.catalog.plugins import advertise
from app.catalog.workers import register_worker
from app.db.engine import Database
from app.db.tables import Dataset, Job, Unit
from app.errors import ServiceError
from app.jobs import ending, reopening
from app.jobs.ending import expire_job
from app.jobs.lifecycle import lock_job
from app.jobs.planning import create_cells
from app.settings import Settings
from app.units.lease import (
    ClaimedUnit,
    claim_next,
    claim_of,
    expire_lease,
    fail_unit,
    finish_unit,
    record_cell,
    renew,
    surrender_unit,
)
from app.units.plans import claim_plan, job_planned, plan_failed
from bench.history import finish_job
from sufficiency.method.backtest import Backtest, backtest
from sufficiency.method.comparison import efficiency, find_crossing, paired_differences
from sufficiency.method.curve import DEFAULT_LEVEL, HORIZON, RELIABLE, Fit, NotEnoughData
from sufficiency.method.diagnosis import diagnose, find_drivers, sampling_sd
from sufficiency.method.measurements import Series, series_from_rows
from sufficiency.method.methods import METHOD_VERSIONS, fit_series
from sufficiency.method.plan import plan_units, work
from sufficiency.method.projection import TargetOutOfBounds, check_target, inv_project, project
from sufficiency.method.sampling import cell_seed, nested_order, with_replacement_order
from sufficiency.method.schedule import ScheduleError, check_steps, geometric_steps
from sufficiency.method.verdict import judge
from sufficiency.schemas.jobs import NewExtension
from sufficiency.schemas.spec import JobSpec, MetricSpec
from sufficiency.schemas.work import CellResult, SplitSource, UnitCell
from sufficiency.training.messages import Answer, Failed, Measured, Request, RunUnit, Verified, VerifyDataset
from sufficiency.training.repeatable import seed_everything
from worker.slot import Slot

__all__ = [
    "DEFAULT_LEVEL",
    "HORIZON",
    "METHOD_VERSIONS",
    "RELIABLE",
    "Backtest",
    "CellResult",
    "ClaimedUnit",
    "Database",
    "Dataset",
    "Fit",
    "Job",
    "JobSpec",
    "MetricSpec",
    "NotEnoughData",
    "Refused",
    "ScheduleError",
    "Series",
    "TargetOutOfBounds",
    "Trainer",
    "advertise",
    "backtest",
    "cancel",
    "cell_seed",
    "check_steps",
    "check_target",
    "claim_plan",
    "claim_unit",
    "create_cells",
    "diagnose",
    "efficiency",
    "expire_job",
    "expire_lease",
    "extend",
    "fail_unit",
    "find_crossing",
    "find_drivers",
    "finish_job",
    "finish_unit",
    "fit_series",
    "geometric_steps",
    "inv_project",
    "job_planned",
    "judge",
    "lock_job",
    "nested_order",
    "paired_differences",
    "plan_failed",
    "plan_units",
    "project",
    "record_cell",
    "register_worker",
    "renew",
    "retry",
    "sampling_sd",
    "seed_everything",
    "series_from_rows",
    "start_anew",
    "started_trainer",
    "surrender_unit",
    "with_replacement_order",
    "work",
]


Refused = ServiceError


def claim_unit(
    session: Session, unit_id: UUID, worker_id: UUID, lease_seconds: float, held: Sequence[int] | None = None
) -> ClaimedUnit | None:
    """Claim the unit of that id, or return None where it is not the worker's turn to have it.

    A worker asks for work, not for a unit: a claim that was answered by another unit is taken back.

    Parameters
    ----------
    held : sequence of int, optional
        The attempts at the unit that the worker knows of, if it tells them.
    """
    with session.begin_nested() as trial:
        if held is None:
            job_id = session.scalars(select(Unit.job_id).where(Unit.id == unit_id)).one()
            claimed = claim_of(session, job_id, worker_id, lease_seconds)
        else:
            claimed = claim_next(session, worker_id, ["cpu"], lease_seconds, [(unit_id, attempt) for attempt in held])
        if claimed is not None and claimed.unit_id == unit_id:
            return claimed
        trial.rollback()
    return None


def cancel(session: Session, job: Job) -> None:
    """Cancel a job."""
    ending.cancel(session, job.id)


def retry(session: Session, job: Job) -> None:
    """Queue an ended job again."""
    reopening.retry(session, job.id, Settings())


def extend(session: Session, job: Job, spec: JobSpec, steps: Sequence[int]) -> None:
    """Queue an ended job again for what it lacks of the runs of `spec` and of `steps`."""
    more: dict[str, Any] = {"runs": spec.runs} if spec.runs > job.spec["runs"] else {}
    if added := [n for n in steps if n not in (job.steps or [])]:
        more["steps"] = added
    reopening.extend(session, job.id, NewExtension(**more or {"dataset": spec.dataset}), Settings())


def start_anew(session: Session, job: Job, steps: Sequence[int]) -> None:
    """Queue an ended job again for all of its cells, which are now those of `steps`, with the plugins of now."""
    job.spec = {**job.spec, "schedule": list(steps)}
    reopening.retry(session, job.id, Settings(), anew=True)


class Trainer:
    """The process in which a worker's slot measures cells, with built-in plugins only."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def verified(self, train: Mapping[str, Any], test: Mapping[str, Any]) -> dict[str, Any]:
        """Return what it finds in a dataset: what is in either split, and the fingerprint of both."""
        sources = SplitSource.registered(train), SplitSource.registered(test)
        [answer] = self._answers(VerifyDataset(subject=uuid4(), attempt=1, train=sources[0], test=sources[1]))
        assert isinstance(answer, Verified)
        return {"info": answer.info, "fingerprint": answer.fingerprint}

    def cells(
        self,
        spec: Mapping[str, Any],
        train: Mapping[str, Any],
        test: Mapping[str, Any],
        places: Sequence[tuple[int, int, int]],
    ) -> list[CellResult]:
        """Return what it measures in the cells (run, step, n) of a unit."""
        unit = RunUnit(
            subject=uuid4(),
            attempt=1,
            job=uuid4(),
            spec=JobSpec.model_validate(spec),
            device="cpu",
            train=SplitSource.registered(train),
            test=SplitSource.registered(test),
            fingerprint=self.verified(train, test)["fingerprint"],
            cells=tuple(UnitCell(run, step, n) for run, step, n in places),
        )
        return [answer.result for answer in self._answers(unit) if isinstance(answer, Measured)]

    def _answers(self, request: Request) -> list[Answer]:
        trainer = self._slot.trainer()
        trainer.send(request)
        answers: list[Answer] = []
        while not answers or not answers[-1].is_last:
            if (answer := trainer.receive()) is not None:
                assert not isinstance(answer, Failed), answer.error
                answers.append(answer)
        return answers


@contextmanager
def started_trainer(data_root: Path) -> Iterator[Trainer]:
    """Yield a trainer that may read the files of a folder."""
    slot = Slot(0, Settings(plugins=(), data_roots=(data_root,), device="cpu"), "cpu")
    try:
        yield Trainer(slot)
    finally:
        slot.shut()
        slot.empty()
