"""The shape of worker processes."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from sufficiency.schemas.fields import Timestamp


class WorkerView(BaseModel):
    """A worker process."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "019ab0c4-1111-7cc2-9d2e-0f6a1b2c3d4e",
                    "hostname": "lab-1",
                    "pid": 4242,
                    "devices": ["cpu"],
                    "slots": 2,
                    "busy": 1,
                    "plugins": ["model:mlp", "training:sgd-classifier"],
                    "plugin_errors": [],
                    "started_at": "2026-11-23T12:00:00Z",
                    "heartbeat_at": "2026-11-23T12:30:00Z",
                    "live": True,
                }
            ]
        },
    )

    id: UUID
    hostname: str
    pid: int
    devices: list[str]
    slots: int
    busy: int = Field(description="slots that train, read a dataset or ask a schedule")
    plugins: list[str] = Field(description="what it offers, as `kind:name`")
    plugin_errors: list[dict[str, Any]] = Field(description="plugins that it could not load, and why")
    started_at: Timestamp
    heartbeat_at: Timestamp
    live: bool = Field(description="it was heard of lately")
