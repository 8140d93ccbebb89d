"""The shape of what goes wrong."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from sufficiency.schemas.limits import ERRORS


class BadField(TypedDict):
    """One bad field of a request."""

    pointer: Annotated[str, Field(description="JSON pointer into the body, or the name of a parameter")]
    detail: str


class ProblemDetails(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="stable name of the problem as a URI")
    title: str
    status: int
    detail: str = Field(description="what is wrong this time, and what to do about it")
    instance: str = Field(description="path of the request")
    code: str = Field(description="stable name of the problem")
    errors: list[BadField] = Field(
        default_factory=list, max_length=ERRORS, description="bad fields, where it is about fields; the first of them"
    )
    errors_total: int | None = Field(None, description="how many bad fields there are, where not all are listed")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:sufficiency:problem:invalid_job",
                    "title": "The request is not valid",
                    "status": 422,
                    "detail": "#/model/name: No model plugin is called 'tutorial-cn'; nearest: tutorial-cnn.",
                    "instance": "/jobs",
                    "code": "invalid_job",
                    "errors": [
                        {
                            "pointer": "#/model/name",
                            "detail": "No model plugin is called 'tutorial-cn'; nearest: tutorial-cnn.",
                        }
                    ],
                }
            ]
        }
    )
