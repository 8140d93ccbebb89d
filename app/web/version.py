"""Which version of the service answers."""

from functools import lru_cache
from importlib.metadata import version

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from sufficiency.method.methods import METHOD_VERSIONS

API = "1"  # the version of the face, which the package's own outruns

router = APIRouter(tags=["service"])


class Version(BaseModel):
    """What answers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": "0.2.0",
                    "api": "1",
                    "methods": {"calibrated": 1, "power_law": 1},
                    "schema_revision": "0016",
                }
            ]
        }
    )

    version: str = Field(description="of the package, as `sufficiency --version` prints it")
    api: str = Field(description="of this API, as `/openapi.json` has it")
    methods: dict[str, int] = Field(description="of each method of fitting; a fit of another version is made anew")
    schema_revision: str = Field(description="of the database, as this version needs it")


@router.get("/version")
def get_version() -> Version:
    """Return the version of the service, of its API, of its methods, and of the database that it needs."""
    return Version(
        version=version("sufficiency"), api=API, methods=dict(METHOD_VERSIONS), schema_revision=_schema_revision()
    )


@lru_cache(maxsize=1)
def _schema_revision() -> str:
    from app.db.migrate import newest_revision  # it loads what only a migration needs

    return newest_revision()
