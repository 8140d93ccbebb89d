"""What is in the outbox reaches the broker, urgent work first, and waits when the broker is away."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from kombu.exceptions import OperationalError
from redis import from_url
from redis.client import Pipeline
from sqlalchemy import event, func, select, text, update

from app.db.engine import Database
from app.db.tables import Outbox, Unit
from app.jobs.retention import prune
from app.queue.celery import ENOUGH, make_celery, waiting_messages
from app.queue.outbox import enqueue, enqueue_units
from app.queue.relay import BATCH, Relay
from app.settings import Settings
from tests.support.jobs import add_job


def waiting(database: Database) -> int:
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(Outbox)) or 0


def received(celery: object, queue: str = "cpu") -> list[UUID]:
    """Drain the queue as a worker would: by priority."""
    bodies = []
    with celery.connection_for_read() as connection:  # type: ignore[attr-defined]
        channel = connection.default_channel
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            bodies.append(UUID(json.loads(message.body)[0][0]))
    return bodies


def test_messages_reach_the_broker_by_priority(database: Database, redis_url: str) -> None:
    low, high = add_job(database, priority=0), add_job(database, priority=9)
    celery = make_celery(Settings(redis_url=redis_url))
    celery.control.purge()
    with database.transaction() as session:
        order = session.execute(select(Outbox.subject, Outbox.priority).order_by(Outbox.id)).all()
    Relay(database, celery).turn()
    assert waiting(database) == 0
    assert received(celery) == [s for s, p in order if p == 9] + [s for s, p in order if p == 0]
    assert low != high


def test_messages_that_wait_together_take_one_turn_with_the_broker(
    database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of many units must not cost its submission's process a turn each."""
    celery = make_celery(Settings(redis_url=redis_url))
    celery.control.purge()
    with database.transaction() as session:
        enqueue_units(session, units := [uuid4() for _ in range(60)], "cpu", 0)
    turns: list[int] = []
    real = Pipeline.execute

    def noted(pipeline: Pipeline, *args: Any, **more: Any) -> Any:
        turns.append(sum(command[0][0] == "LPUSH" for command in pipeline.command_stack))
        return real(pipeline, *args, **more)

    monkeypatch.setattr(Pipeline, "execute", noted)
    Relay(database, celery).turn()
    assert [count for count in turns if count] == [60]
    assert received(celery) == units


def test_a_message_is_what_celery_would_send(database: Database, redis_url: str) -> None:
    """Workers of every version read it: the same headers, properties and body, but for what is each message's own."""
    celery = make_celery(Settings(redis_url=redis_url))
    celery.control.purge()
    subject = uuid4()
    with database.transaction() as session:
        enqueue(session, "run_unit", subject, "cpu", 3)
    Relay(database, celery).turn()
    expires = datetime.now(UTC) + timedelta(days=1)
    celery.send_task(
        "sufficiency.run_unit",
        args=[str(subject)],
        argsrepr="",
        kwargsrepr="",
        queue="cpu",
        priority=6,
        expires=expires,
    )
    with celery.connection_for_read() as connection:
        channel = connection.default_channel
        ours, theirs = (channel.basic_get("cpu", no_ack=True) for _ in range(2))
    ids = set()
    for message in (ours, theirs):
        headers, properties = message.headers, message.properties
        ids |= {headers.pop("id"), headers.pop("root_id"), properties.pop("correlation_id")}
        assert abs(datetime.fromisoformat(headers.pop("expires")) - expires) < timedelta(minutes=1)
        properties.pop("delivery_tag")
    assert len(ids) == 2
    assert ours.headers == theirs.headers
    # Celery says besides where a result goes, of which there is none, and repeats what the headers have.
    assert theirs.properties.items() >= ours.properties.items()
    assert ours.properties.keys() == {"delivery_info", "delivery_mode", "priority", "body_encoding"}
    assert (ours.content_type, ours.content_encoding) == (theirs.content_type, theirs.content_encoding)
    assert json.loads(ours.body) == json.loads(theirs.body)


def test_a_turn_in_which_nothing_waits_is_one_query(database: Database, redis_url: str) -> None:
    relay = Relay(database, make_celery(Settings(redis_url=redis_url)))
    relay.turn()
    asked: list[str] = []
    note = lambda *args: asked.append(args[2])  # noqa: E731
    event.listen(database.engine, "before_cursor_execute", note)
    try:
        relay.turn()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    assert len(asked) == 1


def test_who_counts_messages_again_and_again_connects_once(redis_url: str) -> None:
    celery = make_celery(Settings(redis_url=redis_url))
    counted = waiting_messages(celery)
    with from_url(redis_url.replace("redis+socket://", "unix://")) as broker:
        before = broker.info("stats")["total_connections_received"]
        assert [waiting_messages(celery) for _ in range(3)] == [counted] * 3
        assert broker.info("stats")["total_connections_received"] == before


def test_messages_wait_while_the_broker_is_away(database: Database, job_id: UUID) -> None:
    before = waiting(database)
    relay = Relay(database, make_celery(Settings(redis_url="redis://127.0.0.1:1/0")))
    with pytest.raises((OperationalError, ConnectionError, OSError)):
        relay.turn()
    assert waiting(database) == before > 0


def test_messages_about_nothing_that_is_open_are_not_kept_for_ever(database: Database, job_id: UUID) -> None:
    with database.transaction() as session:
        first, second = session.scalars(select(Outbox).order_by(Outbox.id).limit(2)).all()
        session.execute(update(Unit).where(Unit.id == first.subject).values(state="cancelled"))
        session.execute(update(Outbox).values(created_at=text("now() - interval '9d'")))
    waited = waiting(database)
    assert prune(database, timedelta(days=10), dry_run=True).messages == 0
    assert prune(database, timedelta(days=8), dry_run=True).messages == 1
    assert prune(database, timedelta(days=8)).messages == 1
    with database.transaction() as session:
        assert second.subject in session.scalars(select(Outbox.subject)).all()
    assert waiting(database) == waited - 1


def test_the_broker_gets_no_more_than_is_soon_taken(
    database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for slots waits in the database, but for the urgent, which overtakes what is in the broker."""
    enough, more = BATCH + 50, 30
    assert enough < ENOUGH
    monkeypatch.setattr("app.queue.relay.ENOUGH", enough)
    monkeypatch.setattr("app.queue.relay.ENOUGH_URGENT", 2 * enough)
    celery = make_celery(Settings(redis_url=redis_url))
    celery.control.purge()
    received(celery, "cuda")  # what other tests left there; purging knows only the default queue
    relay = Relay(database, celery)
    with database.transaction() as session:
        enqueue_units(session, [uuid4() for _ in range(enough + more)], "cpu", 0)
        enqueue_units(session, [elsewhere := uuid4()], "cuda", 0)
    relay.turn()
    assert waiting(database) == more, "the other queue has room of its own"
    urgent = uuid4()
    with database.transaction() as session:
        enqueue_units(session, [urgent], "cpu", 5)
    relay.turn()
    assert waiting(database) == more
    came = received(celery)
    assert (came[0], len(came)) == (urgent, enough + 1)
    relay.turn()
    assert waiting(database) == 0
    assert len(received(celery)) == more
    assert received(celery, "cuda") == [elsewhere]
