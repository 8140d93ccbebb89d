"""What plugins write while they work for a job."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sufficiency.schemas.fields import Timestamp

_PIECE: dict[str, Any] = {
    "seq": 7,
    "at": "2026-11-23T12:00:00Z",
    "attempt": 1,
    "run": 0,
    "step": 9,
    "text": "epoch 3: loss 0.21\nepoch 4: loss 0.19",
}


class OutputPiece(BaseModel):
    """Some lines that were written one after the other at one place."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PIECE]})

    seq: int = Field(description="its number in the job's output")
    at: Timestamp = Field(description="when it was recorded")
    attempt: int = Field(description="which try at the unit")
    run: int | None = Field(description="of the cell; null before the first one")
    step: int | None = Field(description="of the cell; null before the first one")
    text: str = Field(description="lines, without control characters")


class JobOutput(BaseModel):
    """The end of what a job's plugins wrote."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_PIECE], "last_id": 7, "bytes_before": 10_240}]}
    )

    items: list[OutputPiece]
    last_id: int = Field(description="`Last-Event-ID` with which a stream goes on behind it")
    bytes_before: int = Field(description="what was written before and is not in this answer; old output is dropped")
