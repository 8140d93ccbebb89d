"""The calls about who may do what: keys, projects, who is in them, and what was done."""

from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import UUID

from sufficiency.client.connection import Connection, segment
from sufficiency.client.replies import Reply
from sufficiency.schemas.words import Scope

if TYPE_CHECKING:
    from sufficiency.schemas.access import (
        AuditView,
        CallerView,
        KeyView,
        KeyWithSecret,
        MemberView,
        ProjectDetail,
        ProjectView,
    )


class AccessCalls:
    """The calls of one service's API about access; in the project that the connection names.

    Parameters
    ----------
    connection : Connection
        To the service.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def caller(self) -> "Reply[CallerView]":
        """Return who asks, as the service sees it."""
        from sufficiency.schemas.access import CallerView

        return Reply(self._connection.json("GET", "/caller"), CallerView)

    def keys(self) -> "list[Reply[KeyView]]":
        """Return the keys of the project, those that ended too; to a caller of the service also its own."""
        from sufficiency.schemas.access import KeyView

        return [Reply(one, KeyView) for one in self._connection.items("/keys")]

    def add_key(
        self, name: str, scope: Scope = "read", *, expires_in_days: float | None = None, service: bool = False
    ) -> "Reply[KeyWithSecret]":
        """Make a key. Its secret is in this answer, as ``key``, and nowhere else.

        Parameters
        ----------
        name : str
            What it is for.
        scope : {"read", "write", "admin"}
            What it may do; each has what is before it.
        expires_in_days : float, optional
            Default: it does not expire.
        service : bool
            For all projects and for the service itself.
        """
        from sufficiency.schemas.access import KeyWithSecret

        body = {"name": name, "scope": scope, "expires_in_days": expires_in_days, "service": service}
        return Reply(self._connection.json("POST", "/keys", body=body), KeyWithSecret)

    def rotate_key(self, key_id: str | UUID, *, grace_hours: float = 24.0) -> "Reply[KeyWithSecret]":
        """Make a key like this one with another secret; the old one is taken for a while yet.

        Parameters
        ----------
        key_id : str or UUID
            The old one.
        grace_hours : float
            How long it is still taken.
        """
        from sufficiency.schemas.access import KeyWithSecret

        path = f"/keys/{segment(str(key_id))}/rotate"
        return Reply(self._connection.json("POST", path, {"grace_hours": grace_hours}), KeyWithSecret)

    def revoke_key(self, key_id: str | UUID) -> "Reply[KeyView]":
        """End a key now."""
        from sufficiency.schemas.access import KeyView

        return Reply(self._connection.json("POST", f"/keys/{segment(str(key_id))}/revoke"), KeyView)

    def projects(self) -> "list[Reply[ProjectView]]":
        """Return the projects in which the caller may do something."""
        from sufficiency.schemas.access import ProjectView

        return [Reply(one, ProjectView) for one in self._connection.items("/projects")]

    def add_project(self, name: str, description: str = "") -> "Reply[ProjectView]":
        """Make a project; it takes a key of the service."""
        from sufficiency.schemas.access import ProjectView

        body = {"name": name, "description": description}
        return Reply(self._connection.json("POST", "/projects", body=body), ProjectView)

    def project_detail(self, name: str) -> "Reply[ProjectDetail]":
        """Return one project: how much it may have of each, and how much it has."""
        from sufficiency.schemas.access import ProjectDetail

        return Reply(self._connection.json("GET", f"/projects/{segment(name)}"), ProjectDetail)

    def change_project(
        self,
        name: str,
        *,
        description: str | None = None,
        quotas: Mapping[str, float | None] | None = None,
        weight: float | None = None,
    ) -> "Reply[ProjectDetail]":
        """Change what a project is about, how much it may have, or its share; it takes a key of the service.

        Parameters
        ----------
        name : str
        description : str, optional
        quotas : mapping from str to float or None, optional
            ``open_jobs``, ``cells``, ``values``, ``slot_seconds``, ``datasets``, ``webhooks``, ``kept_bytes``,
            ``streams``: those that are named are set, and None takes one away.
        weight : float, optional
            While several projects want the slots, it is owed so many times what one of weight 1 is.
        """
        from sufficiency.schemas.access import ProjectDetail

        told = {"description": description, "quotas": quotas, "weight": weight}
        body = {key: value for key, value in told.items() if value is not None}
        return Reply(self._connection.json("PATCH", f"/projects/{segment(name)}", body=body), ProjectDetail)

    def remove_project(self, name: str) -> None:
        """Remove a project that nothing is left in; it takes a key of the service."""
        self._connection.request("DELETE", f"/projects/{segment(name)}")

    def members(self) -> "list[Reply[MemberView]]":
        """Return the persons in the project, and what each may do there."""
        from sufficiency.schemas.access import MemberView

        return [Reply(one, MemberView) for one in self._connection.items("/members")]

    def put_member(self, subject: str, role: Scope) -> "Reply[MemberView]":
        """Take a person into the project, or change what the person may do there.

        Parameters
        ----------
        subject : str
            As the identity provider or the proxy names the person.
        role : {"read", "write", "admin"}
        """
        from sufficiency.schemas.access import MemberView

        return Reply(self._connection.json("PUT", f"/members/{segment(subject)}", body={"role": role}), MemberView)

    def remove_member(self, subject: str) -> None:
        """Take a person out of the project."""
        self._connection.request("DELETE", f"/members/{segment(subject)}")

    def audit(self, *, limit: int | None = None, everything: bool = False) -> "list[Reply[AuditView]]":
        """Return what was changed in the project, the newest first.

        Parameters
        ----------
        limit : int, optional
            At most so many; default all.
        everything : bool
            Of all projects and of the service itself; for callers of the service.
        """
        from itertools import islice

        from sufficiency.schemas.access import AuditView

        params = {"everything": "true" if everything else None, "limit": None if limit is None else min(limit, 1000)}
        return [Reply(one, AuditView) for one in islice(self._connection.items("/audit", params), limit)]
