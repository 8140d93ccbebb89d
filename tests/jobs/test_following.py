"""What streams ask of the database: one look for all of them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import event

from app.db.engine import Database
from app.jobs.following import EventBatch, events_after
from app.queue.feed import Feed
from tests.support.service import Service


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


async def looked(database: Database, places: list[tuple[UUID, int]]) -> tuple[list[EventBatch | None], int]:
    """Have streams ask what follows, look once, and return what those were told that were told anything."""
    feed = Feed(database, events_after)
    asking = [asyncio.ensure_future(feed.next(*place, at_once=True)) for place in places]
    await asyncio.sleep(0)
    with statements(database) as seen:
        await asyncio.to_thread(feed.turn)
    await asyncio.sleep(0)
    told = [one.result() for one in asking if one.done()]
    feed.close()
    await asyncio.gather(*asking)
    return told, len(seen)


def test_a_look_costs_the_same_for_many_streams_as_for_one(service: Service) -> None:
    jobs = [UUID(service.submit()["id"]) for _ in range(20)]
    for count in (1, 20):
        told, cost = asyncio.run(looked(service.database, [(job, 2) for job in jobs[:count]] * 3))
        assert (told, cost) == ([], 1)
    told, cost = asyncio.run(looked(service.database, [(job, 0) for job in jobs] * 3))
    assert [[event.seq for event in batch.events] for batch in told if batch] == [[1, 2]] * 60
    assert cost == 2


def test_each_is_told_what_follows_its_own_place(service: Service) -> None:
    job_id = UUID(service.submit()["id"])
    service.work(str(job_id))
    gone = UUID(int=1)
    told, _ = asyncio.run(looked(service.database, [(job_id, 0), (job_id, 13), (job_id, 14), (gone, 3)]))
    assert [[event.seq for event in batch.events] for batch in told if batch] == [[*range(1, 15)], [14], [], []]
    assert all(batch.last for batch in told if batch)


def test_streams_end_when_the_database_is_away_and_when_the_server_stops() -> None:
    feed = Feed(Database("postgresql+psycopg://nobody@127.0.0.1:9/nothing"), events_after)

    async def ask() -> None:
        waiting = asyncio.ensure_future(feed.next(UUID(int=1), 0, at_once=True))
        await asyncio.sleep(0)
        feed.start()
        try:
            assert await asyncio.wait_for(waiting, 60) is None
        finally:
            await asyncio.to_thread(feed.stop)
        feed.close()
        assert await feed.next(UUID(int=1), 0, at_once=True) is None

    asyncio.run(ask())
