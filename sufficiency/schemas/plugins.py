"""The shape of plugins."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sufficiency.schemas.fields import Word
from sufficiency.schemas.words import PluginKind


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
                    "capabilities": {"tasks": ["classification"], "families": ["network"]},
                    "devices": ["cpu"],
                    "available": True,
                    "unavailable_reason": None,
                }
            ]
        },
    )

    kind: Word[PluginKind]
    name: str
    version: str
    summary: str
    params_schema: dict[str, Any] = Field(description="JSON Schema of the parameters")
    capabilities: dict[str, Any] = Field(
        description="`tasks` that it is for (classification, regression, multilabel, detection, any), or `tasks_by` "
        "the value of a parameter; `families` that a model is of or a training trains (network, lightning, "
        "estimator); an evaluation's `metrics` with direction and bounds"
    )
    devices: list[str]
    available: bool = Field(description="a live worker offers it")
    unavailable_reason: str | None = Field(None, description="why no live worker offers it, and what to do")
