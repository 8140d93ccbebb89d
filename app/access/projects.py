"""Projects and who is in them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.access import shares
from app.access.caller import Caller, Place
from app.db.owning import made
from app.db.tables import DEFAULT_PROJECT_ID, ApiKey, Base, Member, Project
from app.errors import Conflict, NotFound
from sufficiency.schemas.access import ProjectChange
from sufficiency.schemas.words import SCOPES, Scope

# What was unique in the whole database, when there was one project: the version before still names these constraints.
OF_ONE_PROJECT = {"job": "uq_job_idempotency_key", "dataset": "uq_dataset_name", "webhook": "uq_webhook_url"}
# A project that has any of these is not removed.
LEFT_BEHIND = {*OF_ONE_PROJECT, "upload"}


def add(session: Session, name: str, description: str) -> Project:
    """Make a project. With the second one, names are unique in each alone."""
    _let_names_be_each_project_s(session)
    project: Project | None = session.scalar(
        insert(Project)
        .values(name=name, description=description)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(Project)
    )
    if project is None:
        raise Conflict(f"There is a project {name!r} already; choose another name.", code="project_exists")
    made(session, "project", name)
    return project


def _let_names_be_each_project_s(session: Session) -> None:
    standing = session.scalars(
        text("SELECT conname FROM pg_constraint WHERE conname = ANY(:names)").bindparams(
            names=list(OF_ONE_PROJECT.values())
        )
    ).all()
    for table, constraint in OF_ONE_PROJECT.items():
        if constraint in standing:
            session.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}"))


def find(session: Session, name: str) -> Project | None:
    """Return a project by name, or None."""
    return session.scalar(select(Project).where(Project.name == name))


def get(session: Session, name: str) -> Project:
    """Return a project by name."""
    project = find(session, name)
    if project is None:
        raise no_such_project(name)
    return project


def no_such_project(name: str) -> NotFound:
    """Return the problem of a project that is not there, or not for who asks."""
    return NotFound(
        f"There is no project {name!r} for you; GET /projects lists those there are.", code="project_not_found"
    )


def listed(session: Session, caller: Caller) -> list[Project]:
    """Return the projects in which the caller may do something, by name."""
    query = select(Project).order_by(Project.name)
    if not caller.service:
        query = query.where(Project.id.in_([place.id for place in caller.grant.places.values()]))
    return list(session.scalars(query))


def change(session: Session, name: str, wanted: ProjectChange) -> Project:
    """Change what a project is about, how much it may have, or its share in the slots."""
    project = session.scalar(select(Project).where(Project.name == name).with_for_update())
    if project is None:
        raise no_such_project(name)
    if wanted.description is not None:
        project.description = wanted.description
    if wanted.quotas is not None:
        told = wanted.quotas.model_dump(exclude_unset=True)
        project.quotas = {name: limit for name, limit in {**project.quotas, **told}.items() if limit is not None}
    session.flush()
    if wanted.weight is not None:
        shares.weigh(session, project.id, wanted.weight)  # last: who claims a unit locks it last
    return project


def remove(session: Session, name: str) -> None:
    """Remove a project that nothing is left in; its keys go with it."""
    project = session.scalar(select(Project).where(Project.name == name).with_for_update())
    if project is None:
        raise no_such_project(name)
    if project.id == DEFAULT_PROJECT_ID:
        raise Conflict("The default project stays.", code="project_not_empty")
    left = {
        table.name: session.scalar(select(func.count()).select_from(table).where(table.c.project_id == project.id)) or 0
        for table in Base.metadata.sorted_tables
        if table.name in LEFT_BEHIND
    }
    if any(left.values()):
        told = ", ".join(f"{count} {table}{'s' if count > 1 else ''}" for table, count in sorted(left.items()) if count)
        raise Conflict(f"Project {name!r} has {told}; delete them first.", code="project_not_empty")
    # Forecasts outlive their jobs, but not their project.
    forecasts = Base.metadata.tables["forecast"]
    session.execute(forecasts.delete().where(forecasts.c.project_id == project.id))
    session.delete(project)
    session.flush()


def places_of(session: Session, subject: str) -> dict[str, Place]:
    """Return the projects that a person is a member of, by name."""
    rows = session.execute(
        select(Project.name, Project.id, Member.role, Project.quotas)
        .join(Member, Member.project_id == Project.id)
        .where(Member.subject == subject)
    )
    return {
        name: Place(id, next(scope for scope in SCOPES if scope == role), quotas) for name, id, role, quotas in rows
    }


def members(session: Session, project_id: UUID) -> Sequence[Member]:
    """Return who is in a project."""
    return session.scalars(select(Member).where(Member.project_id == project_id).order_by(Member.subject)).all()


def put_member(session: Session, project_id: UUID, subject: str, role: Scope) -> Member:
    """Take a person into a project, or change what the person may do there."""
    written: Any = insert(Member).values(project_id=project_id, subject=subject, role=role)
    member: Member = session.scalars(
        written.on_conflict_do_update(index_elements=["project_id", "subject"], set_={"role": role}).returning(Member),
        execution_options={"populate_existing": True},
    ).one()
    return member


def remove_member(session: Session, project_id: UUID, subject: str) -> None:
    """Take a person out of a project."""
    member = session.get(Member, (project_id, subject))
    if member is None:
        raise NotFound(f"{subject!r} is not in this project; GET /members lists who is.", code="member_not_found")
    session.delete(member)
    session.flush()


def name_of(session: Session, key: ApiKey) -> str | None:
    """Return the name of a key's project, or None for one of the service."""
    return (
        None
        if key.project_id is None
        else session.scalars(select(Project.name).where(Project.id == key.project_id)).one()
    )
