"""A client's connection: one that takes nothing is not kept open for ever, whatever it asked for."""

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

LONGEST_STALL_SECONDS = 30


class Connection(AutoHTTPProtocol):  # type: ignore[valid-type, misc]
    """Uvicorn's, but closed when its client does not read.

    What a client has not taken fills the system's buffers, then this process's. From then on it is given some time to
    make room; one that does not would keep its request, such as an event stream, for as long as it likes.
    """

    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Take a connection; the system itself ends one whose other end confirms nothing."""
        wire = transport.get_extra_info("socket")
        if wire.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_USER_TIMEOUT"):
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LONGEST_STALL_SECONDS * 1000)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end_stall()
        super().connection_lost(exc)

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
