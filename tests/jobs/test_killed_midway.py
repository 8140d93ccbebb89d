"""Whoever is killed in the middle of a change has made none of it: asked again, it is made once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine, Table, event, func, make_url, select

from app.db.engine import is_away
from app.db.tables import Base
from app.units.lease import finish_unit, record_cell
from sufficiency.schemas.work import CellResult
from tests.growth.counting import ask
from tests.support.service import Service, power_law

TABLES = Base.metadata.tables


@dataclass
class Death:
    """Of whoever talks to the database in this thread, just before it says the next thing."""

    at: int
    said: int = 0

    @property
    def has_come(self) -> bool:
        """Whether so much was said at all."""
        return self.said >= self.at


@contextmanager
def dies(service: Service, at: int) -> Iterator[Death]:
    """Have what is said to the database in this thread end before its `at`-th statement or commit.

    To the database it makes no difference whether a process is killed or its connection is.
    """
    url = make_url(service.settings.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    here, death = threading.get_ident(), Death(at)

    def note(connection: Any, *_: Any) -> None:
        if threading.get_ident() != here:
            return
        death.said += 1
        if death.said == at:
            pid = connection.connection.dbapi_connection.info.backend_pid
            with psycopg.connect(url, autocommit=True) as other:
                gone = other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid]).fetchone()
            assert gone == (True,)

    event.listen(Engine, "before_cursor_execute", note)
    event.listen(Engine, "commit", note)
    try:
        yield death
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        event.remove(Engine, "commit", note)


def until_it_lives(service: Service, act: Callable[[], bool], state: Callable[[], Any]) -> int:
    """Have an act die at each of its statements in turn, until it comes to its end; return at how many it died.

    Parameters
    ----------
    act : callable
        Returns whether it came to its end.
    state : callable
        What is seen of it: all as before where it died.
    """
    before = state()
    for at in range(1, 1000):
        with dies(service, at) as death:
            ended = act()
        if not death.has_come:
            assert ended
            return at - 1
        assert not ended, f"it died at its statement {at}, and said that all was well"
        assert state() == before, f"it died at its statement {at}, and left something behind"
    raise AssertionError("it has no end")


def count(service: Service, table: Table, *where: Any) -> int:
    with service.database.transaction() as session:
        return session.scalar(select(func.count()).select_from(table).where(*where)) or 0


def test_a_version_of_a_dataset(service: Service) -> None:
    service.keep_messages()
    lot = {"appended": {"loader": "npz", "params": {"path": "more.npz"}}}
    statuses = []

    def add() -> bool:
        statuses.append(ask(service.client.app, "POST", "/datasets/small/versions", lot).status)
        return statuses[-1] == 201

    def state() -> tuple[int, ...]:
        return tuple(count(service, TABLES[name]) for name in ("dataset", "outbox", "audit"))

    before = state()
    assert until_it_lives(service, add, state) > 5
    assert set(statuses[:-1]) == {503}
    assert state() == tuple(number + 1 for number in before), "a version, a question to a worker, a line of the audit"
    # Killed after its commit, and before anybody heard of it: whoever asks again is told of that one.
    again = ask(service.client.app, "POST", "/datasets/small/versions", lot)
    assert (again.status, again.json()["name"], state()[0]) == (200, "small@2", before[0] + 1)


def test_a_forecast_that_comes_true(service: Service) -> None:
    job_id = service.submit(schedule=[10, 20, 40, 80], runs=1)["id"]
    service.work(job_id)
    extended = service.client.post(f"/jobs/{job_id}/extend", json={"steps": [160]})
    assert extended.status_code == 202, extended.text
    forecasts, job, cell = TABLES["forecast"], TABLES["job"], TABLES["cell"]
    said = count(service, forecasts)
    assert said >= 2, "of each curve"
    claimed, unit_id = service.claim(job_id)
    [open_cell] = [one for one in claimed.cells if one.is_open]

    def recorded() -> bool:
        values = power_law(open_cell.run, open_cell.step, open_cell.n)
        result = CellResult(open_cell.run, open_cell.step, open_cell.n, 0.5, "cpu", values)
        return came_to_its_end(lambda session: record_cell(session, unit_id, claimed.attempt, result))

    def finished() -> bool:
        return came_to_its_end(lambda session: finish_unit(session, unit_id, claimed.attempt))

    def came_to_its_end(write: Callable[[Any], object]) -> bool:
        try:
            with service.database.transaction() as session:
                write(session)
        except Exception as error:
            if not is_away(error):
                raise
            return False
        return True

    def state() -> tuple[Any, ...]:
        measured = count(service, cell, cell.c.job_id == UUID(job_id), cell.c.finished_at.is_not(None))
        scored = count(service, forecasts, forecasts.c.scored_at.is_not(None))
        completed = count(service, job, job.c.state == "completed")
        return measured, count(service, TABLES["measurement"]), count(service, TABLES["event"]), scored, completed

    assert state()[3:] == (0, 0)
    assert until_it_lives(service, recorded, state) > 3
    measured, *_ = state()
    assert measured == 5
    assert until_it_lives(service, finished, state) > 5
    assert state()[3:] == (said, 1), "all of them, with the job's end"
    assert count(service, forecasts) == said
    told = service.client.get("/forecasts").json()
    assert len(told["items"]) == said
