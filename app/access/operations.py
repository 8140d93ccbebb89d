"""What each operation takes of who asks for it. What is named nowhere here is let in by its method alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.routing import APIRoute

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


READS = frozenset({"GET", "HEAD", "OPTIONS"})

# Nothing in them is anybody's: whether it lives, what it is, and the files of the page, which is where one signs in.
PUBLIC = frozenset({"livez", "readyz", "get_version", "openapi", "start", "docs", "static_file"})
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
    "delete_project": Need("admin", service=True),
    "list_audit": Need("admin"),
}


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
        self._routes: dict[str, list[APIRoute]] = {}
        for router in routers:
            for route in router.routes:
                if isinstance(route, APIRoute):
                    self._routes.setdefault(_first(route.path), []).append(route)

    def find(self, method: str, path: str) -> str | None:
        """Return the name of the operation, or None where there is none."""
        method = "GET" if method == "HEAD" else method
        if path == "/openapi.json":
            return "openapi"
        return next(
            (
                route.name
                for route in self._of(path)
                if method in (route.methods or ()) and route.path_regex.match(path)
            ),
            None,
        )

    def _of(self, path: str) -> Sequence[APIRoute]:
        return self._routes.get(_first(path), ())


def _first(path: str) -> str:
    return path.split("/", 2)[1] if path.startswith("/") else ""
