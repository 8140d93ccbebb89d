"""A worker's slots: trainers come with work and leave when there is none."""

import time
from pathlib import Path

import psutil
import pytest

from app.settings import Settings
from tests.packaging.environments import Environment
from tests.training.specs import SPECS
from worker.deaths import TrainerChanged
from worker.slot import Slot
from worker.slots import Slots

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = Settings(plugins=SPECS, plugin_path=(ROOT,), device="cpu", slots=2)


@pytest.mark.parametrize(
    ("idle_seconds", "warm"),
    [pytest.param(60.0, 1, id="come-with-work"), pytest.param(0.0, 2, id="always-warm", marks=pytest.mark.slow)],
)
def test_trainers_come_with_work_and_leave_without(idle_seconds: float, warm: int) -> None:
    slots = Slots(SETTINGS.model_copy(update={"trainer_idle_seconds": idle_seconds}))
    try:
        slots.open()
        assert len(slots) == 2
        assert slots.is_one_free
        assert sum(slot._trainer is not None for slot in slots._all) == warm, "one has told what all offer"
        with slots.one() as first, slots.one() as second:
            pids = {first.warm().pid, second.warm().pid}
            slots.rest(time.monotonic() + 2 * 60.0)
            assert {first.warm().pid, second.warm().pid} == pids, "those at work are left alone"
        now = time.monotonic()
        slots.rest(now)
        assert all(slot._trainer is not None for slot in slots._all), "they wait for more"
        slots.rest(now + 2 * 60.0)
        assert [slot._trainer is None for slot in slots._all] == [idle_seconds > 0] * 2
        assert slots.is_one_free
        with slots.one() as first:
            assert first.trainer().introduction is not None, "a slot without a trainer is a free slot all the same"
    finally:
        slots.shut()
        slots.empty()


def test_a_trainer_with_other_plugins_than_are_known_is_not_gone_on_with() -> None:
    slot = Slot(0, SETTINGS, "cpu")
    slot.versions = {"model:of-yesterday": "1"}
    try:
        with pytest.raises(TrainerChanged, match="model:of-yesterday") as caught:
            slot.trainer()
        assert not caught.value.counts
    finally:
        slot.shut()
        slot.empty()


def test_trainers_are_of_the_environment_that_is_named(tmp_path: Path) -> None:
    """That a user's plugins are trained with there, which this environment lacks, the slow tests of packaging show."""
    environment = Environment.make(tmp_path / "environment")
    environment.borrow_everything()
    slot = Slot(0, SETTINGS.model_copy(update={"trainer_python": environment.python}), "cpu")
    try:
        assert Path(psutil.Process(slot.trainer().pid).cmdline()[0]) == environment.python
    finally:
        slot.shut()
        slot.empty()
