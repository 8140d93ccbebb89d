"""A real trainer process: what it answers, how it dies, and what is said of its death."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.settings import Settings
from tests.training.plugins import SPECS
from worker.slot import Slot, SlotShut, TrainerDied, TrainerProcess

TRAIN = {"loader": "blobs", "params": {"size": 60, "seed": 0}}
TEST = {"loader": "blobs", "params": {"size": 30, "seed": 1}}


@pytest.fixture(scope="module")
def slot() -> Iterator[Slot]:
    slot = Slot(0, Settings(plugins=SPECS, device="cpu"), "cpu")
    yield slot
    slot.shut()
    slot.empty()


def answers(slot: Slot, request: dict[str, Any], seconds: float = 60.0) -> list[dict[str, Any]]:
    """Return all messages up to the one that ends the request."""
    trainer = slot.trainer()
    trainer.send(request)
    until = time.monotonic() + seconds
    messages: list[dict[str, Any]] = []
    while time.monotonic() < until:
        if (message := trainer.receive()) is not None:
            messages.append(message)
            if message["type"] not in ("started", "cell"):
                return messages
    raise AssertionError(f"no end after {messages}")


def verified(slot: Slot, train: dict[str, Any] = TRAIN) -> dict[str, Any]:
    (reply,) = answers(slot, {"type": "verify", "train": train, "test": TEST})
    return reply


def unit(slot: Slot, *sizes: int, training: str = "descent", train: dict[str, Any] = TRAIN, **params: Any) -> Any:
    return {
        "type": "unit",
        "spec": {
            "model": {"name": "linear"},
            "training": {"name": training, "params": params},
            "evaluation": {"name": "accuracy"},
            "dataset": "blobs",
        },
        "device": "cpu",
        "train": train,
        "test": TEST,
        "fingerprint": verified(slot, train)["fingerprint"],
        "cells": [{"run": 0, "step": step, "n": n, "done": False} for step, n in enumerate(sizes)],
    }


def test_it_introduces_itself(slot: Slot) -> None:
    introduction = slot.trainer().introduction
    assert introduction is not None
    offered = {(plugin["kind"], plugin["name"]) for plugin in introduction["plugins"]}
    assert {("model", "linear"), ("schedule", "thirds"), ("training", "misfit")} <= offered
    assert introduction["devices"] == ["cpu"]


def test_a_unit_sends_each_cell_and_then_its_end(slot: Slot) -> None:
    messages = answers(slot, unit(slot, 10, 40))
    assert [m["type"] for m in messages] == ["started", "cell", "started", "cell", "done"]
    cell = messages[3]
    assert (cell["run"], cell["step"], cell["n_unique"], cell["device"]) == (0, 1, 40, "cpu")
    (metric, class_index, value), *rest = cell["values"]
    assert (metric, class_index, rest) == ("Accuracy", -1, [])
    assert 0 <= value <= 1


def test_another_trainer_measures_the_same(slot: Slot) -> None:
    request = unit(slot, 10, 40)
    first = [m["values"] for m in answers(slot, request) if m["type"] == "cell"]
    slot.empty()
    again = {**request, "cells": request["cells"][::-1]}
    assert [m["values"] for m in answers(slot, again) if m["type"] == "cell"] == first[::-1]


def test_a_dataset_is_described(slot: Slot) -> None:
    reply = verified(slot)
    assert reply["type"] == "verified"
    assert reply["info"]["train"] == {"size": 60, "class_counts": [30, 30]}
    assert reply["info"]["test"]["size"] == 30
    assert reply["info"]["input_shape"] == [4]


def test_an_unreadable_dataset_is_invalid(slot: Slot) -> None:
    reply = verified(slot, {"loader": "blobs", "params": {"marker": "/nowhere"}})
    assert reply["error"]["code"] == "dataset_invalid"
    assert "train split" in reply["error"]["detail"]
    assert "/nowhere" in reply["error"]["exception"]


def test_changed_data_are_noticed(slot: Slot, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    marker.write_text("a")
    request = unit(slot, 10, train={"loader": "blobs", "params": {"marker": str(marker)}})
    marker.write_text("ab")
    slot.empty()
    assert answers(slot, request)[-1]["error"]["code"] == "dataset_changed"


def test_a_schedule_names_its_steps(slot: Slot) -> None:
    request = {"type": "schedule", "plugin": {"name": "thirds", "params": {}}, "size": 60}
    assert answers(slot, request) == [{"type": "steps", "steps": [20, 40, 60]}]


def test_an_impossible_schedule_is_refused(slot: Slot) -> None:
    request = {"type": "schedule", "plugin": {"name": "too-far", "params": {}}, "size": 60}
    (reply,) = answers(slot, request)
    assert reply["error"]["code"] == "schedule_invalid"
    assert "61" in reply["error"]["detail"]


def test_an_unknown_plugin_is_unavailable(slot: Slot) -> None:
    assert answers(slot, unit(slot, 10, training="nobody"))[-1]["error"]["code"] == "plugin_unavailable"


def test_an_exception_is_an_answer_and_the_trainer_lives_on(slot: Slot) -> None:
    pid = slot.trainer().pid
    messages = answers(slot, unit(slot, 10, 40, training="misfit", above=10))
    assert [m["type"] for m in messages] == ["started", "cell", "started", "error"]
    assert messages[-1]["error"]["exception"] == "ValueError: cannot train on this"
    assert answers(slot, unit(slot, 10))[-1]["type"] == "done"
    assert slot.trainer().pid == pid


@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        ("exit", "plugin_exited", "status 3"),
        ("kill", "trainer_killed", "SIGKILL"),
        ("segfault", "trainer_killed", "SIGSEGV"),
    ],
)
def test_a_death_is_told_with_its_last_words(slot: Slot, how: str, code: str, says: str) -> None:
    with pytest.raises(TrainerDied) as death:
        answers(slot, unit(slot, 10, training="misfit", how=how))
    error = death.value.error({"run": 0, "step": 0, "n": 10, "phase": "cell"})
    assert error["code"] == code
    assert says in error["detail"]
    assert "run 0, step 0 (n = 10)" in error["detail"]
    assert any("about to misbehave" in line for line in error["traceback"])


def started(slot: Slot, request: dict[str, Any]) -> TrainerProcess:
    trainer = slot.trainer()
    trainer.send(request)
    while (message := trainer.receive()) is None or message["type"] != "started":
        pass
    return trainer


def follow(trainer: TrainerProcess, seconds: float = 5.0) -> None:
    """Receive until the trainer's death is noticed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        trainer.receive()


def wait_for(path: Path) -> int:
    until = time.monotonic() + 20
    while not path.exists() or not path.read_text():
        assert time.monotonic() < until
        time.sleep(0.02)
    return int(path.read_text())


def gone(pid: int, seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_a_trainer_that_ignores_sigterm_is_killed_with_its_children(slot: Slot, tmp_path: Path) -> None:
    started(slot, unit(slot, 10, training="misfit", how="hang", child=str(tmp_path / "child")))
    child = wait_for(tmp_path / "child")
    time.sleep(0.2)
    began = time.monotonic()
    slot.empty(grace=0.5)
    assert 0.4 < time.monotonic() - began < 3
    assert gone(child)


def test_a_death_is_noticed_although_a_child_holds_on(slot: Slot, tmp_path: Path) -> None:
    trainer = started(slot, unit(slot, 10, training="misfit", how="hang", child=str(tmp_path / "child")))
    child = wait_for(tmp_path / "child")
    os.kill(trainer.pid, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(TrainerDied):
        follow(trainer)
    assert time.monotonic() - began < 3
    assert gone(child)


def test_an_orphan_dies_with_its_children(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time\n"
        "from tests.training.test_trainer import *\n"
        "slot = Slot(0, Settings(plugins=SPECS, device='cpu'), 'cpu')\n"
        "slot.trainer().send(unit(slot, 10, training='misfit', how='hang', child=sys.argv[1]))\n"
        "print(slot.trainer().pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "child")], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        trainer = int(parent.stdout.readline())
        child = wait_for(tmp_path / "child")
        parent.send_signal(signal.SIGKILL)
    assert gone(trainer)
    assert gone(child)


def test_a_shut_slot_starts_nothing() -> None:
    slot = Slot(1, Settings(plugins=SPECS), "cpu")
    slot.shut()
    with pytest.raises(SlotShut):
        slot.trainer()


def test_trainers_do_not_learn_where_the_database_is(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUFFICIENCY_DATABASE_URL", "postgresql+psycopg://secret@here/db")
    slot.empty()
    assert "SUFFICIENCY_DATABASE_URL" not in psutil.Process(slot.trainer().pid).environ()
