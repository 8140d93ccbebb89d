"""Histories of jobs on a real database: what each operation on a lease answers, changes, announces and asks for.

A unit is named by its ordinal and a worker by its place; what a time is worth is told in seconds from the operation
that set it. Units are claimed in the order in which they would be handed out, but where a claim is to be refused.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.golden import subjects
from tests.golden.golden import check
from tests.golden.subjects import ClaimedUnit, Database, JobSpec

LEASE_SECONDS = 30.0
LEFT = {"code": "plugin_exited", "detail": "It left.", "where": {"run": 0, "step": 1}}
KILLED = {"code": "trainer_killed", "detail": "The trainer was killed by SIGSEGV.", "where": {}}
LACKING = {"code": "plugin_unavailable", "detail": "This worker has no such plugin.", "where": {}}
RAISED = {"code": "plugin_raised", "detail": "The training raised.", "where": {"phase": "training"}}
VERSIONS = {"model:mlp": "1.0", "training:sgd-classifier": "1.0", "schedule:halves": "1.0"}

Row = dict[str, Any]


@pytest.fixture
def database(fresh_database: str) -> Iterator[Database]:
    """A migrated database of the test's own."""
    database = Database(fresh_database)
    yield database
    database.dispose()


class History:
    """One job, the workers that execute it, and what happened so far.

    Parameters
    ----------
    steps : sequence of int or None
        None where a schedule plugin is to name them.
    spec : JSON values
        Other fields of the job.
    """

    def __init__(
        self,
        database: Database,
        steps: Sequence[int] | None = (10, 20, 40),
        *,
        runs: int = 2,
        plugin_versions: dict[str, str] | None = None,
        **spec: Any,
    ) -> None:
        self._database = database
        self._seen: dict[str, Any] = {"job": {}, "units": {}, "cells": {}, "events": 0, "messages": 0}
        self._units: dict[UUID, int] = {}
        self._workers: dict[UUID, int] = {}
        self.lines: list[dict[str, Any]] = []
        self.spec = JobSpec.model_validate(
            {
                "model": {"name": "mlp"},
                "training": {"name": "sgd-classifier"},
                "evaluation": {"name": "classification"},
                "dataset": "d",
                "runs": runs,
                **spec,
            }
        )
        self.job_id = self._submit(steps, plugin_versions or {})
        self.worker()

    def _submit(self, steps: Sequence[int] | None, plugin_versions: dict[str, str]) -> UUID:
        with self._database.transaction() as session:
            dataset = subjects.Dataset(
                name="d",
                train={"loader": "digits", "params": {}},
                test={"loader": "digits", "params": {}},
                status="ready",
                fingerprint="f",
                info={"train": {"size": 100}, "test": {"size": 50}},
            )
            session.add(dataset)
            session.flush()
            job = subjects.Job(
                spec=self.spec.model_dump(mode="json"),
                dataset_id=dataset.id,
                dataset_fingerprint="f",
                plugin_versions=plugin_versions,
                metrics={"Accuracy": {"direction": "maximize", "bounds": [0, 1]}},
                device="cpu",
                labels={},
                priority=self.spec.priority,
            )
            session.add(job)
            session.flush()
            if steps is not None:
                subjects.create_cells(session, job, list(steps))
            self.job_id = job.id
            self._tell(session, "submit", None)
            return self.job_id

    # What can be done

    def worker(self, **versions: str) -> int:
        """Register one more worker, with plugins of these versions, and return its place."""
        place = len(self._workers)
        with self._database.transaction() as session:
            worker_id = subjects.register_worker(
                session,
                hostname="here",
                pid=place + 1,
                devices=["cpu"],
                slots=2,
                plugins=[*sorted(VERSIONS), "evaluation:classification", "dataset:digits"],
                plugin_errors=[],
                versions=VERSIONS | {name.replace("_", ":"): of for name, of in versions.items()},
            )
        self._workers[worker_id] = place
        return place

    def claim(self, unit: int, worker: int = 0, held: Sequence[int] | None = None) -> ClaimedUnit | None:
        """Have a worker claim a unit; `held` are the attempts at it that the worker knows of."""
        unit_id, worker_id = self._id(unit), list(self._workers)[worker]
        says = f"claim unit {unit} by worker {worker}" + ("" if held is None else f", which knows of {list(held)}")
        claimed: ClaimedUnit | None = self.do(
            says, lambda session: subjects.claim_unit(session, unit_id, worker_id, LEASE_SECONDS, held)
        )
        return claimed

    def must_claim(self, unit: int, worker: int = 0) -> ClaimedUnit:
        """Claim a unit that is to be had."""
        claimed = self.claim(unit, worker)
        assert claimed is not None
        return claimed

    def renew(self, unit: int, attempt: int) -> None:
        """Prolong a lease."""
        unit_id = self._id(unit)
        self.do(
            f"renew unit {unit}, attempt {attempt}",
            lambda session: subjects.renew(session, unit_id, attempt, LEASE_SECONDS),
        )

    def record(self, unit: int, attempt: int, run: int, step: int, value: float | None = 0.5) -> None:
        """Write a cell: one scalar, and one number for each of two classes."""
        unit_id = self._id(unit)
        values = [("Accuracy", -1, value), ("Recall", 0, 0.25), ("Recall", 1, None)]
        result = subjects.CellResult(run, step, n_unique=10, seconds=0.1, device="cpu", values=values)
        self.do(
            f"record run {run}, step {step} of unit {unit}, attempt {attempt}",
            lambda session: subjects.record_cell(session, unit_id, attempt, result),
        )

    def finish(self, unit: int, attempt: int) -> None:
        """Say that a unit is done."""
        unit_id = self._id(unit)
        self.do(
            f"finish unit {unit}, attempt {attempt}", lambda session: subjects.finish_unit(session, unit_id, attempt)
        )

    def fail(self, unit: int, attempt: int) -> None:
        """Say that a plugin raised."""
        unit_id = self._id(unit)
        self.do(
            f"fail unit {unit}, attempt {attempt}",
            lambda session: subjects.fail_unit(session, unit_id, attempt, RAISED),
        )

    def surrender(self, unit: int, attempt: int, error: Row | None = None, **how: Any) -> None:
        """Give a unit back; with an error it counts as a death."""
        unit_id = self._id(unit)
        counts = error is not None
        why = "" if error is None else f": {error['code']}"
        self.do(
            f"surrender unit {unit}, attempt {attempt}{why}{_with(how)}",
            lambda session: subjects.surrender_unit(session, unit_id, attempt, error, counts=counts, **how),
        )

    def run_out(self, unit: int) -> None:
        """Let the lease of a unit end."""
        unit_id = self._id(unit)
        self.do(
            f"the lease of unit {unit} runs out",
            lambda session: _execute(
                session, "UPDATE unit SET lease_expires_at = now() - interval '1 second' WHERE id = :id", id=unit_id
            ),
        )

    def expire(self, unit: int, attempt: int, **how: Any) -> None:
        """Take a unit back from a silent worker."""
        unit_id = self._id(unit)
        self.do(
            f"expire unit {unit}, attempt {attempt}{_with(how)}",
            lambda session: subjects.expire_lease(session, unit_id, attempt, **how),
        )

    def pause_over(self) -> None:
        """Let every pause after a death end."""
        self.do("the pauses are over", lambda session: _execute(session, "UPDATE unit SET not_before = NULL"))

    def of_job(self, says: str, deed: Callable[[Session, Any], object], *, any_order: bool = False) -> None:
        """Do something with the locked job."""
        self.do(says, lambda session: deed(session, subjects.lock_job(session, self.job_id)), any_order=any_order)

    def cancel(self) -> None:
        """Cancel the job."""
        self.of_job("cancel", subjects.cancel)

    def retry(self) -> None:
        """Queue the ended job again."""
        # The units come back in whatever order the database keeps them.
        self.of_job("retry", subjects.retry, any_order=True)

    def extend(self, steps: list[int], runs: int) -> None:
        """Queue the ended job again with more steps or runs."""
        spec = self.spec.model_copy(update={"runs": runs, "schedule": sorted(steps)})
        self.of_job(
            f"extend to {runs} runs of steps {steps}",
            lambda session, job: subjects.extend(session, job, spec, steps),
        )

    def start_anew(self, steps: list[int]) -> None:
        """Queue the ended job again for all cells of these steps."""
        self.of_job(f"start anew with steps {steps}", lambda session, job: subjects.start_anew(session, job, steps))

    def offer(self, version: str) -> None:
        """Put the job's plugins into the catalog, the model in this version."""
        plugins = [
            {
                "kind": kind,
                "name": name,
                "version": version if kind == "model" else "1.0",
                "summary": "",
                "params_schema": {},
                "capabilities": {},
                "devices": ["cpu"],
            }
            for kind, name in (("model", "mlp"), ("training", "sgd-classifier"), ("evaluation", "classification"))
        ]
        self.do(f"offer the model in version {version}", lambda session: subjects.advertise(session, plugins))

    def fall_silent(self, *workers: int) -> None:
        """Let workers have been heard of an hour ago."""
        pids = ", ".join(str(worker + 1) for worker in workers)
        self.do(
            f"the workers {list(workers)} fall silent",
            lambda session: _execute(
                session, f"UPDATE worker SET heartbeat_at = now() - interval '1 hour' WHERE pid IN ({pids})"
            ),
        )

    def work_through(self, unit: int, worker: int = 0) -> None:
        """Claim a unit, record all its cells and finish it."""
        claimed = self.must_claim(unit, worker)
        for cell in claimed.cells:
            if not cell.done:
                self.record(unit, claimed.attempt, cell.run, cell.step, round(1 - cell.n**-0.5 + 0.01 * cell.run, 6))
        self.finish(unit, claimed.attempt)

    def do(self, says: str, deed: Callable[[Session], Any], *, any_order: bool = False) -> Any:
        """Do something in one transaction, and note what it answered and what is otherwise than before.

        Parameters
        ----------
        any_order : bool
            Its messages have no order of their own: they are noted by unit.
        """
        try:
            with self._database.transaction() as session:
                answer = deed(session)
                self._tell(session, says, answer, any_order=any_order)
                return answer
        except subjects.Refused as error:
            self.lines.append({"do": says, "refused": str(error)})

    # What is to be seen

    def _id(self, ordinal: int) -> UUID:
        return max(unit_id for unit_id, other in self._units.items() if other == ordinal)  # the latest of that ordinal

    def _tell(self, session: Session, says: str, answer: Any, *, any_order: bool = False) -> None:
        """Note an operation: what it answered, and what changed; in its own transaction, whose `now()` is its time."""
        session.flush()
        line: dict[str, Any] = {"do": says}
        if answer is not None or says.startswith("claim"):
            line["answer"] = _answer(answer)
        now = session.execute(text("SELECT now()")).scalar_one()
        job, units, cells = self._look_at_job(session), self._look_at_units(session, now), self._look_at_cells(session)
        changed = {name: value for name, value in job.items() if self._seen["job"].get(name) != value}
        line |= {"job": changed} if changed else {}
        changed = {str(place): unit for place, unit in units.items() if self._seen["units"].get(place) != unit}
        changed |= {str(place): "gone" for place in self._seen["units"] if place not in units}
        line |= {"units": {place: _told(unit) for place, unit in changed.items()}} if changed else {}
        changed = {name: cell for name, cell in cells.items() if self._seen["cells"].get(name) != cell}
        changed |= {name: "gone" for name in self._seen["cells"] if name not in cells}
        line |= {"measured": changed} if changed else {}
        line |= self._news(session, any_order)
        self._seen |= {"job": job, "units": units, "cells": cells}
        self.lines.append(line)

    def _look_at_job(self, session: Session) -> Row:
        [job] = _rows(
            session,
            "SELECT state, steps, cells_done, cells_total, work_done, work_total, deaths, error, plugin_versions, "
            "(spec ->> 'runs')::int AS runs, started_at IS NOT NULL AS has_started, "
            "finished_at IS NOT NULL AS has_finished FROM job WHERE id = :id",
            id=self.job_id,
        )
        curves = _rows(
            session,
            "SELECT metric, class_index, method, method_version FROM curve WHERE job_id = :id "
            "ORDER BY metric, class_index, method",
            id=self.job_id,
        )
        return job | {
            "curves": [f"{c['metric']} {c['class_index']} {c['method']} {c['method_version']}" for c in curves],
        }

    def _look_at_cells(self, session: Session) -> Row:
        """Return what was measured, and by whom: metric to value, by class where it has several."""
        values: dict[tuple[int, int], Row] = {}
        for row in _rows(
            session,
            "SELECT run, step, metric, class_index, value FROM measurement WHERE job_id = :id "
            "ORDER BY run, step, metric, class_index",
            id=self.job_id,
        ):
            name = row["metric"] if row["class_index"] < 0 else f"{row['metric']} of {row['class_index']}"
            values.setdefault((row["run"], row["step"]), {})[name] = row["value"]
        cells = _rows(
            session,
            "SELECT run, step, attempt, device, n_unique, seconds FROM cell "
            "WHERE job_id = :id AND finished_at IS NOT NULL ORDER BY run, step",
            id=self.job_id,
        )
        told = {}
        for cell in cells:
            place = cell.pop("run"), cell.pop("step")
            told["{}.{}".format(*place)] = cell | values[place]
        return told

    def _look_at_units(self, session: Session, now: datetime) -> dict[int, Row]:
        """Return the units by ordinal; a time that was there before keeps what it was then worth."""
        units = {}
        for row in _rows(
            session,
            "SELECT id, ordinal, state, attempt, failures, worker_id, lease_expires_at, not_before, "
            "sent_at IS NOT NULL AS is_sent, error ->> 'code' AS error FROM unit WHERE job_id = :id ORDER BY ordinal",
            id=self.job_id,
        ):
            self._units[row.pop("id")] = row["ordinal"]
            before = self._seen["units"].get(row["ordinal"], {})
            for name in ("lease_expires_at", "not_before"):
                value = row[name]
                if value is not None:
                    known = before.get(name)
                    is_old = known is not None and known[0] == value
                    row[name] = known if is_old else (value, (value - now).total_seconds())
            row["worker"] = None if (held := row.pop("worker_id")) is None else self._workers[held]
            units[row.pop("ordinal")] = row
        return units

    def _news(self, session: Session, any_order: bool) -> dict[str, Any]:
        """Return the events and the messages since the last look."""
        events = _rows(
            session,
            "SELECT seq, type, data FROM event WHERE job_id = :id AND seq > :seq ORDER BY seq",
            id=self.job_id,
            seq=self._seen["events"],
        )
        messages = _rows(
            session,
            "SELECT id, task, subject, queue, priority FROM outbox WHERE id > :last ORDER BY id",
            last=self._seen["messages"],
        )
        self._seen["events"] = events[-1]["seq"] if events else self._seen["events"]
        self._seen["messages"] = messages[-1]["id"] if messages else self._seen["messages"]
        if any_order:
            messages.sort(key=lambda message: self._units.get(message["subject"], -1))
        names = {self.job_id: "job"} | {unit_id: f"unit {place}" for unit_id, place in self._units.items()}
        told = [f"{m['task']} {names[m['subject']]} to {m['queue']}, priority {m['priority']}" for m in messages]
        return ({"events": events} if events else {}) | ({"messages": told} if told else {})


def _rows(session: Session, statement: str, **parameters: object) -> list[Row]:
    return [dict(row) for row in session.execute(text(statement), parameters).mappings()]


def _execute(session: Session, statement: str, **parameters: object) -> None:
    session.execute(text(statement), parameters)


def _with(how: Row) -> str:
    return "".join(f", {name} {value}" for name, value in how.items())


def _told(unit: Row | str) -> Row | str:
    if isinstance(unit, str):
        return unit
    times = {name: unit[name] and unit[name][1] for name in ("lease_expires_at", "not_before")}
    return {name: value for name, value in (unit | times).items() if value is not None}


def _answer(answer: Any) -> Any:
    """Return what an operation answered, without identifiers."""
    if isinstance(answer, ClaimedUnit):
        return {
            "attempt": answer.attempt,
            "device": answer.device,
            "fingerprint": answer.fingerprint,
            "dataset": [answer.dataset_train, answer.dataset_test],
            "runs": answer.spec.runs,
            "cells": [f"{c.run}.{c.step}:{c.n}{' done' if c.done else ''}" for c in answer.cells],
        }
    return answer


# Histories


def worked_through(database: Database) -> History:
    """Every unit in its order; the last cell completes the job, while another unit's worker has yet to say so."""
    history = History(database, priority=4)
    early = history.must_claim(0)
    history.renew(0, early.attempt)
    history.record(0, early.attempt, 0, 0, 0.8)
    for unit in range(1, 6):
        history.work_through(unit)
    history.finish(0, early.attempt)
    history.renew(0, early.attempt)
    return history


def fenced_off(database: Database) -> History:
    """A unit that was given back is another's; whoever had it before writes nothing more."""
    history = History(database)
    first = history.must_claim(0)
    history.claim(0)
    history.surrender(0, first.attempt)
    second = history.must_claim(0)
    history.renew(0, first.attempt)
    history.record(0, first.attempt, 0, 0, 0.1)
    history.surrender(0, first.attempt, LEFT)
    history.fail(0, first.attempt)
    history.expire(0, first.attempt)
    history.finish(0, first.attempt)
    history.record(0, second.attempt, 0, 0, 0.6)
    history.record(0, second.attempt, 0, 0, 0.7)
    history.record(0, second.attempt, 9, 9, 0.7)
    history.finish(0, second.attempt)
    return history


def done_too_early(database: Database) -> History:
    """A trainer that says "done" without having measured its cells has its unit queued again."""
    history = History(database, protocol="dataeval")
    claimed = history.must_claim(0)
    history.record(0, claimed.attempt, 0, 0)
    history.finish(0, claimed.attempt)
    history.claim(0)
    return history


def deaths_of_a_unit(database: Database) -> History:
    """Pauses grow from death to death; the third fails the job; a retry forgets the deaths, and so does a new cell."""
    history = History(database, protocol="dataeval", runs=2)
    for _ in range(3):
        claimed = history.must_claim(0)
        history.surrender(0, claimed.attempt, LEFT, max_attempts=3)
        history.claim(0)
        history.pause_over()
    history.retry()
    claimed = history.must_claim(0)
    history.record(0, claimed.attempt, 0, 0)
    history.surrender(0, claimed.attempt, KILLED)
    history.pause_over()
    claimed = history.must_claim(0)
    history.record(0, claimed.attempt, 0, 1)
    history.surrender(0, claimed.attempt, LACKING)
    return history


def deaths_of_a_job(database: Database) -> History:
    """What kills every trainer is given up before each unit has had its attempts; a measured cell ends the row."""
    history = History(database)
    claimed = history.must_claim(0)
    history.surrender(0, claimed.attempt, KILLED, max_deaths=3)
    claimed = history.must_claim(1)
    history.record(1, claimed.attempt, 0, 1)
    history.finish(1, claimed.attempt)
    for unit in (2, 3, 4):
        claimed = history.must_claim(unit)
        history.surrender(unit, claimed.attempt, LACKING if unit == 3 else KILLED, max_deaths=3)
    claimed = history.must_claim(5)
    history.surrender(5, claimed.attempt, KILLED, max_deaths=3, counts_for_job=False)
    history.pause_over()
    claimed = history.must_claim(0)
    history.surrender(0, claimed.attempt, KILLED, max_deaths=3)
    return history


def silent_workers(database: Database) -> History:
    """A lease that ran out is taken back, without a pause the first time; not where it was renewed meanwhile."""
    history = History(database)
    history.worker()
    claimed = history.must_claim(0)
    history.expire(0, claimed.attempt)
    history.run_out(0)
    history.renew(0, claimed.attempt)
    history.expire(0, claimed.attempt)
    for worker in (1, 0, 1):
        history.run_out(0)
        history.expire(0, claimed.attempt, max_attempts=3)
        history.pause_over()
        if (again := history.claim(0, worker)) is not None:
            claimed = again
    return history


def lost_answer(database: Database) -> History:
    """A claim whose answer never arrived is made anew by the worker that made it, and by no other."""
    history = History(database)
    history.worker()
    claimed = history.must_claim(0)
    history.claim(0, held=[claimed.attempt])
    history.claim(0, worker=1, held=[])
    history.claim(0, held=[])
    return history


def plugin_raised(database: Database) -> History:
    """A plugin's fault fails the job and takes the units of the others."""
    history = History(database)
    first, second = history.must_claim(0), history.must_claim(1)
    history.record(1, second.attempt, 0, 1)
    history.fail(0, first.attempt)
    history.renew(1, second.attempt)
    history.record(1, second.attempt, 0, 1)
    history.finish(1, second.attempt)
    history.claim(2)
    history.cancel()
    history.retry()
    history.work_through(0)
    return history


def cancelled(database: Database) -> History:
    """A cancelled job waits for who holds a unit; one that is queued does not; a retry takes up what is missing."""
    history = History(database)
    history.cancel()
    history.retry()
    first, second = history.must_claim(0), history.must_claim(1)
    history.record(0, first.attempt, 0, 0)
    history.cancel()
    history.cancel()
    history.renew(0, first.attempt)
    history.finish(0, first.attempt)
    history.surrender(1, second.attempt)
    history.cancel()
    history.retry()
    for unit in range(1, 6):
        history.work_through(unit)
    history.retry()
    return history


def cancelled_while_failing(database: Database) -> History:
    """A plugin's fault, a death and a silent worker in a job that is being cancelled leave it cancelled."""
    history = History(database)
    claims = [history.must_claim(unit) for unit in range(3)]
    history.cancel()
    history.run_out(2)
    history.expire(2, claims[2].attempt)
    history.surrender(1, claims[1].attempt, KILLED)
    history.fail(0, claims[0].attempt)
    return history


def extended(database: Database) -> History:
    """More runs, then a step in between: new units for new cells only."""
    history = History(database, runs=1)
    history.extend([10, 20, 40], 2)
    for unit in range(3):
        history.work_through(unit)
    history.extend([10, 20, 40], 2)
    for unit in range(3, 6):
        history.work_through(unit)
    history.extend([10, 20, 40, 30], 2)
    for unit in (6, 7):
        history.work_through(unit)
    history.extend([10, 20, 40, 30], 2)
    return history


def extended_sequences(database: Database) -> History:
    """Under `dataeval` the new unit of a run takes over what was measured in the old one; also of a cancelled job."""
    history = History(database, protocol="dataeval", runs=2)
    history.work_through(0)
    claimed = history.must_claim(1)
    history.record(1, claimed.attempt, 1, 0)
    history.cancel()
    history.surrender(1, claimed.attempt)
    history.extend([10, 20, 40, 80], 3)
    for unit in (2, 3, 4):
        history.work_through(unit)
    return history


def started_anew(database: Database) -> History:
    """All that was measured is dropped, and measured again."""
    history = History(database, runs=1)
    history.offer("1.0")
    history.work_through(0)
    history.start_anew([10, 20])
    history.cancel()
    history.start_anew([10, 20])
    history.work_through(0)
    history.work_through(1)
    history.fall_silent(0)
    history.offer("2.0")
    history.start_anew([10, 50])
    return history


def overdue(database: Database) -> History:
    """A job that has been running for too long fails; what it measured stays."""
    history = History(database)
    claimed = history.must_claim(0)
    history.record(0, claimed.attempt, 0, 0)
    history.do("end what ran for a minute", lambda session: subjects.expire_job(session, history.job_id, 60.0))
    history.do(
        "two minutes pass", lambda session: _execute(session, "UPDATE job SET started_at = now() - interval '2 min'")
    )
    history.do("end what ran for a minute", lambda session: subjects.expire_job(session, history.job_id, 60.0))
    return history


def versions(database: Database) -> History:
    """The first worker decides the versions of a job's plugins; to others its units are not handed out."""
    history = History(database, plugin_versions=VERSIONS)
    newer, other_schedule = history.worker(model_mlp="2.0"), history.worker(model_mlp="2.0", schedule_halves="3.0")
    history.claim(0, newer)
    history.claim(1)
    history.claim(1, other_schedule)
    history.fall_silent(newer, other_schedule)
    history.claim(2)
    return history


def planned_by_a_schedule(database: Database) -> History:
    """A schedule plugin names the steps: usable ones, too many, or none; a retry asks it again."""
    history = History(database, None, schedule={"name": "halves", "params": {}})

    def asked(session: Session) -> Any:
        plan = subjects.claim_plan(session, history.job_id)
        return None if plan is None else {"schedule": plan.schedule.model_dump(), "size": plan.size}

    def named(steps: list[int], max_cells: int) -> None:
        history.do(
            f"the schedule names {steps}, of at most {max_cells} cells",
            lambda session: subjects.job_planned(session, history.job_id, steps, max_cells),
        )

    history.do("ask the schedule", asked)
    named([10, 20, 40], 5)
    history.do("ask the schedule", asked)
    history.retry()
    history.do("no usable steps", lambda session: subjects.plan_failed(session, history.job_id, RAISED))
    history.retry()
    named([20, 40], 5)
    named([10, 20], 5)
    history.do("no usable steps", lambda session: subjects.plan_failed(session, history.job_id, RAISED))
    history.claim(0)
    return history


HISTORIES = (
    worked_through,
    fenced_off,
    done_too_early,
    deaths_of_a_unit,
    deaths_of_a_job,
    silent_workers,
    lost_answer,
    plugin_raised,
    cancelled,
    cancelled_while_failing,
    extended,
    extended_sequences,
    started_anew,
    overdue,
    versions,
    planned_by_a_schedule,
)


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
def test_history(database: Database, history: Callable[[Database], History]) -> None:
    check(f"leases_{history.__name__}", history(database).lines)


@pytest.mark.parametrize("ending", ["completed", "failed", "cancelled"])
def test_history_of_the_benchmarks(database: Database, ending: str) -> None:
    """The jobs that the benchmarks copy, by what they leave behind; a completed one with its kept curves."""
    history = History(database, [10, 20, 40, 80, 160], runs=3)
    history.lines.clear()
    subjects.finish_job(database, history.job_id, seed=7, ending=ending)
    history.do(f"finish as {ending}", lambda session: None)
    with database.transaction() as session:
        kept = _rows(
            session,
            "SELECT metric, class_index, method, method_version, fit, backtest FROM curve WHERE job_id = :id "
            "ORDER BY metric, class_index, method",
            id=history.job_id,
        )
        [job] = _rows(session, "SELECT readings, value_warnings FROM job WHERE id = :id", id=history.job_id)
    # As `test_method` says, rounding moves the power law's exponent in its eighth digit.
    check(f"leases_of_the_benchmarks_{ending}", {"line": history.lines[0], "curves": kept, **job}, rtol=1e-6)
