"""``python -m tests.training.after_dirty``: a clean job after each dirty one, each pair in a fork of one trainer.

Prints a line of JSON for each: what the clean jobs measured, or why the trainer asked to be replaced.
"""

import json
import os
import sys
from typing import Any
from uuid import UUID

from sufficiency.schemas.spec import JobSpec, PluginRef
from sufficiency.schemas.work import SplitPart, SplitSource, UnitCell
from sufficiency.training.messages import Failed, Measured, RunUnit, Verified, VerifyDataset, Worn
from sufficiency.training.registry import Registry
from sufficiency.training.repeatable import make_repeatable
from sufficiency.training.trainer import Trainer
from tests.external.dirty_plugins import WAYS

PLUGINS = [f"training:{name.lower()}=tests.external.dirty_plugins:{name}" for name in ("Dirty", "Shared", "Drawn")]
TRAIN = SplitSource("npz", {"path": "set.npz"}, SplitPart("train"))
TEST = SplitSource("npz", {"path": "set.npz"}, SplitPart("test"))
# After these the clean jobs of plugins that draw numbers by themselves are tried too.
DRAWN_ON = ("global-draws", "own-cache", "own-class", "own-generator", "patched-numpy", "numpy-generator")
CLEAN = {
    "built-in": PluginRef(name="sgd-classifier", params={"epochs": 2}),
    "shared": PluginRef(name="shared"),
    "drawn": PluginRef(name="drawn"),
}


def unit(number: int, training: PluginRef, fingerprint: str) -> RunUnit:
    """Return a unit of a job of its own."""
    metrics = {"metrics": ["accuracy", "log_loss", "f1"]}
    spec = JobSpec(
        model=PluginRef(name="mlp", params={"dropout": 0.2}),
        training=training,
        evaluation=PluginRef(name="classification", params=metrics),
        dataset="set",
    )
    cells = tuple(UnitCell(0, step, n) for step, n in enumerate((40, 80)))
    about: dict[str, Any] = {"subject": UUID(int=number), "job": UUID(int=number), "attempt": 1}
    return RunUnit(**about, spec=spec, device="cpu", train=TRAIN, test=TEST, fingerprint=fingerprint, cells=cells)


class Process:
    """A trainer, and what it says."""

    def __init__(self) -> None:
        make_repeatable()
        self.said: list[Any] = []
        self.trainer = Trainer(Registry.load(PLUGINS), self.said.append)

    def asked(self, request: Any) -> list[Any]:
        """Return the answers to a request."""
        self.said.clear()
        self.trainer.answer(request)
        return list(self.said)

    def measured(self, number: int, training: PluginRef, fingerprint: str) -> Any:
        """Return what a job measures, or why it does not."""
        told = self.asked(unit(number, training, fingerprint))
        match told[-1]:
            case Worn(why=why):
                return {"worn": why}
            case Failed(error=error):
                return {"failed": error["code"], "detail": error["detail"]}
        return {"values": [one.result.values for one in told if isinstance(one, Measured)]}


def in_a_fork(work: Any) -> Any:
    """Return what some work returns in a copy of this process."""
    ours, theirs = os.pipe()
    if (child := os.fork()) == 0:
        try:
            answer = json.dumps(work(), default=str)
        except BaseException as error:
            answer = json.dumps({"broke": repr(error)})
        os.write(theirs, answer.encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said) if said else {"broke": "it died"}


def main(ways: list[str]) -> None:
    """Try each way."""
    process = Process()
    (found,) = process.asked(VerifyDataset(subject=UUID(int=1), attempt=1, train=TRAIN, test=TEST))
    assert isinstance(found, Verified), found

    # What is imported when it is first needed would take seconds in each fork.
    process.measured(2, CLEAN["built-in"], found.fingerprint)

    def clean(name: str, *, forked: bool) -> Any:
        def work() -> Any:
            return process.measured(3, CLEAN[name], found.fingerprint)

        return in_a_fork(work) if forked else work()

    def after(how: str) -> dict[str, Any]:
        dirty = process.measured(4, PluginRef(name="dirty", params={"how": how}), found.fingerprint)
        others = ("shared", "drawn") if how in DRAWN_ON else ()
        return {
            "dirty": dirty,
            **{name: clean(name, forked=True) for name in others},
            "built-in": clean("built-in", forked=False),
        }

    print(json.dumps({"way": None, **{name: clean(name, forked=True) for name in CLEAN}}), flush=True)
    for how in ways:
        print(json.dumps({"way": how, **in_a_fork(lambda how=how: after(how))}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(WAYS))
