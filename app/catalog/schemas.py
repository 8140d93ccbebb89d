"""Shapes of plugins, workers and datasets."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.sufficiency.spec import Name, Strict

Kind = Literal["model", "training", "evaluation", "reset", "dataset", "schedule"]
Timestamp = Annotated[datetime, AfterValidator(lambda t: t.astimezone(UTC))]


class PluginView(BaseModel):
    """A plugin that a worker offers, or has offered."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "kind": "training",
                    "name": "sgd-classifier",
                    "version": "0.1.0",
                    "summary": "Stochastic gradient descent on the cross-entropy.",
                    "params_schema": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {"lr": {"type": "number", "default": 0.01, "description": "learning rate"}},
                    },
                    "capabilities": {},
                    "devices": ["cpu"],
                    "available": True,
                }
            ]
        },
    )

    kind: Kind
    name: str
    version: str
    summary: str
    params_schema: dict[str, Any] = Field(description="JSON Schema of the parameters")
    capabilities: dict[str, Any] = Field(description="an evaluation: its metrics with direction and bounds")
    devices: list[str]
    available: bool = Field(description="a live worker offers it")


class Split(Strict):
    """How one split is read."""

    loader: Name = Field(description="a dataset plugin")
    params: dict[str, Any] = Field(default_factory=dict)


class NewDataset(Strict):
    """A named pair of splits."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=100,
        description="letters, digits, `.`, `_` and `-`; begins with a letter or digit",
    )
    train: Split
    test: Split


class DatasetView(BaseModel):
    """A registered pair of splits, and what a worker found in it."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "019ab0c4-5b7a-7cc2-9d2e-0f6a1b2c3d4e",
                    "name": "mnist-2500",
                    "train": {"loader": "idx", "params": {"path": "mnist", "split": "t10k", "start": 0, "limit": 2500}},
                    "test": {
                        "loader": "idx",
                        "params": {"path": "mnist", "split": "t10k", "start": 8000, "limit": 500},
                    },
                    "status": "ready",
                    "error": None,
                    "info": {
                        "train": {"size": 2500, "class_counts": [219, 287, 276, 254, 275, 221, 225, 257, 242, 244]},
                        "test": {"size": 500, "class_counts": [46, 58, 51, 47, 55, 44, 49, 51, 49, 50]},
                        "input_shape": [1, 28, 28],
                        "class_names": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
                    },
                    "fingerprint": "sha256:9f86d081884c7d65",
                    "queued_reason": None,
                    "created_at": "2026-11-23T12:00:00Z",
                    "verified_at": "2026-11-23T12:00:02Z",
                }
            ]
        },
    )

    id: UUID
    name: str
    train: dict[str, Any]
    test: dict[str, Any]
    status: Literal["verifying", "ready", "invalid"]
    error: dict[str, Any] | None = Field(description="why it is invalid")
    info: dict[str, Any] | None = Field(description="sizes, class counts, item shape and class names, as last read")
    fingerprint: str | None
    queued_reason: str | None = Field(None, description="what it waits for while it is to be verified")
    created_at: Timestamp
    verified_at: Timestamp | None


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
    busy: int = Field(description="slots that train")
    plugins: list[str] = Field(description="what it offers, as `kind:name`")
    plugin_errors: list[dict[str, Any]] = Field(description="plugins that it could not load, and why")
    started_at: Timestamp
    heartbeat_at: Timestamp
    live: bool = Field(description="it was heard of lately")
