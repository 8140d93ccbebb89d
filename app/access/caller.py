"""Who asks: in which project, and what may be done there. Whatever the credential, it comes to this."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from fastapi import Request
from sqlalchemy.orm import Session

from app.access import audit
from app.access.errors import Forbidden
from app.access.operations import Need
from sufficiency.schemas.words import SCOPES, Scope


def includes(scope: Scope, wanted: Scope) -> bool:
    """Return whether who has a scope has another one with it."""
    return SCOPES.index(scope) >= SCOPES.index(wanted)


@dataclass(frozen=True)
class Place:
    """A project, and what may be done in it."""

    id: UUID
    scope: Scope


@dataclass(frozen=True)
class Grant:
    """What a credential is good for.

    Attributes
    ----------
    actor : str
        Whose it is, in words for the audit.
    everywhere : Scope or None
        What it allows in all projects and on the service itself.
    places : mapping from str to Place
        The projects, by name, that it is good for besides.
    """

    actor: str
    everywhere: Scope | None = None
    places: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True)
class Caller:
    """Who asks, in one project.

    Attributes
    ----------
    grant : Grant
    project_id : UUID
        Whose rows the request sees and writes.
    project : str
    scope : Scope
        What the caller may do there.
    operation : str
        What is asked for.
    """

    grant: Grant
    project_id: UUID
    project: str
    scope: Scope
    operation: str

    @property
    def service(self) -> bool:
        """Whether the caller may act in all projects."""
        return self.grant.everywhere is not None

    def require(self, need: Need) -> None:
        """Refuse what the caller may not do.

        Raises
        ------
        Forbidden
        """
        if need.service and (self.grant.everywhere is None or not includes(self.grant.everywhere, need.scope)):
            raise Forbidden(
                f"{self.operation} is about the service, not about a project: it takes a key of the service with scope "
                f"{need.scope}.",
                code="service_only",
            )
        if not includes(self.scope, need.scope):
            raise Forbidden(
                f"{self.operation} takes scope {need.scope}; {self.grant.actor} has {self.scope} in project "
                f"{self.project!r}."
            )

    def note(self, session: Session, request: Request) -> None:
        """Write down what the request has changed, if it has changed anything."""
        audit.note(session, self.project, self.grant.actor, self.operation, request.path_params)


def caller_of(request: Request) -> Caller:
    """Return who asks."""
    caller: Caller = request.state.caller
    return caller
