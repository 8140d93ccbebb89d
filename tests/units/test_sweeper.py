"""What got lost is found: leases that ran out, messages that nobody has any more, jobs past their time."""

from uuid import UUID

from sqlalchemy import select, text, update

from app.db.engine import Database
from app.db.tables import Job, Outbox, Unit
from app.queue.celery import make_celery
from app.queue.relay import Relay
from app.settings import Settings
from app.units.lease import record_cell, renew
from tests.support.jobs import add_worker, result, state, sweeper_of, take, units


def test_the_sweeper_takes_back_an_expired_lease(
    database: Database, job_id: UUID, worker_id: UUID, settings: Settings
) -> None:
    unit_id = units(database, job_id)[0]
    assert take(database, job_id, worker_id) is not None
    sweeper = sweeper_of(database, settings)
    sweeper.turn()
    with database.transaction() as session:
        assert session.get_one(Unit, unit_id).state == "leased"
    with database.transaction() as session:
        session.execute(text("DELETE FROM outbox"))
        session.execute(
            update(Unit).where(Unit.state == "leased").values(lease_expires_at=text("now() - interval '1s'"))
        )
    sweeper.turn()
    with database.transaction() as session:
        unit = session.get_one(Unit, unit_id)
        assert (unit.state, unit.failures) == ("queued", 1)
        session.execute(update(Unit).where(Unit.id == unit_id).values(not_before=text("now() - interval '1s'")))
    sweeper.turn()
    with database.transaction() as session:
        assert unit_id in session.scalars(select(Outbox.subject)).all()


def test_what_nobody_took_is_sent_again(database: Database, job_id: UUID, settings: Settings) -> None:
    with database.transaction() as session:
        session.execute(text("DELETE FROM outbox"))
    sweeper = sweeper_of(database, settings)
    add_worker(database, slots=4)
    sweeper.turn()
    with database.transaction() as session:
        assert session.scalars(select(Outbox.subject)).all() == [], "a fresh message is not lost yet"
        session.execute(update(Unit).values(sent_at=text("now() - interval '2 minutes'")))
    sweeper.turn()
    there = units(database, job_id)
    with database.transaction() as session:
        assert len(session.scalars(select(Outbox.subject)).all()) == 4, "no more than there are slots to wake"
    sweeper.turn()
    sweeper.turn()
    with database.transaction() as session:
        assert sorted(session.scalars(select(Outbox.subject))) == sorted(there)


def test_the_sweeper_leaves_alone_what_has_its_message(database: Database, job_id: UUID, settings: Settings) -> None:
    """Units that wait behind busy slots are not sent again and again."""
    sweeper = sweeper_of(database, settings)
    add_worker(database, slots=20)
    Relay(database, make_celery(settings)).turn()
    with database.transaction() as session:
        assert session.scalars(select(Outbox.id)).all() == []
        session.execute(update(Unit).values(sent_at=text("now() - interval '2 hours'")))
    sweeper.turn()
    with database.transaction() as session:
        assert session.scalars(select(Outbox.id)).all() == []
    make_celery(settings).control.purge()  # as a flushed or restarted Redis does
    sweeper.turn()
    with database.transaction() as session:
        assert sorted(session.scalars(select(Outbox.subject))) == sorted(units(database, job_id))


def test_any_message_will_do(database: Database, job_id: UUID, worker_id: UUID, settings: Settings) -> None:
    """A message about a unit that has been taken is left for one that has not."""
    sweeper = sweeper_of(database, settings)
    first, *_, last = units(database, job_id)
    assert take(database, job_id, worker_id) is not None
    with database.transaction() as session:
        session.execute(text("DELETE FROM outbox WHERE subject = :last"), {"last": last})
        session.execute(update(Unit).values(sent_at=text("now() - interval '2 hours'")))
    sweeper.turn()
    with database.transaction() as session:
        sent = session.scalars(select(Outbox.subject)).all()
        assert first in sent
        assert last not in sent


def test_an_overdue_job_fails_and_keeps_what_it_measured(
    database: Database, job_id: UUID, worker_id: UUID, settings: Settings
) -> None:
    claimed = take(database, job_id, worker_id)
    assert claimed is not None
    cell = claimed.cells[0]
    with database.transaction() as session:
        record_cell(session, claimed.unit_id, claimed.attempt, result(cell.run, cell.step))
    sweeper = sweeper_of(database, settings.model_copy(update={"job_timeout_seconds": 60.0}))
    sweeper.turn()
    assert state(database, job_id) == "running"
    with database.transaction() as session:
        session.execute(update(Job).values(started_at=text("now() - interval '2 minutes'")))
    sweeper.turn()
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        assert job.state == "failed"
        assert job.error is not None
        assert (job.error["code"], job.cells_done) == ("job_timeout", 1)
        assert renew(session, claimed.unit_id, claimed.attempt, 30) == "lost"
