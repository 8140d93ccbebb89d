"""A real trainer process: what it answers, how it dies or gets confused, and what is said of that."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from app.settings import Settings
from sufficiency.schemas.spec import JobSpec, PluginRef
from sufficiency.schemas.work import CellResult, SplitSource, UnitCell
from sufficiency.training.messages import (
    Answer,
    AskSchedule,
    Failed,
    Measured,
    NotMeasurable,
    Request,
    RunUnit,
    Started,
    Steps,
    Verified,
    VerifyDataset,
    Worn,
)
from tests.training.specs import SPECS
from worker.deaths import TrainerConfused, TrainerDied
from worker.slot import KEPT_FROM_TRAINERS, Slot, SlotShut, TrainerProcess

ROOT = Path(__file__).resolve().parents[2]
TRAIN = SplitSource("blobs", {"size": 60, "seed": 0})
TEST = SplitSource("blobs", {"size": 30, "seed": 1})
PLUGINS = (*SPECS, "training:forks=tests.external.broken_plugins:Forks")
KEPT = {
    "SUFFICIENCY_DATABASE_URL": "postgresql+psycopg://secret@here/db",
    "SUFFICIENCY_REDIS_URL": "redis://:secret@here:6379/0",
    "SUFFICIENCY_API_KEY": "suf_" + "0" * 64,
    "SUFFICIENCY_BOOTSTRAP_KEY_FILE": "/run/secrets/key",
    "SUFFICIENCY_OIDC_CLIENT_SECRET_FILE": "/run/secrets/oidc",
    "SUFFICIENCY_DATABASE_PASSWORD_FILE": "",  # a file that can be read: see below
}


# A plugin in a file of its own, which remembers what it is told.
MINE = """
import torch
from tests.training.plugins import Descent
TOLD = []
class Mine(Descent):
    def __init__(self, word: str = ''):
        super().__init__()
        if word:
            TOLD.append(word)
    def train(self, model, dataset, indices):
        super().train(model, dataset, indices)
        with torch.no_grad():
            model.weight[0] += 9 * len(TOLD)
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the plugin `mine`."""
    file = tmp_path_factory.mktemp("plugins") / "mine.py"
    file.write_text(MINE)
    return file


@pytest.fixture(scope="module")
def slot(tmp_path_factory: pytest.TempPathFactory, mine: Path) -> Iterator[Slot]:
    password = tmp_path_factory.mktemp("secrets") / "database"
    password.write_text("hidden")
    settings = Settings(plugins=(*PLUGINS, "training:mine=mine:Mine"), plugin_path=(ROOT, mine.parent), device="cpu")
    slot = Slot(0, settings, "cpu")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEPT.items():
            patch.setenv(name, value or str(password))
        yield slot
    slot.shut()
    slot.empty()


def answers(slot: Slot, request: Request, seconds: float = 60.0) -> list[Answer]:
    """Return all answers up to the one that ends the request."""
    trainer = slot.trainer()
    trainer.send(request)
    until = time.monotonic() + seconds
    told: list[Answer] = []
    while time.monotonic() < until:
        if (answer := trainer.receive()) is not None:
            told.append(answer)
            if answer.is_last:
                return told
    raise AssertionError(f"no end after {told}")


def verified(slot: Slot, train: SplitSource = TRAIN) -> Answer:
    (answer,) = answers(slot, VerifyDataset(subject=uuid4(), attempt=1, train=train, test=TEST))
    return answer


def fault_of(told: list[Answer]) -> dict[str, Any]:
    last = told[-1]
    assert isinstance(last, Failed), last
    return last.error


def unit(slot: Slot, *sizes: int, training: str = "descent", train: SplitSource = TRAIN, **params: Any) -> RunUnit:
    found = verified(slot, train)
    assert isinstance(found, Verified), found
    return RunUnit(
        subject=uuid4(),
        attempt=1,
        job=uuid4(),
        spec=JobSpec(
            model=PluginRef(name="linear"),
            training=PluginRef(name=training, params=params),
            evaluation=PluginRef(name="accuracy"),
            dataset="blobs",
        ),
        device="cpu",
        train=train,
        test=TEST,
        fingerprint=found.fingerprint,
        cells=tuple(UnitCell(0, step, n) for step, n in enumerate(sizes)),
    )


def schedule(name: str) -> AskSchedule:
    return AskSchedule(subject=uuid4(), attempt=1, plugin=PluginRef(name=name), size=60)


def results(told: list[Answer]) -> list[CellResult]:
    return [answer.result for answer in told if isinstance(answer, Measured)]


def test_it_introduces_itself(slot: Slot) -> None:
    introduction = slot.trainer().introduction
    assert introduction is not None
    offered = {(plugin.kind, plugin.name) for plugin in introduction.plugins}
    assert {("model", "linear"), ("schedule", "thirds"), ("training", "misfit")} <= offered
    assert introduction.devices == ("cpu",)


def test_trainers_learn_neither_where_the_database_is_nor_keys(slot: Slot) -> None:
    assert KEPT.keys() == set(KEPT_FROM_TRAINERS) <= os.environ.keys()
    assert not set(KEPT_FROM_TRAINERS) & psutil.Process(slot.trainer().pid).environ().keys()


@dataclass(frozen=True)
class Before:
    """What the first trainer was asked and has told, and what was asked for of data that have changed since."""

    pid: int
    request: RunUnit
    told: list[Answer]
    of_data_that_changed: RunUnit


@pytest.fixture(scope="module")
def before(slot: Slot, tmp_path_factory: pytest.TempPathFactory) -> Before:
    request = unit(slot, 10, 40)
    told = answers(slot, request)
    marker = tmp_path_factory.mktemp("data") / "marker"
    marker.write_text("a")
    changed = unit(slot, 10, train=SplitSource("blobs", {"marker": str(marker)}))
    marker.write_text("ab")
    return Before(slot.trainer().pid, request, told, changed)


def test_a_unit_sends_each_cell_and_then_its_end(before: Before) -> None:
    request, told, pid = before.request, before.told, before.pid
    assert [answer.type for answer in told] == ["started", "measured", "started", "measured", "done"]
    assert {(answer.subject, answer.attempt, answer.pid) for answer in told} == {(request.subject, 1, pid)}
    cell = results(told)[1]
    assert (cell.run, cell.step, cell.n_unique, cell.device) == (0, 1, 40, "cpu")
    (metric, class_index, value), *rest = cell.values
    assert (metric, class_index, rest) == ("Accuracy", -1, [])
    assert value is not None
    assert 0 <= value <= 1


def test_a_dataset_is_described(slot: Slot) -> None:
    found = verified(slot)
    assert isinstance(found, Verified)
    assert found.info["train"] == {"size": 60, "class_counts": [30, 30]}
    assert found.info["test"]["size"] == 30
    assert found.info["input_shape"] == [4]


def test_an_unreadable_dataset_is_invalid(slot: Slot) -> None:
    error = fault_of([verified(slot, SplitSource("blobs", {"marker": "/nowhere"}))])
    assert error["code"] == "dataset_invalid"
    assert "The training split cannot be used" in error["detail"]
    assert "/nowhere" in error["exception"]


def test_a_schedule_names_its_steps(slot: Slot) -> None:
    (answer,) = answers(slot, schedule("thirds"))
    assert isinstance(answer, Steps)
    assert answer.steps == [20, 40, 60]


def test_an_impossible_schedule_is_refused(slot: Slot) -> None:
    error = fault_of(answers(slot, schedule("too-far")))
    assert error["code"] == "schedule_invalid"
    assert "61" in error["detail"]


def test_an_unknown_plugin_is_unavailable(slot: Slot) -> None:
    assert fault_of(answers(slot, unit(slot, 10, training="nobody")))["code"] == "plugin_unavailable"


def test_a_trainer_in_whose_plugin_another_job_left_something_asks_for_a_new_one(slot: Slot) -> None:
    clean = unit(slot, 10, 40, training="mine")
    alone = [result.values for result in results(answers(slot, clean))]
    dirty = unit(slot, 10, 40, training="mine", word="a")
    assert results(answers(slot, dirty))[1].values != alone[1]
    more = dirty.model_copy(update={"subject": uuid4()})
    assert answers(slot, more)[-1].type == "done", "it may go on with its own job"
    old = slot.trainer()
    again = clean.model_copy(update={"job": uuid4()})
    [answer] = answers(slot, again)
    assert isinstance(answer, Worn)
    assert answer.why == "another job changed mine.TOLD"
    new = slot.renewed(answer.why)
    assert gone(old.pid)
    assert slot.trainer() is new
    assert [result.values for result in results(answers(slot, again))] == alone


def test_changed_plugin_code_is_measured_with_by_a_new_trainer(slot: Slot, mine: Path) -> None:
    request = unit(slot, 40, training="mine")
    before = results(answers(slot, request))[0].values
    mine.write_text(mine.read_text().replace("9 * len(TOLD)", "9"))
    again = request.model_copy(update={"attempt": 2})
    [answer] = answers(slot, again)
    assert isinstance(answer, Worn)
    assert answer.why == f"{mine} has changed since it was imported"
    slot.renewed(answer.why)
    assert results(answers(slot, again))[0].values != before


def test_an_exception_is_an_answer_and_the_trainer_lives_on(slot: Slot) -> None:
    pid = slot.trainer().pid
    told = answers(slot, unit(slot, 10, 40, training="misfit", above=10))
    assert [answer.type for answer in told] == [
        *("started", "measured"),
        *("started", "started", "not_measurable"),  # tried twice
        "done",
    ]
    given_up = told[4]
    assert isinstance(given_up, NotMeasurable)
    assert (given_up.failure.run, given_up.failure.step) == (0, 1)
    assert given_up.failure.error["exception"] == "ValueError: cannot train on this"
    assert answers(slot, unit(slot, 10))[-1].type == "done"
    assert slot.trainer().pid == pid


@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        ("exit", "plugin_exited", "status 3"),
        pytest.param("kill", "trainer_killed", "SIGKILL", marks=pytest.mark.slow),
        pytest.param("segfault", "trainer_killed", "SIGSEGV", marks=pytest.mark.slow),
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


@pytest.fixture
def successor(slot: Slot, before: Before) -> Slot:
    """The slot with another trainer than the first."""
    if slot.trainer().pid == before.pid:
        slot.empty()
    return slot


def test_another_trainer_measures_the_same(successor: Slot, before: Before) -> None:
    again = before.request.model_copy(update={"cells": before.request.cells[::-1]})
    first = [result.values for result in results(before.told)]
    assert [result.values for result in results(answers(successor, again))] == first[::-1]


def test_changed_data_are_noticed(successor: Slot, before: Before) -> None:
    assert fault_of(answers(successor, before.of_data_that_changed))["code"] == "dataset_changed"


def started(slot: Slot, request: Request) -> TrainerProcess:
    trainer = slot.trainer()
    trainer.send(request)
    while not isinstance(trainer.receive(), Started):
        pass
    return trainer


def follow(trainer: TrainerProcess, seconds: float = 60.0) -> None:
    """Receive until the trainer's death is noticed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        trainer.receive()


def wait_for(path: Path) -> int:
    until = time.monotonic() + 60
    while not path.exists() or not path.read_text():
        assert time.monotonic() < until
        time.sleep(0.02)
    return int(path.read_text())


def gone(pid: int, seconds: float = 60.0) -> bool:
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
    assert 0.4 < time.monotonic() - began < 30
    assert gone(child)


def test_a_death_is_noticed_although_a_child_holds_on(slot: Slot, tmp_path: Path) -> None:
    trainer = started(slot, unit(slot, 10, training="misfit", how="hang", child=str(tmp_path / "child")))
    child = wait_for(tmp_path / "child")
    os.kill(trainer.pid, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(TrainerDied):
        follow(trainer)
    assert time.monotonic() - began < 30, "long before the child ends"
    assert gone(child)


def test_a_fork_that_goes_on_ends_the_attempt_and_both_processes(slot: Slot) -> None:
    request = unit(slot, 10, 40, training="forks", first="child")
    trainer = slot.trainer()
    with pytest.raises(TrainerConfused) as confusion:
        answers(slot, request)
    assert confusion.value.counts
    error = confusion.value.error({"run": 0, "step": 0, "n": 10, "phase": "cell"})
    assert error["code"] == "trainer_confused"
    assert "run 0, step 0 (n = 10)" in error["detail"]
    assert f"said 'measured' in the place of process {trainer.pid}" in error["detail"]
    child = int(error["detail"].split("process ")[1].split()[0])
    assert gone(child)
    assert gone(trainer.pid)
    assert answers(slot, unit(slot, 10))[-1].type == "done"


def test_what_a_fork_says_too_late_is_no_answer_to_the_next_request(slot: Slot, tmp_path: Path) -> None:
    over = unit(slot, 10, training="forks", first="parent", until=str(tmp_path / "go"))
    next_one = unit(slot, 40, training="misfit", how="hang").model_copy(update={"job": over.job})
    trainer = slot.trainer()
    assert answers(slot, over)[-1].type == "done"
    started(slot, next_one)
    (tmp_path / "go").touch()
    with pytest.raises(TrainerConfused, match=f"'measured' about {over.subject}, attempt 1, when that") as confusion:
        follow(trainer, 20)
    assert not confusion.value.counts, "who is asked next is not to blame"
    assert gone(trainer.pid)


@pytest.mark.slow
def test_a_trainer_that_has_more_to_say_makes_way_for_the_next_request(slot: Slot, tmp_path: Path) -> None:
    trainer = slot.trainer()
    assert answers(slot, unit(slot, 10, training="forks", first="parent", until=str(tmp_path / "go")))[-1].is_last
    assert slot.trainer() is trainer
    (tmp_path / "go").touch()
    assert select.select([trainer._channel._sock], [], [], 20)[0]
    told = answers(slot, unit(slot, 40))
    assert [answer.type for answer in told] == ["started", "measured", "done"]
    assert results(told)[0].n_unique == 40
    assert slot.trainer() is not trainer
    assert gone(trainer.pid)


@pytest.mark.slow  # with other processes, test_keeper.py has it each time
def test_an_orphan_dies_with_its_children(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time\n"
        "from tests.worker.test_slot import *\n"
        "slot = Slot(0, Settings(plugins=PLUGINS, plugin_path=(ROOT,), device='cpu'), 'cpu')\n"
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
    slot = Slot(1, Settings(plugins=PLUGINS, plugin_path=(ROOT,)), "cpu")
    slot.shut()
    with pytest.raises(SlotShut):
        slot.trainer()
