"""What is sent is what is received, bit for bit; what is no message is told apart."""

import json
import math
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from sufficiency.schemas.spec import JobSpec, PluginRef
from sufficiency.schemas.work import CellResult, PluginDescription, PluginFailure, SplitPart, SplitSource, UnitCell
from sufficiency.training.messages import (
    AskSchedule,
    Done,
    Failed,
    Identified,
    Identify,
    Introduction,
    Measured,
    RunUnit,
    Started,
    Steps,
    Verified,
    VerifyDataset,
    Worn,
    read_answer,
    read_request,
)

ABOUT: dict[str, Any] = {"subject": uuid4(), "attempt": 3}
SAID: dict[str, Any] = {**ABOUT, "pid": 77}
SPLIT = SplitSource("npz", {"path": "a.npz", "limit": None}, SplitPart("train", 0.3, seed=2**62), standardise=True)
IT = PluginRef(name="it", params={"x": [1, 2.5, {"y": "ä\n"}]})
SPEC = JobSpec(model=IT, training=IT, evaluation=IT, dataset="d", seed=2**62, schedule=[5, 2**52])

REQUESTS = [
    RunUnit(
        **ABOUT,
        job=uuid4(),
        spec=SPEC,
        device="cpu",
        train=SPLIT,
        test=SPLIT,
        fingerprint="f",
        cells=(UnitCell(0, 1, 5, done=True),),
    ),
    Identify(**ABOUT, job=uuid4(), spec=SPEC, device="cpu", fingerprint="f"),
    VerifyDataset(**ABOUT, train=SPLIT, test=SplitSource("npz")),
    AskSchedule(**ABOUT, plugin=IT, size=60),
]
ANSWERS = [
    Introduction(
        pid=77,
        plugins=(PluginDescription("model", "it", "1", "A model.", {"type": "object"}, {"missing": "torch"}, ["cpu"]),),
        errors=(PluginFailure("model:x=y:z", "ImportError: no y", ["line 1"]),),
        devices=("cpu", "cuda"),
        gpus=2,
    ),
    Started(**SAID, cell=UnitCell(0, 1, 5)),
    Measured(**SAID, result=CellResult(0, 1, 5, 0.1, "cpu", [("Accuracy", -1, None), ("Recall", 0, 1 / 3)])),
    Measured(**SAID, result=CellResult(0, 1, 5, 0.1, "cpu", identity="k" * 32)),
    Done(**SAID),
    Identified(**SAID, identity="k" * 32),
    Identified(**SAID, identity=None),
    Worn(**SAID, why="another job changed mystudy.CACHE"),
    Failed(**SAID, error={"code": "plugin_raised", "where": {"run": 0}, "traceback": ["a\nb"]}),
    Verified(**SAID, info={"train": {"size": 3}}, fingerprint="f", preview=bytes(range(256))),
    Verified(**SAID, info={}, fingerprint="f"),
    Steps(**SAID, steps=[1, 2]),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda message: message.type)
def test_a_request_is_received_as_it_was_sent(request_: Any) -> None:
    line = request_.encoded()
    assert b"\n" not in line
    assert read_request(line) == request_


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda message: message.type)
def test_an_answer_is_received_as_it_was_sent(answer: Any) -> None:
    line = answer.encoded()
    assert b"\n" not in line
    assert read_answer(line) == answer


def test_every_number_arrives_bit_for_bit() -> None:
    drawn = np.random.default_rng(0).integers(0, 2**64, 20_000, dtype=np.uint64).view(np.float64).tolist()
    numbers = [x for x in drawn if math.isfinite(x)] + [0.1, -0.0, 5e-324, 1.7976931348623157e308, 2**53 + 1.0]
    sent = Measured(**SAID, result=CellResult(0, 0, 1, 0.1, "cpu", [("m", k, x) for k, x in enumerate(numbers)]))
    received = read_answer(sent.encoded())
    assert isinstance(received, Measured)
    values = [value for _, _, value in received.result.values]
    assert np.array(values, float).tobytes() == np.array(numbers).tobytes()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b'{"type": "done"}',
        b'{"type": "unheard-of"}',
        Done(**SAID).encoded()[:-1] + Done(**SAID).encoded(),
        json.dumps({**json.loads(Done(**SAID).encoded()), "more": 1}).encode(),
        REQUESTS[0].encoded(),
    ],
)
def test_what_is_no_answer_is_told_apart(line: bytes) -> None:
    with pytest.raises(ValueError):
        read_answer(line)


def test_a_value_that_json_cannot_hold_arrives_as_a_missing_one() -> None:
    sent = Measured(**SAID, result=CellResult(0, 0, 1, 0.1, "cpu", [("m", -1, math.nan), ("k", -1, -math.inf)]))
    received = read_answer(sent.encoded())
    assert isinstance(received, Measured)
    assert [value for _, _, value in received.result.values] == [None, None]


def test_text_of_plugins_arrives_plain_whoever_has_put_it_in() -> None:
    odd = {"detail": "a\x1b[31m\u202e\x07\r\x85b\n\tc\u00e4\\u", "traceback": ["\x9bx"], "\x1b": {"n": 1.5}}
    sent = json.dumps({**json.loads(Failed(**SAID, error={}).encoded()), "error": odd})
    plain = {
        "detail": "a\\x1b[31m\\u202e\\x07\\r\\x85b\n\tc\u00e4\\u",
        "traceback": ["\\x9bx"],
        "\\x1b": {"n": 1.5},
    }
    assert read_answer(sent.encode()) == Failed(**SAID, error=plain)
    assert read_answer(json.dumps(json.loads(sent), ensure_ascii=False).encode()) == Failed(**SAID, error=plain)


def test_a_split_is_read_as_the_catalog_keeps_it() -> None:
    part = {"name": "test", "test_fraction": 0.25, "seed": 1, "stratify": False, "group_by": "site"}
    kept = {"loader": "npz", "params": {"path": "x"}, "part": part, "standardise": True}
    whole = SplitSource("npz", {"path": "x"}, SplitPart("test", 0.25, 1, False, "site"), True)
    assert SplitSource.registered(kept) == whole
    assert SplitSource.registered({"loader": "npz"}) == SplitSource("npz")
