"""Lines of bytes between a supervisor and its trainer."""

import select
import socket

from sufficiency.schemas.limits import MESSAGE_BYTES

PART_BYTES = 1 << 16


class ChannelClosed(Exception):
    """The other side is gone."""


class MessageTooLong(ChannelClosed):
    """The other side sends a line without an end: nothing more can be made of it."""


class Channel:
    """One end of a socket pair; each end has one reading and one writing thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._received = bytearray()
        self._searched = 0  # so many bytes of it hold no line's end: a long line is not looked through again and again

    def send(self, line: bytes) -> None:
        """Send a line, which is given without its end.

        Raises
        ------
        ChannelClosed
            When nobody can receive it any more.
        """
        try:
            self._sock.sendall(line + b"\n")
        except OSError as error:
            raise ChannelClosed from error

    def receive(self, timeout: float | None = None) -> bytes | None:
        """Return the next line without its end, or None when nothing came within `timeout` seconds.

        Raises
        ------
        ChannelClosed
            When everything that was sent has been received and the other side is gone.
        """
        while (end := self._received.find(b"\n", self._searched)) < 0:
            self._searched = len(self._received)
            try:
                if timeout is not None and not select.select([self._sock], [], [], timeout)[0]:
                    return None
                part = self._sock.recv(PART_BYTES)
            except (OSError, ValueError) as error:
                raise ChannelClosed from error
            if not part:
                raise ChannelClosed
            self._received += part
            if len(self._received) > MESSAGE_BYTES + PART_BYTES:
                raise MessageTooLong(f"a message has more than {MESSAGE_BYTES} bytes")
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        self._searched = 0
        return line

    def close(self) -> None:
        """Close this end."""
        self._sock.close()
