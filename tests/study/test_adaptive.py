"""A study in this process chooses its cells as a job of the service does, and goes on as if never interrupted."""

from pathlib import Path
from typing import Any

import pytest

import sufficiency
from sufficiency import Interrupted, InvalidStudy
from tests.study.subjects import StopAfter, parts, values

GRID = {"plan": "adaptive", "stop_when": {"width": 1e-9, "n": 640}}  # never decided


def test_it_measures_a_run_and_stops_where_its_question_is_decided() -> None:
    study = sufficiency.run(**parts(runs=5, stop_when={"target": 0.1, "n": 160, "probability": 0.9}))
    design = study["design"]
    assert (study.state, design["stopped"], design["stages"]) == ("completed", "decided", 1)
    assert design["saved"] == pytest.approx(0.8)
    assert study["progress"]["cells_total"] == len(study.record.steps)
    assert study["spec"]["plan"] == "adaptive"


def test_what_is_not_decided_goes_on_to_the_grid() -> None:
    study, grid = sufficiency.run(**parts(**GRID)), sufficiency.run(**parts())
    assert (study["design"]["stopped"], study["design"]["saved"]) == ("grid", 0.0)
    assert sorted(values(study)[:4]) == sorted(values(grid)[:4])


def test_a_budget_ends_it() -> None:
    study = sufficiency.run(**parts(runs=5, budget={"training_items": 700}))
    assert study["design"]["stopped"] == "budget"
    assert 310 <= study["design"]["spent"] <= 700


@pytest.mark.parametrize("cells", [3, 7, 11])
def test_an_interrupted_study_chooses_as_one_that_was_not(tmp_path: Path, cells: int) -> None:
    whole = sufficiency.run(**parts(runs=4, budget={"training_items": 900}))
    file = tmp_path / "study.jsonl"
    with pytest.raises(Interrupted):
        sufficiency.run(**parts(runs=4, budget={"training_items": 900}, evaluation=StopAfter(cells)), resume=file)
    again = sufficiency.run(**parts(runs=4, budget={"training_items": 900}, evaluation=StopAfter(1000)), resume=file)
    assert again.record.cells.keys() == whole.record.cells.keys()
    assert again["design"] == whole["design"]
    assert sufficiency.load(file)["design"] == whole["design"]


@pytest.mark.parametrize(
    ("asked", "pointer", "says"),
    [
        ({"plan": "grid", "stop_when": {"width": 0.1}}, "plan", "leave out one"),
        ({"protocol": "dataeval", "stop_when": {"width": 0.1}}, "protocol", "one sequence"),
        ({"stop_when": {"width": 2.0}}, "stop_when.width", "before anything is measured"),
        ({"stop_when": {"target": 1.2}}, "stop_when.target", "outside"),
        ({"stop_when": {"width": 0.1}, "schedule": [10, 20]}, "stop_when", "never be met"),
        ({"stop_when": {"width": 0.1, "n": 10**9}}, "stop_when.n", "1024 times"),
        ({"budget": {"training_items": 5}}, "budget", "the first stage, a run, takes 310"),
        ({"budget": {"sgd_steps": 5000}}, "budget", "name training_items"),
        ({"stop_when": {}}, "stop_when", "name what is to hold"),
        ({"budget": {"money": 3.0}}, "budget", "belong together"),
        ({"budget": {"money": 1e15, "price": 5e-324}}, "price", "1e-09"),
    ],
    ids=["grid", "sequence", "wide", "target", "steps", "far", "small", "unit", "nothing", "price", "cheap"],
)
def test_what_cannot_be_is_said_before_anything_is_measured(asked: dict[str, Any], pointer: str, says: str) -> None:
    metrics = {"Accuracy": {"direction": "maximize", "bounds": [0, 1]}}
    with pytest.raises(InvalidStudy, match=says) as caught:
        sufficiency.run(**parts(metrics=metrics, **asked))
    assert caught.value.errors[0]["pointer"].endswith(pointer)
