"""What is said of a trainer that was ended by a signal."""

import signal

import pytest

from worker.deaths import TrainerDied


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (signal.SIGKILL, "too little memory"),
        (signal.SIGBUS, "a memory-mapped file that was cut short"),
        (signal.SIGSEGV, "native code has crashed"),
    ],
)
def test_the_signal_says_what_to_do(number: signal.Signals, says: str) -> None:
    error = TrainerDied(-number, []).error({"run": 0, "step": 1, "n": 20, "phase": "cell"})
    assert error["code"] == "trainer_killed"
    assert error["signal"] == number.name
    assert says in error["detail"]
