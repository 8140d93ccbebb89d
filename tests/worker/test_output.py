"""What a trainer writes is read whole while it is little, and cut, counted and cleaned where it is not."""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from worker.output import TAIL_LINES, Output


@contextmanager
def piped() -> Iterator[tuple[IO[bytes], Output]]:
    read, write = os.pipe()
    with open(write, "wb", buffering=0) as stream:
        output = Output("slot 0", open(read, "rb"))  # noqa: SIM115  (it closes it)
        yield stream, output
    output.join(60)


def test_lines_are_taken_in_order_and_cleaned() -> None:
    with piped() as (stream, output):
        stream.write(b"one\ntwo \x1b[31mred\x1b[0m\x00\nbar  10%\rbar 100%\n\n\xff\ttab\n")
        assert output.take() == "one\ntwo red\nbar 100%\n\ufffd\ttab"
        stream.write(b"no end")
        assert output.take() == ""
    assert output.take() == "no end"
    assert list(output.tail)[-1] == "no end"


def test_a_flood_is_counted_and_its_end_is_kept_for_errors(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    lines = 200_000
    with piped() as (stream, output):
        flood = b"".join(b"line %06d\n" % number for number in range(lines))
        raw = io.FileIO(stream.fileno(), "wb", closefd=False)
        parts = [flood[at : at + 4096] for at in range(0, len(flood), 4096)]
        writer = threading.Thread(target=lambda: [raw.write(part) for part in parts])
        writer.start()
        writer.join(60)
        assert not writer.is_alive(), "who writes is not held up"
        stream.write(b"the last\n")
    kept = output.take()
    assert kept.startswith("line 000000\n")
    assert "left out: 16,000 bytes a second are kept" in kept
    assert len(kept) < 300_000
    assert list(output.tail)[-1] == "the last"
    assert len(output.tail) == TAIL_LINES
    assert len(caplog.records) < 300
