"""What has been done, by whom: written with each change in its own transaction, and never changed after."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.db.owning import has_changed, made_in
from app.db.tables import Audit

_NOTE = insert(Audit.__table__)  # type: ignore[arg-type]


def note(session: Session, project: str | None, actor: str, action: str, target: Mapping[str, Any]) -> None:
    """Write down a change, if the session has made one."""
    if not has_changed(session):
        return
    told = {name.removesuffix("_id"): str(value) for name, value in target.items()} | made_in(session)
    session.flush()
    session.connection().execute(_NOTE, {"project": project, "actor": actor, "action": action, "target": told})


def find(session: Session, project: str | None, before: int | None, limit: int) -> list[Audit]:
    """Return what was done in a project, or in all of them and on the service itself; the newest first."""
    query = select(Audit).order_by(Audit.id.desc()).limit(limit)
    if project is not None:
        query = query.where(Audit.project == project)
    if before is not None:
        query = query.where(Audit.id < before)
    return list(session.scalars(query))
