"""What can go wrong between a client and the service; every error says what to do."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sufficiency.schemas.problems import BadField


class ClientError(Exception):
    """What every error of the client is."""


class BadUrl(ClientError, ValueError):
    """The address of the service is none."""


class BadKey(ClientError, ValueError):
    """What should be a key, or the name of a project, is none."""


class Unsendable(ClientError, ValueError):
    """What should be sent has a value that JSON has no form for."""


class ServiceUnreachable(ClientError):
    """No answer came from the address.

    Attributes
    ----------
    url : str
        The service that was asked.
    reason : str
        What the connection said.
    """

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"no answer from {url} ({reason}): start the service with `sufficiency standalone`, "
            "or name another with --url or SUFFICIENCY_URL"
        )
        self.url = url
        self.reason = reason


class ApiError(ClientError):
    """The API said no; the problem (RFC 9457) says why.

    Attributes
    ----------
    status : int
        HTTP status.
    code : str
        Stable name of the problem, or "" when the answer was not a problem document.
    title, detail : str
        What is wrong, in general and this time.
    errors : list of dict
        Bad fields: `pointer` (JSON pointer into the request) and `detail`.
    request : str
        Method and URL.
    problem : dict
        The whole problem document.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], request: str) -> None:
        self.status = status
        self.problem = dict(problem)
        self.code = str(problem.get("code") or "")
        self.title = str(problem.get("title") or f"HTTP {status}")
        self.detail = str(problem.get("detail") or "")
        self.errors: list[BadField] = [
            {"pointer": str(e.get("pointer", "")), "detail": str(e.get("detail", ""))}
            for e in problem.get("errors") or []
            if isinstance(e, Mapping)
        ]
        self.request = request
        fields = "; ".join(f"{e['pointer']}: {e['detail']}" for e in self.errors)
        super().__init__(": ".join(part for part in (self.title, self.detail, fields) if part))


class UnknownShape(ClientError):
    """An answer is not of the shape that this version of the client knows; its JSON is in the `Reply` all the same."""


class WaitTimeout(ClientError):
    """What was waited for has not happened in the time given; it still goes on."""
