"""What a trainer holds is counted over all that it has started, and what they share once."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from sufficiency.training.memory import MemoryLimit, used_memory

MEBIBYTE = 2**20
PARENT = """
import os, subprocess, sys, time
hoard = bytearray(os.urandom(1) * (200 << 20))
for _ in range(3):
    if os.fork() == 0:
        time.sleep(600)
own = subprocess.Popen([sys.executable, "-c", '''
import time
hoard = bytearray(b"x" * (100 << 20))
print("ready", flush=True)
time.sleep(600)
'''])
own.wait()
"""


@pytest.fixture(scope="module")
def hoarder() -> Iterator[int]:
    """A process with 200 MiB, three forks that share them, and a child with 100 MiB of its own."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        subprocess.run(["kill", "-KILL", "--", f"-{process.pid}"], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what processes share")
def test_shared_memory_counts_once_where_it_matters(hoarder: int) -> None:
    assert 280 < used_memory(hoarder, more_than=250 * MEBIBYTE) / MEBIBYTE < 450


def test_a_limit_that_is_kept_says_nothing(hoarder: int) -> None:
    assert MemoryLimit(2000 * MEBIBYTE).error(hoarder, {}) is None
    assert MemoryLimit(None).error(hoarder, {}) is None


def test_a_limit_that_is_not_kept_names_the_cell(hoarder: int) -> None:
    limit = MemoryLimit(250 * MEBIBYTE)
    error = limit.error(hoarder, {"run": 1, "step": 2, "n": 30, "phase": "cell"})
    assert error is not None
    assert error["code"] == "memory_exceeded"
    assert "in run 1, step 2 (n = 30)" in error["detail"]
    assert "250 MiB" in error["detail"]
    assert limit.error(hoarder, {}) is None, "it looks once a second"


def test_a_process_that_is_gone_holds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
        assert used_memory(gone.pid, more_than=0) == 0
