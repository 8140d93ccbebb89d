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
    from sufficiency.schemas.estimate import Measured
    from sufficiency.schemas.spec import JobSpec, MetricSpec, PluginRef
    from sufficiency.study.errors import Interrupted, InvalidStudy, StudyError, StudyFailed
    from sufficiency.study.fitting import fit
    from sufficiency.study.result import StudyResult, load
    from sufficiency.study.running import run

    __version__: str

_HOMES = {
    "ApiError": "client.errors",
    "BadUrl": "client.errors",
    "Client": "client.client",
    "ClientError": "client.errors",
    "EstimatorModel": "plugins.estimators",
    "Interrupted": "study.errors",
    "InvalidStudy": "study.errors",
    "Job": "client.job",
    "JobEvent": "client.events",
    "JobSpec": "schemas.spec",
    "Measured": "schemas.estimate",
    "MetricSpec": "schemas.spec",
    "PluginRef": "schemas.spec",
    "Reply": "client.replies",
    "Rows": "client.frames",
    "ServiceUnreachable": "client.errors",
    "StudyError": "study.errors",
    "StudyFailed": "study.errors",
    "StudyResult": "study.result",
    "UnknownShape": "client.errors",
    "WaitTimeout": "client.errors",
    "fit": "study.fitting",
    "load": "study.result",
    "resolve_inside": "data.paths",
    "run": "study.running",
}

# What a name takes beside the base installation, where that is more than the method.
_EXTRAS = {"plugins.estimators": "study", "study.running": "study"}

__all__ = [
    "ApiError",
    "BadUrl",
    "Client",
    "ClientError",
    "EstimatorModel",
    "Interrupted",
    "InvalidStudy",
    "Job",
    "JobEvent",
    "JobSpec",
    "Measured",
    "MetricSpec",
    "PluginRef",
    "Reply",
    "Rows",
    "ServiceUnreachable",
    "StudyError",
    "StudyFailed",
    "StudyResult",
    "UnknownShape",
    "WaitTimeout",
    "__version__",
    "fit",
    "load",
    "resolve_inside",
    "run",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("sufficiency")
    elif name in _HOMES:
        home = _HOMES[name]
        with needs(_EXTRAS.get(home, "local")):
            value = getattr(import_module(f"{__name__}.{home}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
