"""Everything of the project that the goldens of the method, the loop and the leases are about.

No other of their files imports from the project: where a part moves to, or is called otherwise, is told here alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.db.engine import Database
from app.db.tables import Dataset, Job
from app.jobs.lifecycle import IllegalMove, lock_job
from app.jobs.planning import create_cells
from app.settings import Settings
from app.units.lease import (
    CellResult,
    ClaimedUnit,
    cancel,
    claim_plan,
    claim_unit,
    expire_job,
    expire_lease,
    extend,
    fail_unit,
    finish_unit,
    job_planned,
    plan_failed,
    record_cell,
    register_worker,
    renew,
    retry,
    start_anew,
    surrender_unit,
)
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
from sufficiency.schemas.spec import JobSpec, MetricSpec
from sufficiency.training.loop import seed_everything
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
    "IllegalMove",
    "Job",
    "JobSpec",
    "MetricSpec",
    "NotEnoughData",
    "ScheduleError",
    "Series",
    "TargetOutOfBounds",
    "Trainer",
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


class Trainer:
    """The process in which a worker's slot measures cells, with built-in plugins only."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def verified(self, train: Mapping[str, Any], test: Mapping[str, Any]) -> dict[str, Any]:
        """Return what it finds in a dataset: what is in either split, and the fingerprint of both."""
        [answer] = self._answers({"type": "verify", "train": train, "test": test}, "verified")
        return {"info": answer["info"], "fingerprint": answer["fingerprint"]}

    def cells(
        self,
        spec: Mapping[str, Any],
        train: Mapping[str, Any],
        test: Mapping[str, Any],
        places: Sequence[tuple[int, int, int]],
    ) -> list[dict[str, Any]]:
        """Return what it measures in the cells (run, step, n) of a unit: `run`, `step`, `n_unique`, `values`."""
        unit = {
            "type": "unit",
            "spec": spec,
            "device": "cpu",
            "train": train,
            "test": test,
            "fingerprint": self.verified(train, test)["fingerprint"],
            "cells": [{"run": run, "step": step, "n": n, "done": False} for run, step, n in places],
        }
        return [
            {name: answer[name] for name in ("run", "step", "n_unique", "values")}
            for answer in self._answers(unit, "done")
            if answer["type"] == "cell"
        ]

    def _answers(self, request: dict[str, Any], last: str) -> list[dict[str, Any]]:
        trainer = self._slot.trainer()
        trainer.send(request)
        answers: list[dict[str, Any]] = []
        while not answers or answers[-1]["type"] != last:
            if (answer := trainer.receive()) is not None:
                assert answer["type"] != "error", answer
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
