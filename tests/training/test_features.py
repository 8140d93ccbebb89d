"""Frozen features: what a model's last layer is given, once, kept, and known again by the items and the model."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import torch
from torch import nn

from sufficiency.plugins.datasets import load_digits
from sufficiency.schemas.spec import JobSpec
from sufficiency.schemas.work import FeatureSource, SplitSource, UnitCell
from sufficiency.training import features
from sufficiency.training.faults import Fault
from sufficiency.training.messages import Failed, Measured, RunUnit, Verified, VerifyDataset
from sufficiency.training.registry import Registry
from sufficiency.training.splits import SplitReader
from sufficiency.training.trainer import Trainer

passes: list[int] = []


class Backbone(nn.Module):
    """A model with a head, whose weights are drawn."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, width: int = 12) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(input_shape[-1] * input_shape[-2], width), nn.ReLU())
        self.other = nn.Conv2d(1, 1, 3)
        self.head = nn.Linear(width, num_classes)

    def forward(self, x: Any) -> Any:
        passes.append(len(x))
        return self.head(self.body(x))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    passes.clear()
    return tmp_path / "sufficiency" / "features"


def registry() -> Registry:
    return Registry.load([f"model:backbone={__name__}:Backbone"])


def sources(**more: Any) -> tuple[SplitSource, SplitSource]:
    step = FeatureSource(**{"model": "backbone", **more})
    return tuple(  # type: ignore[return-value]
        SplitSource("digits", {"split": split, "limit": 300}, features=step) for split in ("train", "test")
    )


def test_they_are_what_the_head_is_given_and_are_computed_once(cache: Path) -> None:
    splits = SplitReader(registry()).read_anew(*sources())
    assert splits.info["input_shape"] == [12]
    [note] = [one for one in splits.info["notes"] if one["code"] == "features"]
    assert "each item of shape 1×8×8 is the 12 numbers that the layer 'head' of model:backbone" in note["detail"]
    torch.manual_seed(0)
    whole = load_digits("train", limit=300)
    from sufficiency.training.repeatable import seed_everything

    seed_everything(np.random.SeedSequence(entropy=0))
    model = Backbone((1, 8, 8), 10)
    with torch.no_grad():
        expected = model.body(torch.tensor(whole.x)).numpy()
    assert np.allclose(splits.train.x, expected, atol=1e-6)
    assert np.array_equal(splits.train.y, whole.y)
    assert len(list(cache.glob("*.npy"))) == 2
    passes.clear()
    again = SplitReader(registry()).read_anew(*sources())
    assert passes == []
    assert again.fingerprint == splits.fingerprint
    assert np.array_equal(again.train.x, splits.train.x)
    # Another model, and another layer, are another dataset.
    assert SplitReader(registry()).read_anew(*sources(params={"width": 7})).fingerprint != splits.fingerprint
    assert SplitReader(registry()).read_anew(*sources(head="body.1")).info["input_shape"] == [64]


def test_what_is_kept_is_bounded_and_a_damaged_file_is_computed_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = SplitReader(registry()).read_anew(*sources())
    for file in cache.glob("*.npy"):
        file.write_bytes(file.read_bytes()[:200])
    assert np.array_equal(SplitReader(registry()).read_anew(*sources()).train.x, first.train.x)
    monkeypatch.setattr(features, "MOST_BYTES_KEPT", 100)
    SplitReader(registry()).read_anew(*sources(params={"width": 9}))
    assert len(list(cache.glob("*.npy"))) == 1
    monkeypatch.setattr(features, "MOST_BYTES", 100)
    with pytest.raises(Fault, match="name a later layer as `head`"):
        SplitReader(registry()).read_anew(*sources(params={"width": 8}))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"head": "neck"}, "has no layer 'neck'; its last ones are"),
        ({"head": "other"}, "is not called once with a row an item"),
        ({"model": "none"}, "no model plugin 'none'"),
    ],
)
def test_a_wrong_head_is_said(more: dict[str, Any], said: str) -> None:
    with pytest.raises(Fault) as refused:
        SplitReader(registry()).read_anew(*sources(**more))
    assert said in refused.value.error["detail"]


def test_a_linear_probe_on_them_is_a_study() -> None:
    answers: list[Any] = []
    trainer = Trainer(registry(), answers.append)
    train, test = sources(params={"width": 64})
    job = uuid4()  # one for both: what this module counts in between would be another job's traces
    trainer.answer(VerifyDataset(subject=job, attempt=1, train=train, test=test))
    [verified] = [one for one in answers if isinstance(one, Verified)]
    spec = {
        "model": {"name": "sklearn", "params": {"estimator": "LogisticRegression"}},
        "training": {"name": "fit-estimator"},
        "evaluation": {"name": "classification", "params": {"metrics": ["accuracy"]}},
        "dataset": "features",
    }
    cells = tuple(UnitCell(0, step, n) for step, n in enumerate((30, 300)))
    passes.clear()
    trainer.answer(
        RunUnit(
            subject=uuid4(),
            job=job,
            attempt=1,
            spec=JobSpec.model_validate(spec),
            device="cpu",
            train=train,
            test=test,
            fingerprint=verified.fingerprint,
            cells=cells,
        )
    )
    assert not [one.error for one in answers if isinstance(one, Failed)]
    values = [one.result.values[0][2] for one in answers if isinstance(one, Measured)]
    assert values[1] > values[0] > 0.2
    assert values[1] > 0.7
    assert passes == []
