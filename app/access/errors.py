"""Why somebody is not let in, or may not do what is asked."""

from collections.abc import Mapping

from app.errors import ServiceError


class Unauthenticated(ServiceError):
    """Nobody knows who asks."""

    status = 401
    code = "unauthenticated"
    title = "Who asks is not known"

    def __init__(self, detail: str, *, code: str | None = None, error: str | None = None) -> None:
        challenge = 'Bearer realm="sufficiency"' + (f', error="{error}"' if error else "")
        headers: Mapping[str, str] = {"WWW-Authenticate": challenge}
        super().__init__(detail, code=code, headers=headers)


class Forbidden(ServiceError):
    """Who asks is known, and may not do that."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class IssuerAway(ServiceError):
    """The identity provider does not answer, and its keys are not known."""

    status = 503
    code = "issuer_unavailable"
    title = "Service unavailable"


class BadIssuer(Exception):
    """The address of the identity provider is none that can be trusted."""
