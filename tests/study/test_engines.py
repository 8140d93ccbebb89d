"""A study whose models are trained several at once: the values of one by one, whatever processes and interruptions."""

from pathlib import Path
from typing import Any

import pytest
import torch

import sufficiency
from sufficiency.study.errors import InvalidStudy
from sufficiency.study.result import StudyResult

STUDY: dict[str, Any] = {
    "model": {"name": "mlp", "params": {"hidden": [8]}},
    "training": {"name": "sgd-classifier", "params": {"lr": 0.05, "epochs": 2, "batch_size": 16}},
    "evaluation": {"name": "classification", "params": {"metrics": ["log_loss"]}},
    "train": {"loader": "digits", "params": {"split": "train"}},
    "test": {"loader": "digits", "params": {"split": "test"}},
    "schedule": [20, 50, 120],
    "runs": 2,
}


def study(**changes: Any) -> StudyResult:
    return sufficiency.run(**{**STUDY, **changes})


def values(found: StudyResult) -> dict[tuple[Any, ...], float | None]:
    return {(one.run, one.step, one.metric, one.class_index): one.value for one in found.record.values()}


@pytest.fixture(scope="module")
def stacked() -> StudyResult:
    return study(engine="stacked")


def test_it_measures_what_one_by_one_does_and_says_how(stacked: StudyResult) -> None:
    alone = study()
    assert stacked["engine"] == {"name": "stacked"}
    assert "engine" not in alone
    assert len(values(stacked)) == 6
    # In float32 the sums of a step are rounded otherwise.
    assert values(stacked) == pytest.approx(values(alone), rel=1e-3)


@pytest.mark.slow  # of cells that are trained one by one, test_run.py has it each time
def test_processes_make_no_difference(stacked: StudyResult, monkeypatch: pytest.MonkeyPatch) -> None:
    assert values(study(engine="stacked", workers=2)) == values(stacked)


def test_a_study_that_is_resumed_measures_the_same(stacked: StudyResult, tmp_path: Path) -> None:
    file = tmp_path / "study.jsonl"
    study(engine="stacked", resume=file)
    lines = file.read_text().splitlines(keepends=True)
    cells = [k for k, line in enumerate(lines) if line.startswith('{"cell"')]
    file.write_text("".join(lines[: cells[2]]))  # as a kill after the second cell leaves it
    assert values(study(engine="stacked", resume=file)) == values(stacked)
    with pytest.raises(InvalidStudy, match="differs in engine"):
        study(resume=file)


def test_an_adaptive_study_is_stacked_stage_by_stage() -> None:
    asked = {"plan": "adaptive", "budget": {"sgd_steps": 60}}
    alone, together = study(**asked), study(**asked, engine="stacked")
    assert together["design"]["spent"] == alone["design"]["spent"]
    assert values(together) == pytest.approx(values(alone), rel=1e-3)


def test_what_cannot_be_stacked_is_measured_all_the_same() -> None:
    model = {"name": "mlp", "params": {"hidden": [8], "dropout": 0.5}}
    found = study(model=model, engine="stacked")
    assert found["engine"]["name"] == "sequential"
    assert "draws random numbers" in found["engine"]["why"]
    assert values(found) == values(study(model=model))


def test_runs_that_are_one_sequence_cannot_be_stacked() -> None:
    with pytest.raises(InvalidStudy, match="take protocol: independent"):
        study(engine="stacked", protocol="dataeval")


def test_a_gpu_that_is_not_there_is_told_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InvalidStudy, match="no CUDA device here"):
        study(device="cuda")
