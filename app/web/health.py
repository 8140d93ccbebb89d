"""Whether the process lives, whether it can serve, and its numbers."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db.engine import Database
from app.errors import ServiceError
from app.web.problem import RETRY_AFTER_SECONDS, documented

router = APIRouter(tags=["service"])


class Health(BaseModel):
    """All is well."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok"] = "ok"


class Missing(BaseModel):
    """Something that cannot be reached, and what does not go on without it."""

    what: Literal["broker"]
    detail: str


class Readiness(BaseModel):
    """Requests are answered; what else the service needs and lacks is named."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"status": "ok", "missing": []},
                {"status": "degraded", "missing": [{"what": "broker", "detail": "Redis cannot be reached: …"}]},
            ]
        }
    )

    status: Literal["ok", "degraded"]
    missing: list[Missing]


class Unready(ServiceError):
    """Something that requests need cannot be reached."""

    status = 503
    code = "not_ready"
    title = "Service unavailable"


@router.get("/livez")
async def livez() -> Health:
    """Say that the process lives; it looks at nothing else."""
    return Health()


@router.get("/readyz", responses=documented(503))
def readyz(request: Request) -> Readiness:
    """Say whether requests can be answered: whether the database can be used. Nothing else makes it unready.

    Without the broker, requests are answered, jobs are taken and workers go on with what waits; who is idle hears of
    new work later. So that is named, and no reason to send requests elsewhere.
    """
    if reason := _database_problem(request.app.state.database):
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        raise Unready(f"The database cannot be used: {reason}", headers=headers)
    reason = request.app.state.sweeper.broker_problem
    if reason is None:
        return Readiness(status="ok", missing=[])
    detail = f"Redis cannot be reached ({reason}): idle workers hear of new work once it is back."
    return Readiness(status="degraded", missing=[Missing(what="broker", detail=detail)])


def _database_problem(database: Database) -> str | None:
    try:
        with database.transaction() as session:
            if session.scalar(text("SELECT to_regclass('job') IS NULL")):
                return "it has no tables; run `sufficiency migrate`."
    except SQLAlchemyError as error:
        return f"{type(error).__name__}."
    return None


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"example": 'sufficiency_jobs{state="running"} 2.0\n'}}}},
)
def metrics(request: Request) -> Response:
    """Return the numbers that Prometheus scrapes."""
    return Response(generate_latest(request.app.state.metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})
