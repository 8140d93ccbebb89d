"""How requests are made: what may be repeated is, problems become errors, pages are followed."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, urlsplit

from sufficiency.client.bodies import encoded
from sufficiency.client.errors import ApiError, BadUrl, ServiceUnreachable
from sufficiency.pauses import doubling, retry_after

if TYPE_CHECKING:
    import httpx

RETRIES = 3
LONGEST_RETRY_AFTER = 30.0


class Connection:
    """Requests to one service.

    Parameters
    ----------
    url : str
        The service.
    timeout : float
        Seconds for one answer.
    transport : httpx.BaseTransport, optional
        Where requests go; default the network.
    headers : mapping from str to str, optional
        Sent with every request: who asks.

    Raises
    ------
    BadUrl
    """

    def __init__(
        self,
        url: str,
        timeout: float,
        transport: "httpx.BaseTransport | None",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._transport = transport
        # What changes something says so without a body too.
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        # What is made of each answer before anybody sees it; the command line writes control characters out.
        self.read: Callable[[Any], Any] = lambda answer: answer
        self._opened: httpx.Client | None = None
        self._opening = Lock()
        try:
            address = urlsplit(self.url)
            if address.scheme not in ("http", "https") or not address.hostname:
                raise ValueError("it must begin with http:// or https:// and name a host")
            address.port  # noqa: B018 (one that is none raises)
        except ValueError as error:
            raise self._bad_url(error) from error
        # No proxy of the environment can reach this machine's own loopback.
        self._is_local = address.hostname in ("localhost", "127.0.0.1", "::1")

    @property
    def http(self) -> "httpx.Client":
        """The connections, opened with the first request: who only makes a client has no use for them yet."""
        with self._opening:
            if self._opened is None:
                import httpx

                try:
                    self._opened = httpx.Client(
                        base_url=self.url,
                        timeout=self._timeout,
                        transport=self._transport,
                        headers=self._headers,
                        trust_env=not self._is_local,
                    )
                except httpx.InvalidURL as error:
                    raise self._bad_url(error) from error
            return self._opened

    def _bad_url(self, why: Exception) -> BadUrl:
        return BadUrl(f"{self.url!r} is not the address of a service: {why}")

    def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            self._opened.close()

    def json(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: BinaryIO | None = None,
    ) -> dict[str, Any]:
        """Return the JSON object that answers a request; see `request`."""
        response = self.request(method, path, params, body=body, headers=headers, content=content)
        try:
            answer = self.read(response.json())
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ServiceUnreachable(self.url, "what answers there is not this service")
        return answer

    def items(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages of a list."""
        cursor: str | None = None
        while True:
            page = self.json("GET", path, {**(params or {}), "cursor": cursor})
            yield from page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: BinaryIO | None = None,
    ) -> "httpx.Response":
        """Return the answer to a request.

        What can be repeated without harm, a GET or a request with an idempotency key, is repeated a few times when the
        service cannot be reached or answers 503; and any request that came too soon after others (429).

        Raises
        ------
        ApiError
            When the service says no.
        ServiceUnreachable
        Unsendable
            When JSON has no form for the body.
        """
        sent = None if body is None else encoded(body)
        if sent is not None:
            headers = {"Content-Type": "application/json", **(headers or {})}
        http = self.http
        from httpx import ConnectError, TransportError

        repeatable = method == "GET" or "Idempotency-Key" in (headers or {})
        asked = {key: value for key, value in (params or {}).items() if value is not None}
        for attempt in range(1, RETRIES + 2):
            last = attempt > RETRIES
            try:
                if content is not None:
                    content.seek(0)
                response = http.request(method, path, params=asked, headers=headers, content=content or sent)
            except TransportError as error:
                # A request whose connection was refused never arrived, so that even a POST may be sent again.
                if last or not (repeatable or isinstance(error, ConnectError)):
                    raise self.unreachable(error) from error
                time.sleep(pause(attempt))
                continue
            # Who has asked too often was not heard at all; who has more than may be would be refused again.
            unheard = response.status_code == 429 and "Retry-After" in response.headers
            if (unheard or (response.status_code == 503 and repeatable)) and not last:
                time.sleep(pause(attempt, response))
                continue
            break
        if not response.is_success:
            raise api_error(response, self.read)
        return response

    def unreachable(self, error: Exception) -> ServiceUnreachable:
        """Return a broken connection as the client's error."""
        from httpx import ConnectError

        said = "connection refused" if isinstance(error, ConnectError) else type(error).__name__
        return ServiceUnreachable(self.url, str(error) or said)


def pause(attempt: int, busy: "httpx.Response | None" = None) -> float:
    """Return the seconds before the next attempt: what a busy service asks for, or ever longer ones."""
    asked = retry_after(busy.headers.get("Retry-After", "")) if busy is not None else None
    if asked is not None:
        return min(asked, LONGEST_RETRY_AFTER)
    return doubling(0.2, attempt, 5.0) * random.uniform(0.75, 1.25)  # jitter, so that clients do not march in step


def api_error(response: "httpx.Response", read: Callable[[Any], Any]) -> ApiError:
    """Return an answer that says no as the client's error; `read` is what is made of answers."""
    try:
        problem = read(response.json())
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": read(response.text[:500])}
    problem.setdefault("title", response.reason_phrase)
    return ApiError(response.status_code, problem, f"{response.request.method} {response.request.url}")


def segment(text: str) -> str:
    """Return a text as one segment of a path."""
    return quote(text, safe="")
