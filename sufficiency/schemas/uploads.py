"""Shapes of files that are sent to a service with a data folder of its own."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from sufficiency.schemas.fields import Timestamp, Word
from sufficiency.schemas.paging import Page

UploadKind = Literal["npz", "parquet", "table"]


class UploadView(BaseModel):
    """A file that was sent."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "019ab0c4-5555-7cc2-9d2e-0f6a1b2c3d4e",
                    "name": "stays.csv",
                    "path": "019ab0c4-5555-7cc2-9d2e-0f6a1b2c3d4e/stays.csv",
                    "kind": "table",
                    "bytes": 48211,
                    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                    "created_at": "2026-11-23T12:00:00Z",
                }
            ]
        },
    )

    id: UUID
    name: str
    path: str = Field(description="what a loader's `path` takes")
    kind: Word[UploadKind]
    bytes: int
    sha256: str
    created_at: Timestamp


class UploadPage(Page[UploadView]):
    """One page of the files that were sent."""

    most_bytes: int | None = Field(description="largest file that is taken; null: this service takes none")
