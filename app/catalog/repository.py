"""Queries on plugins, workers and datasets."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tables import Dataset, Job, Plugin, Unit, Worker


def upsert_plugins(session: Session, plugins: Sequence[dict[str, Any]]) -> None:
    """Write plugins, over what the catalog has of the same kind and name."""
    statement = insert(Plugin)
    columns = ("version", "summary", "params_schema", "capabilities", "devices")
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["kind", "name"],
            set_={column: statement.excluded[column] for column in columns} | {"updated_at": func.now()},
        ),
        list(plugins),
    )


def find_plugins(
    session: Session, kind: str | None = None, *, after: tuple[str, str] | None = None, limit: int | None = None
) -> list[Plugin]:
    """Return plugins by kind and name."""
    statement = select(Plugin).order_by(Plugin.kind, Plugin.name)
    if kind is not None:
        statement = statement.where(Plugin.kind == kind)
    if after is not None:
        statement = statement.where(tuple_(Plugin.kind, Plugin.name) > after)
    return list(session.scalars(statement.limit(limit)))


def get_plugin(session: Session, kind: str, name: str) -> Plugin | None:
    """Return one plugin."""
    return session.get(Plugin, (kind, name))


def get_plugins(session: Session, keys: Sequence[tuple[str, str]]) -> list[Plugin]:
    """Return the plugins of these kinds and names, as far as they are there."""
    return list(session.scalars(select(Plugin).where(tuple_(Plugin.kind, Plugin.name).in_(keys))))


def missing_packages(session: Session) -> dict[str, str]:
    """Return of each plugin, as "kind:name", that lacks a package where it was last advertised, what to do about it."""
    rows = session.execute(
        select(Plugin.kind, Plugin.name, Plugin.capabilities["missing"].astext).where(
            Plugin.capabilities.has_key("missing")
        )
    )
    return {f"{kind}:{name}": remedy for kind, name, remedy in rows}


def find_workers(session: Session, heard_within: timedelta | None = None) -> list[tuple[Worker, float]]:
    """Return workers, the oldest first, each with the seconds since it was last heard on the database's clock."""
    silence = func.extract("epoch", func.clock_timestamp() - Worker.heartbeat_at)
    statement = select(Worker, silence).order_by(Worker.id)
    if heard_within is not None:
        statement = statement.where(Worker.heartbeat_at > func.now() - heard_within)
    return [(worker, float(seconds)) for worker, seconds in session.execute(statement)]


def insert_dataset(session: Session, name: str, train: dict[str, Any], test: dict[str, Any]) -> Dataset | None:
    """Write a dataset; None when its name is taken."""
    return session.scalar(
        insert(Dataset)
        .values(name=name, train=train, test=test)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(Dataset)
    )


def get_dataset(session: Session, name: str, *, lock: str | None = None) -> Dataset | None:
    """Return a dataset by name.

    Parameters
    ----------
    lock : {"use", "change"}, optional
        "use" keeps it from being deleted until the transaction ends; "change" keeps others from using it.
    """
    statement = select(Dataset).where(Dataset.name == name)
    if lock == "use":
        statement = statement.with_for_update(read=True, key_share=True)
    elif lock == "change":
        statement = statement.with_for_update()
    return session.scalar(statement)


def find_datasets(session: Session, *, after: str | None, limit: int) -> list[Dataset]:
    """Return datasets by name."""
    statement = select(Dataset).order_by(Dataset.name)
    if after is not None:
        statement = statement.where(Dataset.name > after)
    return list(session.scalars(statement.limit(limit)))


def jobs_on(session: Session, dataset_id: UUID) -> int:
    """Return how many jobs are on a dataset."""
    return session.scalar(select(func.count()).select_from(Job).where(Job.dataset_id == dataset_id)) or 0


def leases(session: Session) -> dict[UUID, int]:
    """Return how many units each worker holds."""
    statement = (
        select(Unit.worker_id, func.count())
        .where(Unit.state == "leased", Unit.worker_id.is_not(None))
        .group_by(Unit.worker_id)
    )
    return {worker_id: count for worker_id, count in session.execute(statement) if worker_id is not None}
