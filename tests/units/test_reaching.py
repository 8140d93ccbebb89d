"""Who follows a job is told when an answer is first possible, when over the whole range, and when it is better."""

from uuid import UUID

from sqlalchemy import select, update

from app.db.engine import Database
from app.db.tables import Event, Job
from tests.support.jobs import add_job, take, units, work_through

STEPS = (10, 20, 40, 80)


def told(database: Database, job_id: UUID) -> list[tuple[object, ...]]:
    with database.transaction() as session:
        events = select(Event.data).where(Event.job_id == job_id, Event.type == "provisional").order_by(Event.seq)
        names = ("first", "steps", "n_observed", "whole_runs", "cells_done")
        return [tuple(data[name] for name in names) for data in session.scalars(events)]


def work(database: Database, job_id: UUID, worker_id: UUID, count: int) -> None:
    for _ in range(count):
        claimed = take(database, job_id, worker_id)
        assert claimed is not None
        work_through(database, claimed)


def test_the_first_answer_the_whole_range_and_each_whole_run(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, runs=3, steps=STEPS)
    work(database, job_id, worker_id, len(units(database, job_id)))
    assert told(database, job_id) == [
        (True, 3, 40, 0, 3),
        (False, 4, 80, 1, 4),
        (False, 4, 80, 2, 8),
    ], "with the last run the job completes"


def test_a_job_that_was_begun_before_is_counted_first(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, runs=2, steps=STEPS)
    work(database, job_id, worker_id, 3)
    with database.transaction() as session:
        session.execute(update(Job).values(measured=None))
    work(database, job_id, worker_id, 1)
    assert told(database, job_id)[1:] == [(False, 4, 80, 1, 4)]
    with database.transaction() as session:
        assert session.get_one(Job, job_id).measured == [1, 1, 1, 1]


def test_too_few_steps_for_a_curve_tell_of_none(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, runs=3, steps=(10, 20))
    work(database, job_id, worker_id, len(units(database, job_id)))
    assert told(database, job_id) == []
