"""JSON messages, one a line, between a supervisor and its trainer."""

import json
import select
import socket
from typing import Any

Message = dict[str, Any]


class ChannelClosed(Exception):
    """The other side is gone."""


class Channel:
    """One end of a socket pair; each end has one reading and one writing thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._rest = b""

    def send(self, message: Message) -> None:
        """Send a message.

        Raises
        ------
        ChannelClosed
            When nobody can receive it any more.
        """
        line = json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        try:
            self._sock.sendall(line)
        except OSError as error:
            raise ChannelClosed from error

    def receive(self, timeout: float | None = None) -> Message | None:
        """Return the next message, or None when none came within `timeout` seconds.

        Raises
        ------
        ChannelClosed
            When everything that was sent has been received and the other side is gone.
        """
        while b"\n" not in self._rest:
            try:
                if timeout is not None and not select.select([self._sock], [], [], timeout)[0]:
                    return None
                part = self._sock.recv(1 << 16)
            except (OSError, ValueError) as error:
                raise ChannelClosed from error
            if not part:
                raise ChannelClosed
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        message: Message = json.loads(line)
        return message

    def close(self) -> None:
        """Close this end."""
        self._sock.close()
