"""The door: which requests a browser, or the service itself, could be made to send, and must not get in."""

import ipaddress
from collections.abc import Callable, Collection
from functools import lru_cache
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.headers import guard
from app.web.limits import is_upload
from app.web.problem import problem_response

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# What a form of a foreign page can send without a browser asking first. (DELETE is always asked about first.)
WITH_CONTENT = frozenset({"POST", "PUT", "PATCH"})
# They say nothing that is worth a fence, and are asked by whatever name a balancer has for the process.
# No form can send it, no more than JSON.
OCTETS = "application/octet-stream"
UNFENCED = frozenset({"/livez", "/readyz"})
NAMES_KEPT = 64
SETTING = "SUFFICIENCY_ALLOWED_HOSTS"
# How the service's own webhooks say who they are, and how they are known at the door.
WEBHOOK_AGENT = "Sufficiency-Webhooks/"


def refusals(method: str) -> list[int]:
    """Return the statuses with which a request of this method is refused at the door, for the specification."""
    method = method.upper()
    return [421, *([] if method in SAFE else [403]), *([415] if method in WITH_CONTENT else [])]


class Names:
    """Under which the service is reached, besides this machine's loopback and plain addresses.

    Parameters
    ----------
    hosts : collection of str
        ``*.example.org`` stands for every name below, ``*`` for all.
    """

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        # What is asked under which name does not change; those who ask do so by a few.
        self.are_ours = lru_cache(NAMES_KEPT)(self._are_ours)

    def _are_ours(self, given: tuple[bytes, ...]) -> bool:
        """Return whether what a request says in ``Host``, each time that it does, is one name of the service's."""
        if len(given) != 1:
            return False
        host = _hostname(given[0].decode("latin-1"))
        if host is None:
            return False
        if host == "localhost" or host.endswith(".localhost") or _is_address(host):
            return True
        parents = host.split(".")[1:]
        return bool(
            self._hosts & {host, "*"} or any("*." + ".".join(parents[at:]) in self._hosts for at in range(len(parents)))
        )


class BrowserGuard:
    """Refuses what only another's page, a name turned round, or the service itself would send.

    Parameters
    ----------
    app : ASGIApp
        What is behind it.
    names : Names
        Under which the service is reached.
    methods : callable
        Which methods an address has: what it has not is refused for that, whatever is sent along.

    Notes
    -----
    A page of another origin cannot read answers, but it can send requests. And a name of the attacker's that first
    leads to the attacker and then to this machine makes the service part of the attacker's own origin. So: the name in
    ``Host`` must be one of the service's (no name can be turned round to an address, so an address needs no list); what
    changes something must come from the service's own page or from no page; and it must be declared as JSON, which no
    form can do. Programs send neither ``Origin`` nor ``Sec-Fetch-Site``, and notice nothing.
    """

    def __init__(self, app: ASGIApp, names: Names, methods: Callable[[str], Collection[str]]) -> None:
        self.app = app
        self.names = names
        self.methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = guard(list(message["headers"]))
            await send(message)

        refused = self._refusal(scope)
        await (refused or self.app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        names = tuple(value for name, value in scope["headers"] if name == b"host")
        is_ours = scope["path"] in UNFENCED or self.names.are_ours(names)
        if is_ours and scope["method"] in SAFE:
            return None
        request = Request(scope)
        headers = request.headers
        if not is_ours:
            detail = (
                f"This service does not answer to the host {headers.get('host', '')[:253]!r}. If it is reached by that "
                f"name, whoever runs it can say so with {SETTING}."
            )
            return problem_response(request, 421, "host_not_allowed", "Misdirected request", detail)
        if _is_foreign(headers):
            detail = (
                f"{request.method} from a page of another origin ({_shown_origin(headers)}) is refused: only the "
                "service's own page, and programs, may change something."
            )
            return problem_response(request, 403, "foreign_origin", "Forbidden", detail)
        if headers.get("user-agent", "").startswith(WEBHOOK_AGENT):
            detail = "A webhook may not call a Sufficiency service: register the address of a receiver of yours."
            return problem_response(request, 403, "webhook_to_service", "Forbidden", detail)
        taken = request.method in WITH_CONTENT and request.method in self.methods(request.url.path)
        kind = headers.get("content-type", "")
        if taken and is_upload(request.scope):
            if kind.partition(";")[0].strip().lower() == OCTETS:
                return None
            detail = f"Send the file as it is, with the header Content-Type: {OCTETS}."
            return problem_response(request, 415, "unsupported_media_type", "Unsupported Media Type", detail)
        if taken and not _is_json(kind):
            detail = "Send the body as JSON, with the header Content-Type: application/json; also where there is none."
            return problem_response(request, 415, "unsupported_media_type", "Unsupported Media Type", detail)
        return None


def _hostname(authority: str) -> str | None:
    """Return the name in ``name:port``, without the dot that ends a name from the root."""
    try:
        parts = urlsplit(f"//{authority}")
        parts.port  # noqa: B018 (one that is none raises)
    except ValueError:
        return None
    if parts.path or parts.query or parts.fragment or parts.username is not None or not parts.hostname:
        return None
    return parts.hostname.removesuffix(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_foreign(headers: Headers) -> bool:
    """Return whether a page of another origin sends this.

    No page can forge either header. ``Sec-Fetch-Site`` knows the page's own view, also where a proxy has rewritten
    ``Host``; browsers send it where the connection is safe. Else ``Origin`` must be what was asked for.
    """
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return False
    scheme, _, authority = origin.partition("://")
    return not authority or _with_port(authority, scheme) != _with_port(headers.get("host", ""), scheme)


def _with_port(authority: str, scheme: str) -> tuple[str | None, int | None]:
    try:
        port = urlsplit(f"//{authority}").port
    except ValueError:
        return None, None
    return _hostname(authority), port or {"http": 80, "https": 443}.get(scheme)


def _shown_origin(headers: Headers) -> str:
    return ascii(headers.get("origin", headers.get("sec-fetch-site", "")))[:300]


def _is_json(content_type: str) -> bool:
    main, _, sub = content_type.partition(";")[0].strip().lower().partition("/")
    return main == "application" and (sub == "json" or sub.endswith("+json"))
