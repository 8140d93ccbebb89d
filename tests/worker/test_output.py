"""What a trainer writes is read whole while it is little, and cut, counted and cleaned where it is not."""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from worker.output import NOWHERE, TAIL_LINES, Output

MARKS = {b"\x1e1/1: run 0, step 0\x1e": (0, 0), b"\x1e1/1: run 0, step 1\x1e": (0, 1)}


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
        assert output.take() == [(NOWHERE, "one\ntwo red\nbar 100%\n\ufffd\ttab")]
        stream.write("turned \u202e round\n".encode())
        assert output.take() == [(NOWHERE, "turned \\u202e round")]
        stream.write(b"no end")
        assert output.take() == []
    assert output.take() == [(NOWHERE, "no end")]
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
    [(_, kept)] = output.take()
    assert kept.startswith("line 000000\n")
    assert "left out: 16,000 bytes a second are kept" in kept
    assert len(kept) < 300_000
    assert list(output.tail)[-1] == "the last"
    assert len(output.tail) == TAIL_LINES
    assert len(caplog.records) < 300


def test_what_is_written_is_of_the_cell_whose_mark_stands_before_it() -> None:
    first, second = MARKS
    with piped() as (stream, output):
        stream.write(b"of something else\n")
        output.begin(MARKS)
        stream.write(b"reading\nno end\n" + first + b"\none\n" + b"two")
        assert output.take() == [(NOWHERE, "reading\nno end"), ((0, 0), "one")]
        stream.write(b"\n" + second + b"\nthree\n")
        assert output.take() == [((0, 0), "two"), ((0, 1), "three")]
        # Only whole lines that were told before are taken for marks; all others are text, and cleaned.
        stream.write(b"so " + first + b"\n" + first.replace(b"1/1", b"1/2") + b"\n" + first.replace(b"0", b"9") + b"\n")
        [(place, text)] = output.take()
        assert place == (0, 1)
        assert text.splitlines() == ["so 1/1: run 0, step 0", "1/2: run 0, step 0", "1/1: run 9, step 9"]
        output.begin({})
        stream.write(first + b"\nfour\n")
        assert output.take() == [(NOWHERE, "1/1: run 0, step 0\nfour")]
    assert not any("\x1e" in line for line in output.tail)


def test_a_flood_does_not_hide_where_the_next_cell_begins() -> None:
    _, second = MARKS
    with piped() as (stream, output):
        output.begin(MARKS)
        flood = b"".join(b"line %06d\n" % number for number in range(100_000))
        stream.write(flood + second + b"\n" + flood)
    kept = output.take()
    assert [place for place, _ in kept] == [NOWHERE, (0, 1)]
    assert all("left out" in text for _, text in kept)
