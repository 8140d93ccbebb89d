"""What each operation takes of who asks for it. What is named nowhere here is let in by its method alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from fastapi import APIRouter
from fastapi.routing import APIRoute
from fastapi.sse import EventSourceResponse

from sufficiency.schemas.words import Scope


@dataclass(frozen=True)
class Need:
    """What a caller must have.

    Attributes
    ----------
    scope : Scope
    service : bool
        For all projects, not in one of them: it is about the service itself.
    """

    scope: Scope
    service: bool = False


PATHS_KEPT = 256
READS = frozenset({"GET", "HEAD", "OPTIONS"})

# Nothing in them is anybody's: whether it lives, what it is, the files of the page, and signing in there.
PUBLIC = frozenset({"livez", "readyz", "get_version", "openapi", "start", "docs", "static_file"}) | {
    *("get_session", "sign_in", "sign_out", "look_at_project", "go_to_provider", "come_from_provider")
}
NEEDS: dict[str, Need] = {
    # The sums over all projects
    "metrics": Need("read", service=True),
    "list_keys": Need("admin"),
    "create_key": Need("admin"),
    "rotate_key": Need("admin"),
    "revoke_key": Need("admin"),
    "list_members": Need("admin"),
    "put_member": Need("admin"),
    "remove_member": Need("admin"),
    "create_project": Need("admin", service=True),
    "change_project": Need("admin", service=True),
    "delete_project": Need("admin", service=True),
    "list_audit": Need("admin"),
}


@dataclass(frozen=True)
class Operation:
    """What a request asks for.

    Attributes
    ----------
    name : str
    route : APIRoute or None
        Where it is; None where nothing is.
    streams : bool
        The answer does not end by itself.
    """

    name: str
    route: APIRoute | None = None
    streams: bool = False


def need_of(operation: str | None, method: str) -> Need | None:
    """Return what an operation takes, or None where anybody may ask."""
    if operation in PUBLIC:
        return None
    return NEEDS.get(operation or "") or Need("read" if method in READS else "write")


class Operations:
    """Which operation a request asks for, found before its body is read.

    Parameters
    ----------
    routers : iterable of APIRouter
        In the order in which the application has them.
    """

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        self._routes: dict[str, list[tuple[APIRoute, Operation]]] = {}
        # A request is looked for three times on its way, and whoever waits for a job asks for the same again and again.
        self._at = lru_cache(PATHS_KEPT)(self._matching)
        for router in routers:
            for route in router.routes:
                if isinstance(route, APIRoute):
                    operation = Operation(route.name, route, _streams(route))
                    self._routes.setdefault(_first(route.path), []).append((route, operation))

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        """Yield method, path and name of every operation, those that the specification does not show too."""
        yield "GET", "/openapi.json", "openapi"
        for routes in self._routes.values():
            for route, operation in routes:
                yield min(route.methods or ()), route.path, operation.name

    def find(self, method: str, path: str) -> Operation | None:
        """Return the operation, or None where there is none."""
        method = "GET" if method == "HEAD" else method
        if path == "/openapi.json":
            return Operation("openapi")
        return next((operation for route, operation in self._at(path) if method in (route.methods or ())), None)

    def methods(self, path: str) -> list[str]:
        """Return the methods that an address has, HEAD and OPTIONS among them; none where nothing is there."""
        if path == "/openapi.json":
            return ["GET", "HEAD", "OPTIONS"]
        found = {method for route, _ in self._at(path) for method in route.methods or ()}
        if "GET" in found:
            found.add("HEAD")
        return sorted(found | {"OPTIONS"}) if found else []

    def _matching(self, path: str) -> tuple[tuple[APIRoute, Operation], ...]:
        """Return what there is at an address, in order."""
        return tuple(one for one in self._routes.get(_first(path), ()) if one[0].path_regex.match(path))


def _streams(route: APIRoute) -> bool:
    kind = route.response_class
    return isinstance(kind, type) and issubclass(kind, EventSourceResponse)


def _first(path: str) -> str:
    return path.split("/", 2)[1] if path.startswith("/") else ""
