"""Who asks: in which project, and what may be done there. Whatever the credential, it comes to this."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from fastapi import Request
from sqlalchemy.orm import Session

from app.access import audit, quotas
from app.access.errors import Forbidden
from app.access.operations import Need
from sufficiency.schemas.words import SCOPES, Scope


def includes(scope: Scope, wanted: Scope) -> bool:
    """Return whether who has a scope has another one with it."""
    return SCOPES.index(scope) >= SCOPES.index(wanted)


@dataclass(frozen=True)
class Place:
    """A project, what may be done in it, and how much it may have."""

    id: UUID
    scope: Scope
    quotas: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Grant:
    """What a credential is good for.

    Attributes
    ----------
    of : str
        Whose it is, by which that one's requests are counted.
    actor : str
        The same in words, for the audit.
    everywhere : Scope or None
        What it allows in all projects and on the service itself.
    places : mapping from str to Place
        The projects, by name, that it is good for besides.
    looks_at : str or None
        The project that a request is about which names none.
    """

    of: str
    actor: str
    everywhere: Scope | None = None
    places: Mapping[str, Place] = field(default_factory=dict)
    looks_at: str | None = None


@dataclass(frozen=True)
class Caller:
    """Who asks, in one project.

    Attributes
    ----------
    grant : Grant
    project : str
    place : Place
        The project, and what the caller may do there.
    operation : str
        What is asked for.
    streams : bool
        The answer does not end by itself.
    of_service : bool
        It is about the service itself, and not about the project.
    """

    grant: Grant
    project: str
    place: Place
    operation: str
    streams: bool = False
    of_service: bool = False

    @property
    def project_id(self) -> UUID:
        """Whose rows the request sees and writes."""
        return self.place.id

    @property
    def scope(self) -> Scope:
        """What the caller may do in the project."""
        return self.place.scope

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

    def begin(self, session: Session) -> Mapping[str, float]:
        """Return what there is before a change, for `end`."""
        return quotas.begin(session, self.project_id, self.place.quotas)

    def end(self, session: Session, request: Request, before: Mapping[str, float]) -> None:
        """Write down what the request has changed, if it has changed anything, and may.

        Raises
        ------
        QuotaExceeded
            When the project has more than it may.
        """
        quotas.check(session, self.project_id, self.place.quotas, before)
        audit.note(
            session, None if self.of_service else self.project, self.grant.actor, self.operation, request.path_params
        )


def caller_of(request: Request) -> Caller:
    """Return who asks."""
    caller: Caller = request.state.caller
    return caller
