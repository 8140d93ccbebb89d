"""The shapes of keys, projects, members and the audit."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sufficiency.schemas.fields import Strict, Timestamp, Word
from sufficiency.schemas.patterns import HARMLESS, PROJECT_NAME
from sufficiency.schemas.words import DEFAULT_PROJECT, Scope

Named = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=HARMLESS)]
# It stands in a header and in lists.
ProjectName = Annotated[str, StringConstraints(pattern=PROJECT_NAME, max_length=63)]

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


class NewKey(Strict):
    """A key to be made."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "ci", "scope": "write", "expires_in_days": 365}]}
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
    scope: Word[Scope]
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


class NewProject(Strict):
    """A project to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "radiology", "description": "Chest X-rays"}]})

    name: ProjectName
    description: Annotated[str, StringConstraints(max_length=1000)] = ""


USAGE_DAYS = 30  # for which slot seconds are counted
LEAST_WEIGHT, MOST_WEIGHT = 0.01, 100.0

Count = Annotated[int, Field(ge=0, le=2**53)]


class QuotasView(BaseModel):
    """How much a project may have of each; null: as much as it likes."""

    open_jobs: Count | None = Field(None, description="jobs that have not ended")
    cells: Count | None = Field(None, description="cells of all its jobs")
    values: Count | None = Field(None, description="measured values that are kept")
    slot_seconds: Annotated[float, Field(ge=0, le=2**53)] | None = Field(
        None, description=f"seconds of training and evaluation in the last {USAGE_DAYS} days"
    )
    datasets: Count | None = Field(None, description="registered datasets")
    upload_bytes: Count | None = Field(None, description="bytes of files that were sent")
    webhooks: Count | None = Field(None, description="registered webhooks")
    kept_bytes: Count | None = Field(
        None, description="bytes of what plugins have written for its jobs, and of pictures of its datasets"
    )
    streams: Count | None = Field(None, description="event streams that are open at a time, to one API process")


class Quotas(Strict, QuotasView):
    """How much a project may have of each, as it is asked for; null: as much as it likes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"open_jobs": 20, "slot_seconds": 3.6e6}]})


class Usage(BaseModel):
    """How much a project has of each."""

    open_jobs: int
    cells: int
    values: int
    slot_seconds: float
    datasets: int
    upload_bytes: int = 0
    webhooks: int
    kept_bytes: int


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


class ProjectDetail(ProjectView):
    """A project, what it may have, and what it has."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "019ab0c4-3333-7cc2-9d2e-0f6a1b2c3d4e",
                    "name": "radiology",
                    "description": "Chest X-rays",
                    "created_at": "2026-11-23T12:00:00Z",
                    "quotas": {
                        "open_jobs": 20,
                        "cells": None,
                        "values": None,
                        "slot_seconds": 3.6e6,
                        "datasets": None,
                        "upload_bytes": None,
                        "webhooks": None,
                        "kept_bytes": None,
                        "streams": None,
                    },
                    "usage": {
                        "open_jobs": 2,
                        "cells": 1250,
                        "values": 8750,
                        "slot_seconds": 51234.5,
                        "datasets": 3,
                        "upload_bytes": 0,
                        "webhooks": 1,
                        "kept_bytes": 412300,
                    },
                    "weight": 1.0,
                }
            ]
        },
    )

    quotas: QuotasView
    usage: Usage
    weight: float = Field(
        description="while several projects want the slots, it is owed so many times what one of weight 1 is"
    )


class ProjectChange(Strict):
    """What to change of a project; what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"quotas": {"open_jobs": 20}}, {"weight": 2}]})

    description: Annotated[str, StringConstraints(max_length=1000)] | None = None
    quotas: Quotas | None = Field(None, description="only those that are named; null takes one away")
    weight: float | None = Field(
        None, ge=LEAST_WEIGHT, le=MOST_WEIGHT, description="of its share in the slots; 1 where nobody has said so"
    )


class Membership(Strict):
    """What a person may do in a project."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "write"}]})

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
    role: Word[Scope]
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
    scope: Word[Scope] = Field(description="what the caller may do there")
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


class SignIn(Strict):
    """Who signs in on the page."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"key": "suf_…"}]})

    key: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Looking(Strict):
    """Which project the page is about."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"project": "radiology"}]})

    project: ProjectName


class PageSessionView(BaseModel):
    """Whether somebody is signed in on the page, and how one signs in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "open": False,
                    "provider": True,
                    "signed_in": True,
                    "actor": "person ada@example.org",
                    "project": DEFAULT_PROJECT,
                }
            ]
        }
    )

    open: bool = Field(description="nobody is asked who it is")
    provider: bool = Field(description="`session/provider` leads to an identity provider; else one signs in with a key")
    signed_in: bool
    actor: str | None = None
    project: str | None = None
