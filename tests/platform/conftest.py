"""The application on a free port with a completed job, as the client's own tests have it."""

import pytest

from sufficiency import Client, Job
from tests.cli.conftest import nobody, patience, script, sufficiency
from tests.cli.test_against_the_api import HandWorker, client, measured, settings, url, worker

__all__ = [
    "HandWorker",
    "client",
    "measured",
    "nobody",
    "patience",
    "script",
    "settings",
    "sufficiency",
    "url",
    "worker",
]


@pytest.fixture
def job(client: Client, measured: str) -> Job:
    """The completed job."""
    return client.job(measured)
