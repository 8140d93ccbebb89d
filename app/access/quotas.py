"""How much a project may have: counted by the database, before and after each change, in the change's own transaction.

A change that leaves more than there was, and more than there may be, is taken back. So no operation has to know of
quotas, and what makes less of something is allowed to a project that has too much.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, func, select
from sqlalchemy.orm import Session

from app.db.tables import Base, Project
from app.errors import ServiceError
from sufficiency.schemas.access import USAGE_DAYS, Quotas, Usage
from sufficiency.schemas.words import ENDED

Counts = dict[str, float]


class QuotaExceeded(ServiceError):
    """The project has as much of something as it may."""

    status = 429
    code = "quota_exceeded"
    title = "The project's quota is used up"


# The tables themselves: sessions keep mapped classes to the caller's project, and here any may be asked about.
_TABLES: Mapping[str, Table] = Base.metadata.tables
_job, _cell, _measurement = _TABLES["job"], _TABLES["cell"], _TABLES["measurement"]
_dataset, _log = _TABLES["dataset"], _TABLES["job_log"]


def _of(table: Table, project: UUID, what: Any) -> Select[Any]:
    return select(what).select_from(table).where(table.c.project_id == project)


def _joined(table: Table, project: UUID, what: Any) -> Select[Any]:
    return select(what).select_from(table.join(_job, _job.c.id == table.c.job_id)).where(_job.c.project_id == project)


def _of_the_log(what: Any, order: Any) -> Any:
    return select(what).where(_log.c.job_id == _job.c.id).order_by(order).limit(1).scalar_subquery()


# What is kept of a job's output lies between two of its pieces, each of which knows how much there was up to it.
_written = _of_the_log(_log.c.total, _log.c.seq.desc()) - _of_the_log(
    _log.c.total - func.octet_length(_log.c.text), _log.c.seq
)

COUNTS: Mapping[str, Callable[[UUID], Select[Any]]] = {
    "open_jobs": lambda project: _of(_job, project, func.count()).where(_job.c.state.not_in(ENDED)),
    "cells": lambda project: _of(_job, project, func.sum(_job.c.cells_total)),
    "datasets": lambda project: _of(_dataset, project, func.count()),
    "upload_bytes": lambda project: _of(_TABLES["upload"], project, func.sum(_TABLES["upload"].c.bytes)),
    "webhooks": lambda project: _of(_TABLES["webhook"], project, func.count()),
    "kept_bytes": lambda project: select(
        select(func.coalesce(func.sum(_written), 0))
        .select_from(_job)
        .where(_job.c.project_id == project)
        .scalar_subquery()
        + _of(_dataset, project, func.coalesce(func.sum(func.octet_length(_dataset.c.preview)), 0)).scalar_subquery()
    ),
    "values": lambda project: _joined(_measurement, project, func.count()),
    "slot_seconds": lambda project: _joined(_cell, project, func.sum(_cell.c.seconds)).where(
        _cell.c.finished_at > func.now() - timedelta(days=USAGE_DAYS),
        _cell.c.reused_from.is_(None),
    ),
}
# What workers use up later: once there is none left, no more work is taken on.
BUDGETS = frozenset({"values", "slot_seconds", "kept_bytes"})
WORK = ("open_jobs", "cells")


def usage(session: Session, project: UUID) -> Usage:
    """Return what a project has of each."""
    counted = _counted(session, project, COUNTS)
    return Usage.model_validate(
        {name: count if name == "slot_seconds" else int(count) for name, count in counted.items()}
    )


def _counted(session: Session, project: UUID, names: Mapping[str, object]) -> Counts:
    return {name: float(session.scalar(count(project)) or 0) for name, count in COUNTS.items() if name in names}


def begin(session: Session, project: UUID, quotas: Mapping[str, float]) -> Counts:
    """Return what the project has before a change, and keep others from changing it until the transaction ends."""
    limited = {name: limit for name, limit in quotas.items() if name in COUNTS}
    if not limited:
        return {}
    session.execute(select(Project.id).where(Project.id == project).with_for_update())
    session.flush()
    return _counted(session, project, {**limited, **dict.fromkeys(WORK)})


def check(session: Session, project: UUID, quotas: Mapping[str, float], before: Mapping[str, float]) -> None:
    """Refuse a change after which the project has more than it may.

    Raises
    ------
    QuotaExceeded
    """
    if not before:
        return
    session.flush()
    now = _counted(session, project, before)
    works = any(now[name] > before[name] for name in WORK)
    for name, limit in quotas.items():
        if name not in COUNTS:
            continue
        over = works and now[name] >= limit if name in BUDGETS else now[name] > max(limit, before[name])
        if over:
            told = Quotas.model_fields[name].description
            raise QuotaExceeded(
                f"The project may have {limit:g} of {name} ({told}), and has {before[name]:g}. Delete what is not "
                "needed, or ask who runs the service for more."
            )
