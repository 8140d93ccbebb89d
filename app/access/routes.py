"""Keys, projects, members and the audit over HTTP."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response
from pydantic import BeforeValidator, TypeAdapter
from sqlalchemy.orm import Session

from app.access import audit, keys, projects, quotas, shares
from app.access.caller import Caller, caller_of
from app.access.door import Door
from app.access.errors import Forbidden
from app.db.tables import ApiKey, Project
from app.web.limits import plain_json
from app.web.pagination import Cursor, decode_cursor, page_of
from app.web.problem import documented
from app.web.session import SessionDep
from sufficiency.schemas.access import (
    AuditView,
    CallerView,
    KeyView,
    KeyWithSecret,
    Membership,
    MemberView,
    NewKey,
    NewProject,
    ProjectChange,
    ProjectDetail,
    ProjectName,
    ProjectView,
    Quotas,
)
from sufficiency.schemas.limits import PAGE
from sufficiency.schemas.paging import Page
from sufficiency.schemas.patterns import HARMLESS

router = APIRouter(tags=["access"], responses=documented(422, 503))

KEY = TypeAdapter(UUID)
NUMBER = TypeAdapter(int)
MAX_GRACE_HOURS = 24 * 7

Limit = Annotated[int, Query(ge=1, le=PAGE, description="size of a page")]
Subject = Annotated[str, Path(min_length=1, max_length=500, pattern=HARMLESS)]
NEW_KEY = {"summary": "For a pipeline, a year long", "value": {"name": "ci", "scope": "write", "expires_in_days": 365}}
NEW_PROJECT = {"summary": "A project", "value": {"name": "radiology", "description": "Chest X-rays"}}
PROJECT_CHANGE = {"summary": "At most twenty jobs at a time", "value": {"quotas": {"open_jobs": 20}}}
MEMBER = {"summary": "Who may submit jobs", "value": {"role": "write"}}


async def _then_look_anew(request: Request) -> None:
    """Have the door forget what it knew; after the commit, since before it would learn the same again."""
    door: Door = request.app.state.door
    request.state.after_commit = door.forget


LookAnew = Depends(_then_look_anew)


@router.get("/caller")
def get_caller(request: Request, session: SessionDep) -> CallerView:
    """Return who asks, as the service sees it: in which project, and what the caller may do there."""
    caller = caller_of(request)
    return CallerView(
        actor=caller.grant.actor,
        project=caller.project,
        scope=caller.scope,
        service=caller.service,
        projects=None if caller.service else sorted(caller.grant.places),
    )


def _key(session: Session, key: ApiKey) -> KeyView:
    fields = {name: getattr(key, name) for name in KeyView.model_fields if name != "project"}
    return KeyView(**fields, project=projects.name_of(session, key))


def _with_secret(session: Session, response: Response, key: ApiKey, secret: str) -> KeyWithSecret:
    response.headers["Cache-Control"] = "no-store"
    return KeyWithSecret(**_key(session, key).model_dump(), key=secret)


@router.get("/keys")
def list_keys(request: Request, session: SessionDep, limit: Limit = 100, cursor: Cursor = None) -> Page[KeyView]:
    """List the keys of the project, the oldest first, those that ended too; callers of the service see its keys too."""
    after = decode_cursor(cursor, KEY) if cursor else None
    rows, following = page_of(
        keys.listed(session, caller_of(request), after, limit + 1), limit, lambda key: str(key.id)
    )
    return Page(items=[_key(session, key) for key in rows], next_cursor=following)


@router.post("/keys", status_code=201, responses=documented(400, 413))
def create_key(
    request: Request,
    response: Response,
    session: SessionDep,
    body: Annotated[NewKey, BeforeValidator(plain_json), Body(openapi_examples={"ci": NEW_KEY})],
) -> KeyWithSecret:
    """Make a key. Its secret is in this answer and nowhere else."""
    return _with_secret(session, response, *keys.add(session, caller_of(request), body))


@router.post("/keys/{key_id}/rotate", status_code=201, dependencies=[LookAnew], responses=documented(404, 409))
def rotate_key(
    request: Request,
    response: Response,
    session: SessionDep,
    key_id: UUID,
    grace_hours: Annotated[
        float, Query(ge=0, le=MAX_GRACE_HOURS, description="how long the old one is still taken")
    ] = 24.0,
) -> KeyWithSecret:
    """Make a key like this one with another secret; for a while both are taken, so that nothing has to stop."""
    return _with_secret(
        session, response, *keys.rotate(session, caller_of(request), key_id, timedelta(hours=grace_hours))
    )


@router.post("/keys/{key_id}/revoke", dependencies=[LookAnew], responses=documented(404))
def revoke_key(request: Request, session: SessionDep, key_id: UUID) -> KeyView:
    """End a key now. Other processes of the service may take it for five seconds more."""
    return _key(session, keys.revoke(session, caller_of(request), key_id))


@router.get("/projects")
def list_projects(request: Request, session: SessionDep) -> Page[ProjectView]:
    """List the projects in which the caller may do something."""
    found = projects.listed(session, caller_of(request))
    return Page(items=[ProjectView.model_validate(one) for one in found], next_cursor=None)


@router.post("/projects", status_code=201, responses=documented(400, 409, 413))
def create_project(
    session: SessionDep,
    body: Annotated[NewProject, BeforeValidator(plain_json), Body(openapi_examples={"new": NEW_PROJECT})],
) -> ProjectView:
    """Make a project: jobs, datasets and webhooks that nobody outside of it sees."""
    made: Project = projects.add(session, body.name, body.description)
    return ProjectView.model_validate(made)


def _seen(caller: Caller, name: str) -> str:
    if not caller.service and name not in caller.grant.places:
        raise projects.no_such_project(name)
    return name


def _detail(session: Session, project: Project) -> ProjectDetail:
    view = ProjectView.model_validate(project)
    limits = Quotas.model_validate(project.quotas)
    return ProjectDetail(
        **view.model_dump(),
        quotas=limits,
        usage=quotas.usage(session, project.id),
        weight=shares.weight_of(session, project.id),
    )


@router.get("/projects/{name}", responses=documented(404))
def get_project(request: Request, session: SessionDep, name: ProjectName) -> ProjectDetail:
    """Return one project: how much it may have of each, how much it has, and its share in the slots."""
    return _detail(session, projects.get(session, _seen(caller_of(request), name)))


@router.patch(
    "/projects/{name}",
    dependencies=[LookAnew],
    responses=documented(400, 404, 413),
)
def change_project(
    session: SessionDep,
    name: ProjectName,
    body: Annotated[ProjectChange, BeforeValidator(plain_json), Body(openapi_examples={"limit": PROJECT_CHANGE})],
) -> ProjectDetail:
    """Change what a project is about, how much it may have, or its share in the slots."""
    return _detail(session, projects.change(session, name, body))


@router.delete("/projects/{name}", status_code=204, dependencies=[LookAnew], responses=documented(404, 409))
def delete_project(session: SessionDep, name: ProjectName) -> None:
    """Remove a project that nothing is left in; its keys and members go with it."""
    projects.remove(session, name)


@router.get("/members")
def list_members(request: Request, session: SessionDep) -> Page[MemberView]:
    """List the persons in the project, and what each may do there."""
    found = projects.members(session, caller_of(request).project_id)
    return Page(items=[MemberView.model_validate(one) for one in found], next_cursor=None)


@router.put(
    "/members/{subject:path}",
    dependencies=[LookAnew],
    responses=documented(400, 413),
)
def put_member(
    request: Request,
    session: SessionDep,
    subject: Subject,
    body: Annotated[Membership, BeforeValidator(plain_json), Body(openapi_examples={"write": MEMBER})],
) -> MemberView:
    """Take a person into the project, or change what the person may do there."""
    return MemberView.model_validate(projects.put_member(session, caller_of(request).project_id, subject, body.role))


@router.delete("/members/{subject:path}", status_code=204, dependencies=[LookAnew], responses=documented(404))
def remove_member(request: Request, session: SessionDep, subject: Subject) -> None:
    """Take a person out of the project."""
    projects.remove_member(session, caller_of(request).project_id, subject)


@router.get("/audit")
def list_audit(
    request: Request,
    session: SessionDep,
    everything: Annotated[
        bool, Query(description="of all projects and of the service itself; for callers of the service")
    ] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AuditView]:
    """List what was changed in the project, the newest first: who did what to what, and when."""
    caller = caller_of(request)
    if everything and not caller.service:
        raise Forbidden("Only a key of the service sees what was done in all projects.", code="service_only")
    before = decode_cursor(cursor, NUMBER) if cursor else None
    rows, following = page_of(
        audit.find(session, None if everything else caller.project, before, limit + 1), limit, lambda entry: entry.id
    )
    return Page(items=[AuditView.model_validate(entry) for entry in rows], next_cursor=following)
