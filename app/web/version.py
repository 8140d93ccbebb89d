"""Which version of the service answers."""

from importlib.metadata import version

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

API = "1"  # the version of the face, which the package's own outruns

router = APIRouter(tags=["service"])


class Version(BaseModel):
    """What answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": "0.2.0", "api": "1"}]})

    version: str = Field(
        default_factory=lambda: version("sufficiency"),
        description="of the package, as `sufficiency --version` prints it",
    )
    api: str = Field(API, description="of this API, as `/openapi.json` has it")


@router.get("/version")
async def get_version() -> Version:
    """Return the version of the service and of its API."""
    return Version()
