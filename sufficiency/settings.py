"""What a client and a trainer read from the environment; `app.settings` adds what the service needs."""

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sufficiency.schemas.words import DEFAULT_URL

PREFIX = "SUFFICIENCY_"
SEPARATORS = {"data_roots": ":", "plugins": ";", "plugin_path": ":", "allowed_hosts": ","}


class Settings(BaseSettings):
    """Settings of client, command line and trainers, each read from ``SUFFICIENCY_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    url: str = Field(DEFAULT_URL, description="the service that the client and the CLI talk to")
    # Of the client alone: no process that the service starts is given it
    api_key: SecretStr | None = Field(None, exclude=True, description="the key with which client and CLI ask")
    project: str | None = Field(
        None, exclude=True, description="the project that client and CLI ask about; default the key's"
    )
    data_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="':'-separated directories; datasets are read only inside them"
    )
    plugins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="';'-separated plugins, each 'kind:name=module:attribute'"
    )
    plugin_path: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="':'-separated directories with plugins' modules; commands of the service add PYTHONPATH's"
    )

    @field_validator("data_roots", "plugin_path", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        return tuple(Path(p).resolve() for p in value.split(":") if p) if isinstance(value, str) else value

    @field_validator("plugins", mode="before")
    @classmethod
    def _split_plugins(cls, value: object) -> object:
        return tuple(p.strip() for p in value.split(";") if p.strip()) if isinstance(value, str) else value

    def environment(self, names: Iterable[str] | None = None) -> dict[str, str]:
        """Return the environment variables from which another process reads these same settings.

        Parameters
        ----------
        names : iterable of str, optional
            Only these settings; default all.
        """
        variables = {}
        for name, value in self.model_dump(include=None if names is None else set(names)).items():
            if value is not None:
                text = SEPARATORS[name].join(map(str, value)) if name in SEPARATORS else str(value)
                variables[PREFIX + name.upper()] = text
        return variables


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the process's settings, read once."""
    return Settings()


def default_data_dir() -> Path:
    """Return where a standalone keeps its data unless told otherwise."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "sufficiency"
