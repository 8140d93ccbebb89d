"""The application on a free port with a completed job, and a server of scripted answers."""

from tests.cli.conftest import nobody, patience, script, sufficiency
from tests.platform.conftest import HandWorker, client, job, measured, settings, url, worker

__all__ = [
    "HandWorker",
    "client",
    "job",
    "measured",
    "nobody",
    "patience",
    "script",
    "settings",
    "sufficiency",
    "url",
    "worker",
]
