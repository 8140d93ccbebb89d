"""A client's connection: one that takes nothing, or never says what it asks, is not kept open for ever."""

import asyncio
import json
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.web.headers import GUARDS
from app.web.problem import CODES, MEDIA_TYPE
from sufficiency.schemas.limits import ADDRESS_BYTES, HEAD_BYTES, HEAD_SECONDS

LONGEST_STALL_SECONDS = 30
UNREADABLE = (
    "The request's head cannot be read as HTTP. Its address may have "
    f"{ADDRESS_BYTES:,} bytes, the address and the headers together {HEAD_BYTES:,}."
)


class Connection(HttpToolsProtocol):
    """Uvicorn's, but closed when its client does not read, and when what it asks has no end.

    What a client has not taken fills the system's buffers, then this process's. From then on it is given some time to
    make room; one that does not would keep its request, such as an event stream, for as long as it likes. Until a
    request's head is whole there is nobody else to refuse it: it has so many bytes, and so much time.
    """

    _stall: asyncio.TimerHandle | None = None
    _late: asyncio.TimerHandle | None = None
    _begun = 0  # requests so far
    _head: int | None = 0  # bytes so far of a head that is not whole; None while there is none

    def connection_made(self, transport: Any) -> None:
        """Take a connection; the system itself ends one whose other end confirms nothing."""
        wire = transport.get_extra_info("socket")
        if wire.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_USER_TIMEOUT"):
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LONGEST_STALL_SECONDS * 1000)
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end_stall()
        self._head_is_whole()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what has come, as long as the head that it is of may still be one."""
        begun = self._begun
        super().data_received(data)
        # Of the part in which it began, some may be of the request before.
        if self._head is not None and self._begun == begun and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self.send_400_response("")

    def on_message_begin(self) -> None:
        """Begin to take in a request."""
        self._begun += 1
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Have the request answered."""
        self._head_is_whole()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            raise ValueError("a head of too many bytes")  # which the parser hands on, to be refused
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, as everything is refused: with a problem."""
        self._head_is_whole()
        code = CODES[400]
        told = {"type": f"urn:sufficiency:problem:{code}", "title": "Bad Request", "status": 400, "detail": UNREADABLE}
        body = json.dumps({**told, "instance": "/", "code": code}).encode()
        headers = {**GUARDS, "Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), "Connection": "close"}
        lines = ["HTTP/1.1 400 Bad Request", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.transport.write("\r\n".join(lines).encode() + body)
        self.transport.close()

    def pause_writing(self) -> None:
        """Begin to wait for the client to make room."""
        self._end_stall()
        self._stall = asyncio.get_running_loop().call_later(LONGEST_STALL_SECONDS, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Go on: the client has made room."""
        self._end_stall()
        super().resume_writing()

    def _end_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _await_head(self) -> None:
        self._head_is_whole()
        self._head = 0
        self._late = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.transport.close)

    def _head_is_whole(self) -> None:
        self._head = None
        if self._late is not None:
            self._late.cancel()
            self._late = None
