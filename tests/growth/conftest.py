"""The running API with the body limit that it is shipped with, on a database of the module's own."""

from collections.abc import Iterator

import pytest

from app.settings import Settings
from tests.support.servers import Servers, new_database
from tests.support.service import Service, running


@pytest.fixture(scope="module")
def standing(servers: Servers) -> Iterator[Service]:
    """The running API for tests that leave behind no more than jobs and registrations."""
    limits = {"max_body_bytes": Settings().max_body_bytes, "max_cells": Settings().max_cells}
    with new_database(servers) as url, running(url, servers.redis_url, **limits) as service:
        yield service
