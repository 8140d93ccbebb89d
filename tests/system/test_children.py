"""The logs of what the standalone runs stay short, while it runs."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from app.standalone import children
from app.standalone.children import Child

CHATTY = "import time\nfor n in range(100000): print(f'line {n}', flush=True); time.sleep(0.001)"


def test_a_log_that_grows_is_put_aside_while_its_program_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "LONGEST_LOG_BYTES", 2_000)
    log, before = tmp_path / "one.log", tmp_path / "one.log.1"
    command = [sys.executable, "-c", CHATTY]
    child = Child("one", command, log, os.environ, stop_signals=[(signal.SIGTERM, 10)])
    child.start()
    try:
        until = time.monotonic() + 60
        turns = 0
        while turns < 3:
            assert time.monotonic() < until
            seen = before.stat().st_mtime_ns if before.exists() else None
            child.tend(print)
            assert child.alive
            if before.exists() and before.stat().st_mtime_ns != seen:
                turns += 1
                assert before.stat().st_size > 2_000
            time.sleep(0.01)
        assert "line 0\n" not in before.read_text(), "what was before is gone"
    finally:
        child.stop()
    assert log.read_bytes().count(b"\0") == 0, "it goes on at the beginning, not where it was"
