"""The database's clock is set: nobody who works is disturbed, and nothing is held up for as long as it was set back."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from app.catalog.workers import live_workers
from app.db.engine import Database
from app.db.tables import Outbox, Unit, Worker
from app.settings import Settings
from app.units.lease import renew
from app.units.sweeper import Sweeper
from tests.support.jobs import sweeper_of, take, units

HOUR = timedelta(hours=1)


def shifted(database: Database, by: timedelta) -> None:
    """Have all that was written be older by so much, as after the clock was set forward."""
    with database.transaction() as session:
        session.execute(update(Unit).values(sent_at=Unit.sent_at - by, not_before=Unit.not_before - by))
        session.execute(update(Unit).values(lease_expires_at=Unit.lease_expires_at - by))
        session.execute(update(Worker).values(heartbeat_at=Worker.heartbeat_at - by))


def set_clock(sweeper: Sweeper, by: timedelta) -> None:
    """Have the sweeper see the clock set by so much at its next turn."""
    assert sweeper._clock is not None
    told, at = sweeper._clock
    sweeper._clock = told - by.total_seconds(), at


def leased(database: Database, unit_id: UUID) -> bool:
    with database.transaction() as session:
        return session.get_one(Unit, unit_id).state == "leased"


def test_set_forward_a_lease_that_is_renewed_is_left_alone(
    database: Database, job_id: UUID, worker_id: UUID, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    unit_id = units(database, job_id)[0]
    claim = take(database, job_id, worker_id)
    assert claim is not None
    sweeper = sweeper_of(database, settings)
    sweeper.turn()
    shifted(database, HOUR)
    set_clock(sweeper, HOUR)
    sweeper.turn()
    assert "clock was set by +3600 s" in caplog.text
    assert leased(database, unit_id), "its worker has had no time to renew it"
    with database.transaction() as session:
        assert renew(session, unit_id, claim.attempt, 30) == "held"
    sweeper._trust_after = 0.0
    sweeper.turn()
    assert leased(database, unit_id)


def test_set_back_a_dead_worker_s_lease_is_not_held_for_as_long(
    database: Database, job_id: UUID, worker_id: UUID, settings: Settings
) -> None:
    unit_id = units(database, job_id)[0]
    claim = take(database, job_id, worker_id)
    assert claim is not None
    sweeper = sweeper_of(database, settings)
    sweeper.turn()
    shifted(database, -HOUR)
    set_clock(sweeper, -HOUR)
    sweeper.turn()
    assert leased(database, unit_id), "its worker may live"
    sweeper._trust_after = 0.0
    sweeper.turn()
    assert not leased(database, unit_id)
    with database.transaction() as session:
        assert renew(session, unit_id, claim.attempt, 30) == "lost"
        assert live_workers(session, settings).workers == ()
        # A pause of before the clock was set back is over as well.
        session.execute(text("DELETE FROM outbox"))
        session.execute(update(Unit).where(Unit.id == unit_id).values(sent_at=None, not_before=func.now() + HOUR))
    sweeper.turn()
    with database.transaction() as session:
        assert unit_id in session.scalars(select(Outbox.subject)).all()
        assert session.get_one(Unit, unit_id).not_before is None
