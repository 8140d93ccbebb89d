"""A service with keys, in which two projects live side by side."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

from app.access.keys import new_secret
from tests.support.servers import Servers, new_database
from tests.support.service import Service, running

Ask = Callable[..., Response]


def bearer(key: str, project: str | None = None) -> dict[str, str]:
    """Return the headers of who asks with a key."""
    return {"Authorization": f"Bearer {key}", **({"Sufficiency-Project": project} if project else {})}


class Guarded:
    """A service with keys.

    Parameters
    ----------
    service : Service
        Its client sends the bootstrap key, unless told otherwise.
    bootstrap : str
        That key.
    """

    def __init__(self, service: Service, bootstrap: str) -> None:
        self.service = service
        self.bootstrap = bootstrap

    def ask(self, key: str | None, method: str, address: str, project: str | None = None, **more: Any) -> Response:
        """Send a request with a key, or with none."""
        client = self.service.client
        held = client.headers.pop("authorization")
        try:
            headers = {**(bearer(key, project) if key else {}), **more.pop("headers", {})}
            return client.request(method, address, headers=headers, **more)
        finally:
            client.headers["authorization"] = held

    def key(self, scope: str = "read", project: str | None = None, **more: Any) -> dict[str, Any]:
        """Make a key of a project; `service=True` makes one of the service."""
        made = self.ask(self.bootstrap, "POST", "/keys", project, json={"name": scope, "scope": scope, **more})
        assert made.status_code == 201, made.text
        key: dict[str, Any] = made.json()
        return key

    def project(self, name: str) -> str:
        """Make a project."""
        made = self.ask(self.bootstrap, "POST", "/projects", json={"name": name})
        assert made.status_code == 201, made.text
        return name


def guard(url: str, redis_url: str, folder: Path, **changes: Any) -> Iterator[Guarded]:
    """Run a service that asks for keys."""
    bootstrap = new_secret()
    file = folder / "bootstrap-key"
    file.write_text(bootstrap + "\n")
    settings = {"access": "keys", "bootstrap_key_file": file, **changes}
    with running(url, redis_url, headers=bearer(bootstrap), **settings) as service:
        yield Guarded(service, bootstrap)


@pytest.fixture
def guarded(fresh_database: str, redis_url: str, tmp_path: Path) -> Iterator[Guarded]:
    """A service with keys, on a database of the test's own."""
    yield from guard(fresh_database, redis_url, tmp_path)


@pytest.fixture(scope="module")
def shared(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A service with keys and a project `other`, for tests that get along in one database."""
    with new_database(servers) as url:
        for one in guard(url, servers.redis_url, tmp_path_factory.mktemp("access")):
            one.project("other")
            yield one
