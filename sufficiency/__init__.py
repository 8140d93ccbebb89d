"""Will more labelled data help? The names that a user imports; each is loaded when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING

from sufficiency.extras import needs

if TYPE_CHECKING:
    from sufficiency.client.client import Client
    from sufficiency.client.errors import (
        ApiError,
        BadUrl,
        ClientError,
        ServiceUnreachable,
        UnknownShape,
        WaitTimeout,
    )
    from sufficiency.client.events import JobEvent
    from sufficiency.client.frames import Rows
    from sufficiency.client.job import Job
    from sufficiency.client.replies import Reply
    from sufficiency.data.paths import resolve_inside
    from sufficiency.plugins.estimators import EstimatorModel
    from sufficiency.schemas.spec import JobSpec, MetricSpec, PluginRef

    __version__: str

_HOMES = {
    "ApiError": "client.errors",
    "BadUrl": "client.errors",
    "Client": "client.client",
    "ClientError": "client.errors",
    "EstimatorModel": "plugins.estimators",
    "Job": "client.job",
    "JobEvent": "client.events",
    "JobSpec": "schemas.spec",
    "MetricSpec": "schemas.spec",
    "PluginRef": "schemas.spec",
    "Reply": "client.replies",
    "Rows": "client.frames",
    "ServiceUnreachable": "client.errors",
    "UnknownShape": "client.errors",
    "WaitTimeout": "client.errors",
    "resolve_inside": "data.paths",
}

__all__ = [
    "ApiError",
    "BadUrl",
    "Client",
    "ClientError",
    "EstimatorModel",
    "Job",
    "JobEvent",
    "JobSpec",
    "MetricSpec",
    "PluginRef",
    "Reply",
    "Rows",
    "ServiceUnreachable",
    "UnknownShape",
    "WaitTimeout",
    "__version__",
    "resolve_inside",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("sufficiency")
    elif name in _HOMES:
        home = _HOMES[name]
        with needs("worker" if home.startswith("plugins.") else "local"):
            value = getattr(import_module(f"{__name__}.{home}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
