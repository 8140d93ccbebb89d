"""The shapes of keys, projects, members and the audit."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sufficiency.schemas.fields import Timestamp
from sufficiency.schemas.words import DEFAULT_PROJECT, Scope

Named = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
# It stands in a header and in lists.
ProjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]

_KEY: dict[str, Any] = {
    "id": "019ab0c4-2222-7cc2-9d2e-0f6a1b2c3d4e",
    "name": "ci",
    "project": DEFAULT_PROJECT,
    "scope": "write",
    "hint": "…h3Kq",
    "created_by": "key laptop (…9fXa)",
    "created_at": "2026-11-23T12:00:00Z",
    "expires_at": "2027-11-23T12:00:00Z",
    "last_used_at": None,
    "revoked_at": None,
}


class NewKey(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "ci", "scope": "write", "expires_in_days": 365}]}
    )

    name: Named = Field(description="what it is for")
    scope: Scope = Field("read", description="what it may do")
    expires_in_days: float | None = Field(None, gt=0, le=3650, description="null: it does not expire")
    service: bool = Field(
        False, description="for all projects and for the service itself; only a key that is one makes another"
    )


class KeyView(BaseModel):
    """A key, without its secret, which is kept nowhere."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_KEY]})

    id: UUID
    name: str
    project: str | None = Field(description="null: of the service, for all projects")
    scope: Scope
    hint: str = Field(description="the end of it, by which a person tells keys apart")
    created_by: str
    created_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Timestamp | None = Field(description="to the minute")
    revoked_at: Timestamp | None


class KeyWithSecret(KeyView):
    """A key with its secret, which is shown this once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_KEY, "key": "suf_…"}]})

    key: str = Field(description="for the header `Authorization: Bearer …`, or `SUFFICIENCY_API_KEY`")


class NewProject(BaseModel):
    """A project to be made."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "radiology", "description": "Chest X-rays"}]}
    )

    name: ProjectName
    description: Annotated[str, StringConstraints(max_length=1000)] = ""


class ProjectView(BaseModel):
    """A project."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "019ab0c4-3333-7cc2-9d2e-0f6a1b2c3d4e",
                    "name": "radiology",
                    "description": "Chest X-rays",
                    "created_at": "2026-11-23T12:00:00Z",
                }
            ]
        },
    )

    id: UUID
    name: str
    description: str
    created_at: Timestamp


class Membership(BaseModel):
    """What a person may do in a project."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"role": "write"}]})

    role: Scope


class MemberView(BaseModel):
    """A person in a project."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [{"subject": "ada@example.org", "role": "write", "created_at": "2026-11-23T12:00:00Z"}]
        },
    )

    subject: str = Field(description="as the identity provider or the proxy names the person")
    role: Scope
    created_at: Timestamp


class CallerView(BaseModel):
    """Who asks, as the service sees it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "actor": "key ci (…h3Kq)",
                    "project": DEFAULT_PROJECT,
                    "scope": "write",
                    "service": False,
                    "projects": [DEFAULT_PROJECT],
                }
            ]
        }
    )

    actor: str
    project: str = Field(description="which the request is about")
    scope: Scope = Field(description="what the caller may do there")
    service: bool = Field(description="the caller may act in all projects, and on the service itself")
    projects: list[str] | None = Field(description="those in which the caller may do something; null: all there are")


class AuditView(BaseModel):
    """One change: who did what to what, and when."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": 17,
                    "at": "2026-11-23T12:00:00Z",
                    "project": DEFAULT_PROJECT,
                    "actor": "key ci (…h3Kq)",
                    "action": "create_job",
                    "target": {"job": "019ab0c4-7c1e-7cc2-9d2e-0f6a1b2c3d4e"},
                }
            ]
        },
    )

    id: int
    at: Timestamp
    project: str | None = Field(description="null: it was about the service itself")
    actor: str
    action: str = Field(description="name of the operation, as this specification has it")
    target: dict[str, Any]
