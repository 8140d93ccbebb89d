"""Whether the process lives, whether it can serve, and its numbers."""

from typing import Literal

from celery import Celery
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db.engine import Database
from app.errors import ServiceError
from app.web.problem import RETRY_AFTER_SECONDS, documented

router = APIRouter(tags=["service"])

BROKER_TIMEOUT_SECONDS = 2


class Health(BaseModel):
    """All is well."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok"] = "ok"


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
def readyz(request: Request) -> Health:
    """Say whether database and broker can be reached."""
    problems = []
    if reason := _database_problem(request.app.state.database):
        problems.append(f"The database cannot be used: {reason}")
    if reason := _broker_problem(request.app.state.celery):
        problems.append(f"The broker cannot be reached: {reason}")
    if problems:
        raise Unready(" ".join(problems), headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    return Health()


def _database_problem(database: Database) -> str | None:
    try:
        with database.transaction() as session:
            if session.scalar(text("SELECT to_regclass('job') IS NULL")):
                return "it has no tables; run `sufficiency migrate`."
    except SQLAlchemyError as error:
        return f"{type(error).__name__}."
    return None


def _broker_problem(celery: Celery) -> str | None:
    try:
        with celery.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_TIMEOUT_SECONDS)
            connection.default_channel.client.ping()
    except Exception as error:  # whatever the transport raises
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
