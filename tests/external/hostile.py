"""More than a hundred plugins that raise, answer nonsense, talk too much, or leave the process otherwise than it was.

None harms what is outside of the trainer that runs it. `WAYS` has each by name; `SPECS` is what a worker is told.
"""

import asyncio
import builtins
import decimal
import fractions
import gc
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

MANY = 3_000_000


@dataclass(frozen=True)
class Way:
    """How a plugin misbehaves."""

    kind: str
    plugin: type


WAYS: dict[str, Way] = {}


def _add(kind: str, name: str, method: str, behave: Callable[..., Any]) -> None:
    def act(self: Any, *given: Any) -> Any:
        return behave(*given)

    plugin = type(name.title().replace("-", ""), (), {method: act, "__doc__": f"{name}.", "__module__": __name__})
    globals()[plugin.__name__] = plugin
    WAYS[name] = Way(kind, plugin)


def _raising(error: BaseException | type[BaseException]) -> Callable[..., Any]:
    def behave(*_: Any) -> Any:
        raise error

    return behave


class Unsayable(Exception):
    """Cannot be said."""

    def __str__(self) -> str:
        raise ValueError("nor this")

    __repr__ = __str__


class OfItsOwn(BaseException):
    """Nothing that `except Exception` sees."""


def _in_circles() -> Exception:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    return one


ERRORS: dict[str, BaseException | type[BaseException]] = {
    "value": ValueError("no"),
    "key": KeyError(object()),
    "os": OSError(28, "No space left on device"),
    "memory": MemoryError(),
    "recursion": RecursionError("maximum recursion depth exceeded"),
    "assertion": AssertionError,
    "stop-iteration": StopIteration(3),
    "generator-exit": GeneratorExit(),
    "keyboard": KeyboardInterrupt(),
    "exit-0": SystemExit(0),
    "exit-text": SystemExit("bye"),
    "cancelled": asyncio.CancelledError(),
    "unsayable": Unsayable(),
    "of-its-own": OfItsOwn("own"),
    "endless": ValueError("x" * MANY),
    "odd-text": ValueError("a\0b\x1b[31m\ud800\u202e"),
    "group": ExceptionGroup("all", [ValueError(str(k)) for k in range(500)]),
    "in-circles": _in_circles(),
    "a-warning": UserWarning("careful"),
    "a-timeout": TimeoutError(),
}
for _name, _error in ERRORS.items():
    _add("training", f"raises-{_name}", "train", _raising(_error))


def _thread(goes_on: float) -> Callable[..., Any]:
    def behave(*_: Any) -> None:
        threading.Thread(target=lambda: time.sleep(goes_on), daemon=True).start()

    return behave


def _child(*_: Any) -> None:
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _file(*_: Any) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(MANY))


def _nan_weights(model: Any, *_: Any) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)


def _seed(*_: Any) -> None:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)


def _quietly(change: Callable[[], Any]) -> Callable[..., Any]:
    def behave(*_: Any) -> None:
        change()

    return behave


LEFT_BEHIND: dict[str, Callable[..., Any]] = {
    "prints": lambda *_: print("x" * MANY),
    "prints-lines": lambda *_: print("\n".join("line" for _ in range(200_000))),
    "prints-errors": lambda *_: sys.stderr.write("y" * MANY) and None,
    "prints-escapes": lambda *_: print("\x1b]0;title\x07\x1b[2J\0"),
    "prints-bytes": lambda *_: os.write(1, bytes(range(256))) and None,
    "sleeps": lambda *_: time.sleep(0.3),
    "thread-that-ends": _thread(0.0),
    "thread-that-goes-on": _thread(3.0),
    "child": _child,
    "command": lambda *_: subprocess.run(["true"], check=True) and None,
    "file": _file,
    "changes-folder": lambda *_: os.chdir("/"),
    "changes-mask": lambda *_: os.umask(0) and None,
    "changes-environment": lambda *_: os.environ.clear(),
    "changes-path": lambda *_: sys.path.insert(0, "/nowhere"),
    "forgets-a-module": lambda *_: sys.modules.pop("fractions", None) and None,
    "no-garbage-collected": lambda *_: gc.disable(),
    "ignores-signals": lambda *_: signal.signal(signal.SIGUSR1, signal.SIG_IGN) and None,
    "recursion-limit": lambda *_: sys.setrecursionlimit(5000),
    "numpy-raises": lambda *_: np.seterr(all="raise") and None,
    "torch-doubles": lambda *_: torch.set_default_dtype(torch.float64),
    "torch-no-gradients": lambda *_: torch.set_grad_enabled(False) and None,
    "torch-threads": lambda *_: torch.set_num_threads(3),
    "warnings-raise": lambda *_: warnings.simplefilter("error"),
    "seeds": _seed,
    "no-stdout": _quietly(lambda: setattr(sys, "stdout", None)),
    "closes-stdout": lambda *_: sys.stdout.close(),
    "other-print": _quietly(lambda: setattr(builtins, "print", len)),
    "other-hook": _quietly(lambda: setattr(sys, "excepthook", len)),
    "other-json": _quietly(lambda: setattr(json, "dumps", len)),
    "timeouts": lambda *_: socket.setdefaulttimeout(0.001),
    "traces": lambda *_: sys.settrace(lambda *_: None),
    "profiles": lambda *_: threading.setprofile(lambda *_: None),
    "nan-weights": _nan_weights,
    "deletes-weights": lambda model, *_: model.__dict__.clear(),
    "returns": lambda *_: object(),
}
for _name, _behave in LEFT_BEHIND.items():
    _add("training", _name, "train", _behave)


class Secretive(dict[str, float]):
    """Does not say what it holds."""

    def items(self) -> Any:
        raise RuntimeError("not yours")

    __iter__ = keys = values = items


ANSWERS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "number": lambda: 0.5,
    "text": lambda: "rather good",
    "list": lambda: [0.5],
    "empty": dict,
    "numbered": lambda: {1: 0.5},
    "nameless": lambda: {"": 0.5},
    "text-value": lambda: {"Accuracy": "0.5"},
    "none-value": lambda: {"Accuracy": None},
    "nan": lambda: {"Accuracy": float("nan")},
    "infinite": lambda: {"Accuracy": float("inf")},
    "below-infinite": lambda: {"Accuracy": float("-inf")},
    "too-large": lambda: {"Accuracy": 10**400},
    "large": lambda: {"Accuracy": 1e308},
    "complex": lambda: {"Accuracy": 1j},
    "bytes": lambda: {"Accuracy": b"0.5"},
    "object": lambda: {"Accuracy": object()},
    "nested": lambda: {"Accuracy": {"a": 1}},
    "no-classes": lambda: {"Recall": []},
    "deep": lambda: {"Recall": [[0.5]]},
    "mixed": lambda: {"Recall": [0.5, "x"]},
    "array": lambda: {"Accuracy": np.array(0.5)},
    "tensor": lambda: {"Accuracy": torch.tensor(0.5, requires_grad=True)},
    "a-matrix": lambda: {"Accuracy": np.zeros((3, 3))},
    "true": lambda: {"Accuracy": True},
    "decimal": lambda: {"Accuracy": decimal.Decimal("0.5")},
    "fraction": lambda: {"Accuracy": fractions.Fraction(1, 2)},
    "very-many": lambda: {f"metric-{k}": 0.5 for k in range(50_000)},
    "many-classes": lambda: {"Recall": [0.5] * 200_000},
    "a-long-name": lambda: {"x" * MANY: 0.5},
    "nul-in-name": lambda: {"a\0b": 0.5},
    "escape-in-name": lambda: {"a\x1b[31m\nb": 0.5},
    "half-a-character": lambda: {"\ud800": 0.5},
    "generator": lambda: (x for x in ()),
    "secretive": lambda: Secretive(Accuracy=0.5),
    "read-only": lambda: types.MappingProxyType({"Accuracy": 0.5}),
    "other-names-each-time": lambda: {f"metric-{time.monotonic_ns()}": 0.5},
    "other-lengths-each-time": lambda: {"Recall": [0.5] * (1 + time.monotonic_ns() % 7)},
}
for _name, _answer in ANSWERS.items():
    _add("evaluation", f"answers-{_name}", "evaluate", lambda *_, answer=_answer: answer())
for _name in ("value", "exit-0", "of-its-own", "endless", "unsayable", "odd-text"):
    _add("evaluation", f"evaluation-raises-{_name}", "evaluate", _raising(ERRORS[_name]))

PLANS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "nothing": list,
    "zero": lambda: [0],
    "below": lambda: [-1],
    "beyond": lambda: [10**12],
    "texts": lambda: ["a"],
    "backwards": lambda: [20, 10],
    "twice": lambda: [10, 10],
    "nan": lambda: [float("nan")],
    "halves": lambda: [10.5],
    "very-many": lambda: list(range(1, MANY)),
    "generator": lambda: (k for k in (10, 20)),
}
for _name, _plan in PLANS.items():
    _add("schedule", f"plans-{_name}", "get_steps", lambda *_, plan=_plan: plan())
for _name in ("value", "exit-0", "of-its-own"):
    _add("schedule", f"plan-raises-{_name}", "get_steps", _raising(ERRORS[_name]))

SPECS = tuple(f"{way.kind}:{name}={__name__}:{way.plugin.__name__}" for name, way in WAYS.items())
