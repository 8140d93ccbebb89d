"""What a hostile plugin gets is a reason that can be shown; and the next job measures what it measures alone."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psutil
import pytest

from app.settings import Settings
from sufficiency.schemas.plain import plain_answer
from sufficiency.schemas.spec import JobSpec, PluginRef
from sufficiency.schemas.work import SplitSource, UnitCell
from sufficiency.training.messages import (
    Answer,
    AskSchedule,
    Failed,
    Measured,
    NotMeasurable,
    Request,
    RunUnit,
    Verified,
    VerifyDataset,
    Worn,
)
from tests.external.hostile import SPECS as HOSTILE
from tests.external.hostile import WAYS
from tests.support.external import ROOT
from tests.training.specs import SPECS
from worker.deaths import TrainerConfused, TrainerDied
from worker.slot import Slot

TRAIN = SplitSource("blobs", {"size": 60, "seed": 0})
TEST = SplitSource("blobs", {"size": 30, "seed": 1})
MOST_CHARACTERS = 20_000
MOST_MIB = 400
# One of each kind, tried before every change.
SOME = (
    "raises-of-its-own",
    "raises-endless",
    "raises-odd-text",
    "closes-stdout",
    "prints",
    "answers-very-many",
    "plans-very-many",
)


class Victim:
    """A slot, what a clean job measures on it, and what hostile ones get."""

    def __init__(self) -> None:
        self.ends: Counter[str] = Counter()
        self._slot = Slot(0, Settings(plugins=(*SPECS, *HOSTILE), plugin_path=(ROOT,), device="cpu"), "cpu")
        [found] = self._asked(VerifyDataset(subject=uuid4(), attempt=1, train=TRAIN, test=TEST))
        assert isinstance(found, Verified)
        self._fingerprint = found.fingerprint
        self._memory = self._resident()
        self._alone = self._clean()

    def close(self) -> None:
        """End it."""
        self._slot.shut()
        self._slot.empty()

    def suffers(self, name: str) -> None:
        """Run a hostile plugin, and assert that what is said of it can be shown, and that nobody else notices."""
        try:
            told = self._asked(self._request(name))
        except (TrainerDied, TrainerConfused) as death:
            error = death.error({"run": 0, "step": 0, "n": 10, "phase": "cell"})
            self.ends[f"{WAYS[name].kind}: {error['code']}"] += 1
        else:
            error = self._error(told)
            self.ends[f"{WAYS[name].kind}: {error['code'] if error else told[-1].type}"] += 1
            assert self._resident() - self._memory < MOST_MIB, name
        if error is not None:
            said = json.dumps(error)
            assert len(said) < MOST_CHARACTERS, name
            assert error["detail"], name
            assert plain_answer(error) == error, name  # no escape, no NUL, nothing that turns a text round
        assert self._clean() == self._alone, name

    @staticmethod
    def _error(told: list[Answer]) -> dict[str, Any] | None:
        for answer in told:
            match answer:
                case Failed(error=error):
                    return error
                case NotMeasurable(failure=failure):
                    return failure.error
        return None

    def _request(self, name: str) -> Request:
        way = WAYS[name]
        if way.kind == "schedule":
            return AskSchedule(subject=uuid4(), attempt=1, plugin=PluginRef(name=name), size=60)
        return self._unit(**{way.kind: PluginRef(name=name)})

    def _unit(self, **plugins: PluginRef) -> RunUnit:
        usual = {"training": PluginRef(name="descent"), "evaluation": PluginRef(name="accuracy")}
        return RunUnit(
            subject=uuid4(),
            attempt=1,
            job=uuid4(),
            spec=JobSpec(model=PluginRef(name="linear"), dataset="blobs", **(usual | plugins)),
            device="cpu",
            train=TRAIN,
            test=TEST,
            fingerprint=self._fingerprint,
            cells=tuple(UnitCell(0, step, n) for step, n in enumerate((10, 40))),
        )

    def _clean(self) -> list[Any]:
        told = self._asked(self._unit())
        assert told[-1].type == "done", told[-1]
        return [answer.result.values for answer in told if isinstance(answer, Measured)]

    def _asked(self, request: Request) -> list[Answer]:
        """Return all answers to a request; a trainer that asks to be replaced is replaced, as a supervisor does."""
        trainer = self._slot.trainer()
        trainer.send(request)
        told: list[Answer] = []
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if (answer := trainer.receive()) is None:
                continue
            if isinstance(answer, Worn):
                trainer = self._slot.renewed(answer.why)
                self._memory = self._resident()
                trainer.send(request)
                continue
            told.append(answer)
            if answer.is_last:
                return told
        raise AssertionError(f"no end after {told}")

    def _resident(self) -> float:
        return psutil.Process(self._slot.trainer().pid).memory_info().rss / 2**20


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    victim = Victim()
    yield victim
    victim.close()


@pytest.mark.parametrize("name", SOME)
def test_some(victim: Victim, name: str) -> None:
    victim.suffers(name)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_more_than_a_hundred(victim: Victim, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(WAYS) > 100
    wrong = []
    for name in WAYS:
        try:
            victim.suffers(name)
        except AssertionError as error:
            wrong.append(f"{name}: {error}")
    with capsys.disabled():
        print(f"\n{len(WAYS)} hostile plugins: {dict(sorted(victim.ends.items()))}")
    assert not wrong, "\n".join(wrong)
