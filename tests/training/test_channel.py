"""Lines arrive whole, in order, however they are cut on the way; a long one costs no more than its length."""

import socket
import threading
from collections.abc import Iterator

import pytest

from sufficiency.training.channel import PART_BYTES, Channel, ChannelClosed

Ends = tuple[Channel, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A channel, and the raw socket at its other end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), theirs


def test_lines_are_cut_where_they_end(ends: Ends) -> None:
    channel, other = ends
    other.sendall(b"one\ntwo\n\nthr")
    assert [channel.receive(0) for _ in range(4)] == [b"one", b"two", b"", None]
    other.sendall(b"ee\n")
    assert channel.receive(0) == b"three"


def test_what_was_sent_is_received_before_the_end_is_told(ends: Ends) -> None:
    channel, other = ends
    other.sendall(b"last words\nhalf a l")
    other.close()
    assert channel.receive() == b"last words"
    with pytest.raises(ChannelClosed):
        channel.receive()
    with pytest.raises(ChannelClosed):
        channel.send(b"anyone?")


class Watched(bytearray):
    """Counts the bytes that are looked through for a line's end."""

    looked_at = 0

    def find(self, sub: bytes, start: int = 0) -> int:  # type: ignore[override]
        found = super().find(sub, start)
        self.looked_at += (found if found >= 0 else len(self)) - start
        return found

    def __contains__(self, sub: object) -> bool:
        self.looked_at += len(self)
        return super().__contains__(sub)  # type: ignore[arg-type]


def looked_at(ends: Ends, size: int) -> int:
    channel, other = ends
    channel._received = seen = Watched()
    line = b"x" * size
    writer = threading.Thread(target=other.sendall, args=(line + b"\n",))
    writer.start()
    assert channel.receive() == line
    writer.join()
    return seen.looked_at


def test_a_long_line_is_looked_through_once(ends: Ends) -> None:
    size = 200 * PART_BYTES
    assert looked_at(ends, size) <= size
    assert looked_at(ends, 2 * size) <= 2 * size
