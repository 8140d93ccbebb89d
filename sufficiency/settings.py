"""What a client and a trainer read from the environment; `app.settings` adds what the service needs."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sufficiency.schemas.words import DEFAULT_URL


class Settings(BaseSettings):
    """Settings of client, command line and trainers, each read from ``SUFFICIENCY_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="SUFFICIENCY_", frozen=True)

    url: str = Field(DEFAULT_URL, description="the service that the client and the CLI talk to")
    data_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="':'-separated directories; datasets are read only inside them"
    )
    plugins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="';'-separated plugins, each 'kind:name=module:attribute'"
    )

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
