"""Whose rows a session sees: one that acts for a project reads, changes and writes that project's alone.

It is told once, when the session begins, and holds for every statement on what is owned: a query that forgets whose
rows it wants gets those of the project that asks, and no others.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Insert, event
from sqlalchemy.orm import Mapper, ORMExecuteState, Session, object_session, sessionmaker, with_loader_criteria

from app.db.tables import Owned

PROJECT, CHANGED, MADE = "project", "changed", "made"  # in `Session.info`


def bound_to(project: UUID | None) -> dict[str, Any]:
    """Return the `info` of a session that acts for a project; for all of them, if it is None."""
    return {} if project is None else {PROJECT: project}


def project_of(session: Session) -> UUID | None:
    """Return the project that a session acts for, or None where it acts for all."""
    project: UUID | None = session.info.get(PROJECT)
    return project


def made(session: Session, kind: str, name: object) -> None:
    """Say what a session has made, for those who write down what was done."""
    session.info.setdefault(MADE, {})[kind] = str(name)


def made_in(session: Session) -> dict[str, str]:
    """Return what a session has made, by kind."""
    found: dict[str, str] = session.info.get(MADE, {})
    return found


def has_changed(session: Session) -> bool:
    """Return whether a session has written anything."""
    return bool(session.info.get(CHANGED)) or bool(session.new or session.dirty or session.deleted)


def bind(sessions: "sessionmaker[Session]") -> None:
    """Have the sessions of a factory keep to the project that they are told."""
    event.listen(sessions, "do_orm_execute", _keep_to_the_project)
    event.listen(sessions, "after_flush", _mark_changed)


def _mark_changed(session: Session, _context: object) -> None:
    session.info[CHANGED] = True


def _keep_to_the_project(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        state.session.info[CHANGED] = True
    project = project_of(state.session)
    if project is None:
        return
    if state.is_insert:
        mapper = state.bind_mapper
        if isinstance(state.statement, Insert) and mapper is not None and issubclass(mapper.class_, Owned):
            if isinstance(state.parameters, list):  # one statement for many rows
                for row in state.parameters:
                    row["project_id"] = project
            else:
                state.statement = state.statement.values(project_id=project)
    elif not (state.is_column_load or state.is_relationship_load):  # those are of rows that were seen already
        state.statement = state.statement.options(
            with_loader_criteria(Owned, lambda owned: owned.project_id == project, include_aliases=True)
        )


@event.listens_for(Owned, "before_insert", propagate=True)
def _give_the_project(_mapper: Mapper[Any], _connection: Any, target: Owned) -> None:
    session = object_session(target)
    if session is not None and (project := project_of(session)) is not None:
        target.project_id = project
