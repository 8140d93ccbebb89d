"""Every setting of the service: the one place that reads the environment."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ByteSize, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of API, worker and command line, each read from ``SUFFICIENCY_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="SUFFICIENCY_", frozen=True)

    # Where the service keeps its truth, and where it hands out work
    database_url: str = Field("postgresql+psycopg://sufficiency@localhost/sufficiency", description="SQLAlchemy URL")
    redis_url: str = Field("redis://localhost:6379/0", description="Celery broker; redis:// or redis+socket://")

    # The API
    host: str = Field("127.0.0.1", description="address to listen on; loopback unless told otherwise")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    url: str = Field("http://127.0.0.1:8000", description="the service that the client and the CLI talk to")
    max_cells: int = Field(10_000, ge=1, description="largest runs × steps of one job")
    max_body_bytes: int = Field(1_000_000, ge=1_000, description="largest request body")

    # What workers may read and run
    data_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="':'-separated directories; datasets are read only inside them"
    )
    plugins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="';'-separated plugins, each 'kind:name=module:attribute'"
    )
    slots: int | None = Field(None, ge=1, le=256, description="trainers of a worker; default one a core, or one a GPU")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="what a worker trains on")

    # Leases and limits (seconds)
    lease_seconds: float = Field(30.0, gt=0, description="a unit whose worker is silent for so long is taken back")
    heartbeat_seconds: float = Field(5.0, gt=0, description="how often a worker renews its leases")
    sweep_seconds: float = Field(2.0, gt=0, description="how often lost messages and expired leases are looked for")
    resend_seconds: float = Field(
        10.0, gt=0, description="a queued unit whose message the broker has lost is sent again after this"
    )
    max_attempts: int = Field(
        3, ge=1, description="deaths of trainer or worker in a row, without a new cell, that a unit may cost"
    )
    max_deaths: int = Field(
        10, ge=1, description="trainers that a job may kill in a row, without measuring a cell, before it fails"
    )
    cell_timeout_seconds: float = Field(86_400.0, gt=0, description="longest one cell may take")
    job_timeout_seconds: float | None = Field(None, gt=0, description="longest a job may run; default no limit")
    trainer_memory: ByteSize | None = Field(
        None, description="most memory of a trainer with what it starts, such as 8GiB; default no limit"
    )
    cancel_grace_seconds: float = Field(5.0, ge=0, description="how long a cancelled trainer may take to stop")

    # Webhooks
    webhook_addresses: Literal["public", "private", "loopback"] = Field(
        "private", description="whom webhooks may reach: public addresses, private networks too, or loopback too"
    )
    webhook_timeout_seconds: float = Field(10.0, gt=0, description="longest one attempt at a webhook may take")
    webhook_disable_days: float = Field(5.0, gt=0, description="an endpoint that only failed for so long is disabled")
    webhook_log_days: float = Field(30.0, gt=0, description="how long ended deliveries stay in the log")

    @field_validator("data_roots", mode="before")
    @classmethod
    def _split_roots(cls, value: object) -> object:
        return tuple(Path(p).resolve() for p in value.split(":") if p) if isinstance(value, str) else value

    @field_validator("plugins", mode="before")
    @classmethod
    def _split_plugins(cls, value: object) -> object:
        return tuple(p.strip() for p in value.split(";") if p.strip()) if isinstance(value, str) else value


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the process's settings, read once."""
    return Settings()
