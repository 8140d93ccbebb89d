"""Every setting of the service, those of client and trainers among them."""

import os
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import ByteSize, Field, field_validator, model_validator
from pydantic_settings import NoDecode

import sufficiency.settings
from app.errors import nearest
from sufficiency.schemas.words import DeviceChoice
from sufficiency.settings import PREFIX

Access = Literal["open", "keys", "proxy"]
ProxyRole = Literal["none", "read", "write", "admin"]
# A name, all names below one, or all names
HOST = re.compile(r"\*|(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*")
# What a worker takes beside its trainers, and what a trainer takes before it trains
WORKERS_OWN_MEMORY, LEAST_TRAINER_MEMORY = 512 * 2**20, 256 * 2**20
WebhookAddresses = Literal["public", "private", "loopback"]


class Settings(sufficiency.settings.Settings):
    """Settings of API, worker and command line, each read from ``SUFFICIENCY_<NAME>``."""

    # Where the service keeps its truth, and where it hands out work
    database_url: str = Field("postgresql+psycopg://sufficiency@localhost/sufficiency", description="SQLAlchemy URL")
    database_password_file: Path | None = Field(
        None, description="file with the password that belongs into the URL, such as a mounted secret"
    )
    redis_url: str = Field("redis://localhost:6379/0", description="Celery broker; redis:// or redis+socket://")

    # The API
    host: str = Field("127.0.0.1", description="address to listen on; loopback unless told otherwise")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="','-separated names under which the service is reached, besides addresses and localhost; `*.name` "
        "for all below a name",
    )
    max_cells: int = Field(10_000, ge=1, description="largest runs × steps of one job")
    upload_dir: Path | None = Field(
        None, description="folder inside a data root for files that are sent; a standalone's own, else none are taken"
    )
    upload_bytes: ByteSize = Field(ByteSize(2_000_000_000), ge=1, description="largest file that may be sent")
    max_body_bytes: int = Field(1_000_000, ge=1_000, description="largest request body")

    # Who may do what
    access: Access = Field(
        "open",
        description="who is let in: on loopback everybody (open); keys and tokens (keys); whom a proxy names too",
    )
    bootstrap_key_file: Path | None = Field(
        None, description="file with a key of the service, by which the first keys are made"
    )
    proxy_user_header: str = Field(
        "X-Forwarded-User", description="with access=proxy: the header in which the proxy names the person"
    )
    proxy_addresses: str = Field(
        "127.0.0.1/32,::1/128", description="','-separated networks from which the proxy asks; nobody else may name"
    )
    proxy_role: ProxyRole = Field(
        "none", description="what whoever the proxy names may do in project default without being a member of it"
    )
    oidc_issuer: str | None = Field(None, description="identity provider (OpenID Connect) whose tokens are taken")
    oidc_audience: str | None = Field(None, description="for whom its tokens must be; default the client id")
    oidc_client_id: str | None = Field(None, description="as which the page signs people in; default: with keys only")
    oidc_client_secret_file: Path | None = Field(None, description="file with the client's secret, if it has one")
    oidc_subject_claim: str = Field("sub", description="claim by which members are known")
    oidc_projects_claim: str = Field(
        "sufficiency_projects",
        description="claim with what somebody may do, a list of project:scope; * for all projects",
    )
    public_url: str | None = Field(
        None, description="address under which browsers reach the service, for signing in; default the one asked for"
    )
    rate_limit: int | None = Field(
        1200, ge=1, description="requests a minute of one key or person to one API process; without keys no limit"
    )

    # Workers
    slots: int | None = Field(None, ge=1, le=256, description="trainers of a worker; default one a core, or one a GPU")
    device: DeviceChoice = Field("auto", description="what a worker trains on")
    trainer_python: Path | None = Field(
        None, description="Python of trainers, if it is another environment's, with this version of sufficiency"
    )

    trainer_user: str | None = Field(
        None, description="whom trainers run as, where root starts the worker; default as the worker"
    )

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
    dataset_timeout_seconds: float = Field(7_200.0, gt=0, description="longest the reading of a new dataset may take")
    schedule_timeout_seconds: float = Field(300.0, gt=0, description="longest a schedule plugin may take")
    job_timeout_seconds: float | None = Field(None, gt=0, description="longest a job may run; default no limit")
    trainer_idle_seconds: float = Field(
        300.0, ge=0, description="a trainer that nothing was asked of for so long ends; 0 keeps one warm in every slot"
    )
    trainer_memory: ByteSize | None = Field(
        None, description="most memory of a trainer with what it starts, such as 8GiB; default no limit"
    )
    worker_memory: ByteSize | None = Field(
        None,
        description="memory of a worker's container: without a trainer_memory each of its slots' trainers may take its "
        "share of what the worker itself leaves",
    )
    job_log_bytes: ByteSize = Field(
        ByteSize(1_000_000), ge=10_000, description="how much of what plugins write is kept of a job, the newest"
    )
    cancel_grace_seconds: float = Field(5.0, ge=0, description="how long a cancelled trainer may take to stop")

    # Webhooks
    webhook_addresses: WebhookAddresses = Field(
        "private", description="whom webhooks may reach: public addresses, private networks too, or loopback too"
    )
    webhook_timeout_seconds: float = Field(10.0, gt=0, description="longest one attempt at a webhook may take")
    webhook_disable_days: float = Field(5.0, gt=0, description="an endpoint that only failed for so long is disabled")
    webhook_log_days: float = Field(30.0, gt=0, description="how long ended deliveries stay in the log")

    @field_validator("proxy_addresses")
    @classmethod
    def _be_networks(cls, value: str) -> str:
        return ",".join(str(ip_network(text.strip())) for text in value.split(",") if text.strip())

    @model_validator(mode="before")
    @classmethod
    def _read_password(cls, given: dict[str, Any]) -> dict[str, Any]:
        file = given.get("database_password_file")
        if not file:
            return given
        from sqlalchemy.engine import make_url

        try:
            password = Path(file).read_text().strip()
        except (OSError, UnicodeError) as error:
            raise ValueError(f"SUFFICIENCY_DATABASE_PASSWORD_FILE: {file} cannot be read ({error})") from None
        url = make_url(given.get("database_url") or cls.model_fields["database_url"].default)
        return {**given, "database_url": url.set(password=password).render_as_string(hide_password=False)}

    @model_validator(mode="after")
    def _share_memory(self) -> Self:
        if self.worker_memory is None or self.trainer_memory is not None:
            return self
        if self.slots is None:
            raise ValueError("SUFFICIENCY_WORKER_MEMORY is shared by slots: say how many, with SUFFICIENCY_SLOTS")
        share = (self.worker_memory - WORKERS_OWN_MEMORY) // self.slots
        if share < LEAST_TRAINER_MEMORY:
            least = WORKERS_OWN_MEMORY + self.slots * LEAST_TRAINER_MEMORY
            raise ValueError(f"SUFFICIENCY_WORKER_MEMORY must be at least {least} bytes for {self.slots} slots")
        object.__setattr__(self, "trainer_memory", ByteSize(share))
        return self

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        return tuple(host.strip() for host in value.split(",") if host.strip()) if isinstance(value, str) else value

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not HOST.fullmatch(host):
                raise ValueError(f"{host!r} is no name of a host: write one like sufficiency.example.org, without port")
        return value

    @field_validator("trainer_python")
    @classmethod
    def _make_absolute(cls, value: Path | None) -> Path | None:
        # Not resolved: an environment's interpreter is a link, and is known by its place.
        return None if value is None else value.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str) -> str:
        if value == cls.model_fields["database_url"].default:
            return value  # without the third of a supervisor's memory that it takes to find nothing wrong with it
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        right = "write it like postgresql+psycopg://user:password@host:5432/database"
        try:
            url = make_url(value)
        except (ArgumentError, ValueError):
            raise ValueError(f"is no URL of a database; {right}") from None
        if url.drivername != "postgresql+psycopg":
            raise ValueError(f"begins with {url.drivername}://, and the service needs PostgreSQL by psycopg; {right}")
        return value

    @field_validator("redis_url")
    @classmethod
    def _check_broker(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("redis", "rediss", "redis+socket"):
            raise ValueError(
                "is no URL of a broker; write it like redis://host:6379/0 or redis+socket:///path/to/socket"
            )
        return value


# Read elsewhere than here, by clients
OTHERS = frozenset({"SUFFICIENCY_API_KEY", "SUFFICIENCY_PROJECT"})


class UnknownSetting(ValueError):
    """The environment sets something that is no setting: what was meant would not be so."""

    def __init__(self, wrong: Sequence[str]) -> None:
        super().__init__("; ".join(wrong))
        self.wrong = wrong


def refuse_unknown(environment: Iterable[str]) -> None:
    """Refuse variables that look like settings and are none.

    Raises
    ------
    UnknownSetting
        With each of them, and what may have been meant.
    """
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | OTHERS
    wrong = sorted(name for name in environment if name.startswith(PREFIX) and name.upper() not in known)
    if wrong:
        raise UnknownSetting([f"{name} is no setting; {nearest(name, sorted(known))}" for name in wrong])


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the process's settings, read once.

    Raises
    ------
    UnknownSetting
        When the environment has one that is misspelt.
    """
    refuse_unknown(os.environ)
    return Settings()
