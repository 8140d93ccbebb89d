"""A study in this process: the service's numbers, kept across interruptions, and nothing of the process changed."""

import json
import random
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from torch import nn

import sufficiency
from sufficiency import ApiError, Interrupted, InvalidStudy, StudyFailed, StudyResult
from sufficiency.plugins.datasets import load_digits
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.models import MLP
from sufficiency.plugins.training import SGDClassifier
from sufficiency.schemas.spec import JobSpec
from sufficiency.schemas.words import NEWEST_SAMPLING
from sufficiency.schemas.work import SplitSource, UnitCell
from sufficiency.training.messages import Failed, Measured, RunUnit, Verified, VerifyDataset
from sufficiency.training.registry import Registry
from sufficiency.training.repeatable import make_repeatable
from sufficiency.training.trainer import Trainer
from tests.study.subjects import SIZES, Evaluate, Mean, StopAfter, TooSmall, Train, items, parts, values

SPLITS = {name: {"loader": "digits", "params": {"split": name, "limit": 200}} for name in ("train", "test")}
SPEC: dict[str, Any] = {
    "model": {"name": "mlp", "params": {"hidden": [16], "dropout": 0.2}},
    "training": {"name": "sgd-classifier", "params": {"epochs": 2, "batch_size": 16}},
    "evaluation": {"name": "classification", "params": {"metrics": ["accuracy", "log_loss", "recall_per_class"]}},
    "runs": 2,
    "substeps": 3,
    "seed": 5,
}


def of_a_trainer(spec: dict[str, Any], steps: list[int]) -> list[tuple[Any, ...]]:
    """Return what a worker's trainer measures in the cells of a job."""
    answers: list[Any] = []
    train, test = (SplitSource(**split) for split in SPLITS.values())
    # Each as a trainer of its own, as after a start: this process has done much else before.
    Trainer(Registry.load(), answers.append).answer(VerifyDataset(subject=uuid4(), attempt=1, train=train, test=test))
    [verified] = [one for one in answers if isinstance(one, Verified)]
    unit = RunUnit(
        subject=uuid4(),
        attempt=1,
        job=uuid4(),
        spec=JobSpec.model_validate({**spec, "dataset": "digits"}),
        device="cpu",
        train=train,
        test=test,
        fingerprint=verified.fingerprint,
        cells=tuple(UnitCell(run, step, n) for run in range(spec["runs"]) for step, n in enumerate(steps)),
    )
    make_repeatable()
    Trainer(Registry.load(), answers.append).answer(unit)
    assert not [one.error for one in answers if isinstance(one, Failed)]
    return sorted(
        (one.result.run, one.result.step, steps[one.result.step], metric, None if index < 0 else str(index), value)
        for one in answers
        if isinstance(one, Measured)
        for metric, index, value in one.result.values
    )


@pytest.mark.parametrize("protocol", ["independent", "dataeval"])
def test_the_same_numbers_to_the_digit_as_a_trainer_s(protocol: str) -> None:
    spec = SPEC | {"protocol": protocol}
    study = sufficiency.run(**spec, **SPLITS, progress=False)
    assert study.state == study.view.state == "completed"
    theirs = of_a_trainer(spec | {"sampling": NEWEST_SAMPLING}, study["steps"])
    assert sorted(values(study), key=lambda row: (*row[:4], row[4] or "")) == sorted(
        theirs, key=lambda row: (*row[:4], row[4] or "")
    )
    assert study["metrics"]["LogLoss"]["direction"] == "minimize"


def test_objects_in_place_of_names_measure_the_same() -> None:
    named = sufficiency.run(**SPEC, **SPLITS, progress=False)
    given = SPEC | {
        "model": lambda input_shape, num_classes: MLP(input_shape, num_classes, hidden=[16], dropout=0.2),
        "training": SGDClassifier(epochs=2, batch_size=16),
        "evaluation": Classification(["accuracy", "log_loss", "recall_per_class"]),
    }
    train, test = load_digits("train", limit=200), load_digits("test", limit=200)
    assert values(sufficiency.run(**given, train=train, test=test, progress=False)) == values(named)
    pairs = {"train": (train.x, train.y), "test": (test.x, test.y)}
    assert values(sufficiency.run(**given, **pairs, progress=False)) == values(named)


def test_several_processes_measure_the_same_with_what_a_notebook_defines() -> None:
    rate = 2.0

    class Local(Train):
        def train(self, model: Mean, dataset: Any, indices: list[int]) -> None:
            assert rate == 2.0
            super().train(model, dataset, indices)

    one = sufficiency.run(**parts(training=Local()))
    two = sufficiency.run(**parts(training=Local(), workers=2))
    assert values(two) == values(one)
    assert len(values(one)) == 2 * len(SIZES) * 3


def test_a_process_s_error_is_raised_here_and_what_cannot_be_sent_is_named() -> None:
    with pytest.raises(StudyFailed, match="raised ZeroDivisionError: stop in run") as failed:
        sufficiency.run(**parts(evaluation=StopAfter(0, ZeroDivisionError), workers=2))
    assert isinstance(failed.value.__cause__, ZeroDivisionError)
    strategy: Any = Train()
    strategy.lock = threading.Lock()
    with pytest.raises(InvalidStudy, match="cannot be sent to other processes"):
        sufficiency.run(**parts(training=strategy, workers=2))


def test_an_interrupted_study_keeps_its_cells_and_goes_on(tmp_path: Path) -> None:
    whole = sufficiency.run(**parts())
    file = tmp_path / "study.jsonl"
    with pytest.raises(Interrupted, match=f"3 of 10 cells are measured and kept in {file}") as stopped:
        sufficiency.run(**parts(evaluation=StopAfter(3)), resume=file)
    assert isinstance(stopped.value, KeyboardInterrupt)
    assert stopped.value.study.state == sufficiency.load(file).state == "cancelled"
    assert values(stopped.value.study) == values(sufficiency.load(file)) == values(whole)[:9]
    on = StopAfter(100)
    done = sufficiency.run(**parts(evaluation=on), resume=stopped.value.study)
    assert (done.id, done.state) == (stopped.value.study.id, "completed")
    assert on.left == 100 - 7, "only what was missing"
    assert values(done) == values(whole)


def test_a_killed_process_loses_nothing_but_what_it_was_writing(tmp_path: Path) -> None:
    file = tmp_path / "study.jsonl"
    whole = sufficiency.run(**parts(), resume=file)
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:4]) + lines[4][:30])
    assert sufficiency.load(file)["progress"]["cells_done"] == 3
    again = sufficiency.run(**parts(), resume=file)
    assert values(again) == values(sufficiency.load(file)) == values(whole)
    assert sufficiency.load(file).state == "completed"
    more = sufficiency.run(**parts(runs=3), resume=file)
    assert values(more)[: len(values(whole))] == values(whole)
    assert more["progress"]["cells_total"] == 15


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"training": Train(rate=2.0)}, "training \\(its source or its settings\\)"),
        ({"evaluation": StopAfter(99)}, "evaluation"),
        ({"seed": 1}, "seed"),
        ({"schedule": [10, 20, 40]}, "steps"),
        ({"train": items(161)}, "data"),
        ({"protocol": "dataeval"}, "protocol"),
    ],
)
def test_the_file_of_another_study_is_refused_and_left_alone(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    file = tmp_path / "study.jsonl"
    sufficiency.run(**parts(), resume=file)
    before = file.read_bytes()
    with pytest.raises(InvalidStudy, match=f"another study: it differs in .*{named}"):
        sufficiency.run(**parts(**changes), resume=file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("text", ["", "hello\n", "{}\n", '{"format": "sufficiency.study", "version": 99}\n'])
def test_a_file_that_is_no_study_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(text)
    with pytest.raises(InvalidStudy, match=r"notes\.txt"):
        sufficiency.run(**parts(), resume=file)
    assert file.read_text() == text
    with pytest.raises(InvalidStudy, match=r"notes\.txt"):
        sufficiency.load(file)


def test_a_file_that_cannot_be_written_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    for place in (tmp_path / "missing" / "study.jsonl", tmp_path):
        with pytest.raises(InvalidStudy, match=r"cannot be (written|read)"):
            sufficiency.run(**parts(evaluation=StopAfter(0)), resume=place)
    with pytest.raises(InvalidStudy, match="cannot be written"):
        sufficiency.run(**parts()).save(tmp_path / "missing" / "study.jsonl")


def test_a_saved_study_is_the_same_study(tmp_path: Path) -> None:
    study = sufficiency.run(**parts(labels={"team": "vision"}))
    loaded = sufficiency.load(study.save(tmp_path / "study.jsonl"))
    assert isinstance(loaded, StudyResult)
    assert json.dumps(loaded) == json.dumps(study)
    for ask in (
        lambda s: s.project(500, np.int64(5000), metric="Accuracy", of="one_training"),
        lambda s: s.inv_project(0.9, "Recall:0.7"),
        lambda s: s.verdict(min_gain="Accuracy:0.01"),
        lambda s: s.measurements(),
        lambda s: s.curves(method="power_law"),
        lambda s: s.figure(target=0.9),
        lambda s: s.export("csv"),
        lambda s: s.table("project", {"n": [500]}),
        lambda s: s.to_dataeval().to_dataframe().rows(),
        lambda s: s.compare(study)["metrics"],
    ):
        assert ask(loaded) == ask(study)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study.jsonl"]


def test_a_question_is_refused_as_the_service_refuses_it() -> None:
    study = sufficiency.run(**parts(schedule=[10, 160]))
    for ask, status, code in (
        (lambda: study.project(100), 409, "not_enough_data"),
        (lambda: study.project(0), 422, "invalid_request"),
        (lambda: study.project(100, colour="red"), 422, "invalid_request"),
        (lambda: study.curves(method="magic"), 422, "invalid_request"),
        (lambda: study.project(100, metric="Precision"), 404, "unknown_metric"),
        (lambda: study.inv_project("much"), 422, "invalid_target"),
    ):
        with pytest.raises(ApiError) as refused:
            ask()
        assert (refused.value.status, refused.value.code) == (status, code)


def test_what_is_wrong_is_told_all_at_once() -> None:
    class Wrong:
        def train(self, model: Any) -> None:
            """Takes too little."""

    with pytest.raises(InvalidStudy) as refused:
        sufficiency.run(model=None, training=Wrong(), evaluation=object(), train=iter([]), test=[], runs=0)
    told = {one["pointer"]: one["detail"] for one in refused.value.errors}
    assert set(told) == {"model", "training", "evaluation", "train", "test", "runs"}
    assert "train() must take (model, dataset, indices)" in told["training"]
    assert "needs a method evaluate()" in told["evaluation"]
    assert "no length" in told["train"]
    assert told["test"] == "has no items"
    with pytest.raises(InvalidStudy, match=r"no model plugin is called 'mpl'; there is .*mlp.*no training plugin"):
        sufficiency.run(**SPEC | {"model": "mpl", "training": "sgd"}, **SPLITS)
    with pytest.raises(InvalidStudy, match=r"training: .*refuses its params: epochs"):
        sufficiency.run(**SPEC | {"training": {"name": "sgd-classifier", "params": {"epochs": 0}}}, **SPLITS)
    with pytest.raises(InvalidStudy, match="step 500 is above the 160 items"):
        sufficiency.run(**parts(schedule=[10, 500]))
    with pytest.raises(InvalidStudy, match=r"^schedule/1: must be at least 1, not 0$"):
        sufficiency.run(**parts(schedule=[10, 0]))
    with pytest.raises(InvalidStudy, match=r"neither sizes \(whole numbers from 1 on\), nor a name"):
        sufficiency.run(**parts(schedule=np.geomspace(10, 100, 3)))
    with pytest.raises(InvalidStudy, match="workers: 0 is no number"):
        sufficiency.run(**parts(workers=0))
    with pytest.raises(InvalidStudy, match="item 1 holds NaN"):
        sufficiency.run(**parts(train=(np.array([[1.0], [np.nan]]), np.array([0, 1]))))


def test_a_study_of_which_nothing_can_be_measured_ends_with_what_was_raised(tmp_path: Path) -> None:
    file = tmp_path / "study.jsonl"
    with pytest.raises(StudyFailed, match="StopAfter raised ValueError: stop in run 0, step 4") as failed:
        sufficiency.run(**parts(evaluation=StopAfter(0, ValueError)), resume=file)
    assert isinstance(failed.value.__cause__, ValueError)
    assert (failed.value.error["code"], failed.value.study.state) == ("plugin_raised", "failed")
    assert sufficiency.load(file)["error"]["where"]["n"] == 160
    assert sufficiency.run(**parts(evaluation=StopAfter(99)), resume=file).state == "completed"


def gaps(answer: Any) -> list[dict[str, Any]]:
    return [one for one in answer["warnings"] if one["code"] == "cells_not_measurable"]


@pytest.mark.parametrize(
    ("protocol", "workers"),
    [("independent", 1), ("dataeval", 1), pytest.param("dataeval", 2, marks=pytest.mark.slow)],
)
def test_cells_that_cannot_be_measured_are_left_out_and_said(tmp_path: Path, protocol: str, workers: int) -> None:
    file = tmp_path / "study.jsonl"
    given = parts(training=TooSmall(), protocol=protocol, workers=workers)
    study = sufficiency.run(**given, resume=file)
    assert (study.state, study["progress"]["cells_done"], study["progress"]["cells_not_measurable"]) == (
        *("completed", 8, 2),
    )
    for seen in (study, sufficiency.load(file)):
        [warning] = gaps(seen)
        assert "n = 10 (runs 0, 1): training:TooSmall raised ValueError: 15 neighbours of 10 items" in warning["detail"]
        assert gaps(seen.project(1000).answer) == [warning]
        assert seen.to_dataeval().steps.tolist() == [20, 40, 80, 160]
    assert {row[2] for row in values(study)} == {20, 40, 80, 160}
    mended = sufficiency.run(**given | {"training": Train(), "workers": 1}, resume=None)
    assert len(values(mended)) == 10 * 3


def test_a_resumed_study_tries_them_again(tmp_path: Path) -> None:
    class Fickle(Train):
        """Raises while a file is there."""

        def train(self, model: Mean, dataset: Any, indices: list[int]) -> None:
            if len(indices) == 40 and (tmp_path / "full").exists():
                raise OSError("no space left on device")
            super().train(model, dataset, indices)

    file = tmp_path / "study.jsonl"
    (tmp_path / "full").touch()
    given = parts(training=Fickle(), resume=file)
    assert sufficiency.run(**given)["progress"]["cells_not_measurable"] == 2
    (tmp_path / "full").unlink()
    study = sufficiency.run(**given)
    assert (study["progress"]["cells_done"], gaps(study)) == (10, [])
    assert values(study) == values(sufficiency.run(**parts())) == values(sufficiency.load(file))


def test_the_process_is_afterwards_what_it_was() -> None:
    def state() -> Any:
        torch_settings = (
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.deterministic,
        )
        numpy_s = np.random.get_state()  # noqa: NPY002
        return random.getstate(), numpy_s[1].tolist(), numpy_s[2], torch.get_rng_state().tolist(), torch_settings

    before = state()
    sufficiency.run(**parts())
    with pytest.raises(StudyFailed):
        sufficiency.run(**parts(evaluation=StopAfter(0, ValueError)))
    assert state() == before


class Sentences:
    """Items that only their own strategies understand."""

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> tuple[str, int]:
        return "word " * index, index % 3


def test_items_that_are_no_arrays_are_for_their_own_strategies() -> None:
    class OfThree(Evaluate):
        """With a value for each of three classes."""

        def evaluate(self, model: Mean, dataset: Any) -> dict[str, Any]:
            return {"Recall": [0.5] * 3}

    study = sufficiency.run(**parts(train=Sentences(), test=Sentences(), schedule=[6, 12, 60], evaluation=OfThree()))
    assert study.state == "completed"
    assert study.record.info["class_names"] == ["0", "1", "2"]
    assert study.record.info["train"]["class_counts"] == [20, 20, 20]
    numbers = sufficiency.run(**parts(train=np.zeros(60), test=np.zeros(9), schedule=[6, 12, 60]))
    assert numbers.state == "completed"


def test_items_that_differ_whenever_they_are_read_are_warned_about() -> None:
    class Augmented(list[Any]):
        def __getitem__(self, index: Any) -> Any:
            x, label = super().__getitem__(index)
            return x + np.random.random(), label  # noqa: NPY002

    answer = sufficiency.run(**parts(train=Augmented(items(160)))).look()
    [told] = [one for one in answer["warnings"] if one["code"] == "items_differ"]
    assert "items of the training split are others whenever they are read" in told["detail"]
    assert "items_differ" not in {one["code"] for one in sufficiency.run(**parts()).look()["warnings"]}


class OnlyAccuracy(Evaluate):
    """Has no value a class, whose number would have to be the data's."""

    def evaluate(self, model: Mean, dataset: Any) -> dict[str, Any]:
        return {"Accuracy": super().evaluate(model, dataset)["Accuracy"]}


def test_labels_as_they_are() -> None:
    x = np.arange(60.0)[:, None]
    study = sufficiency.run(
        **parts(
            evaluation=OnlyAccuracy(),
            train=(x, ["b", "a", "c"] * 20),
            test=(x, ["c", "b", "a"] * 20),
            schedule=[6, 12, 60],
        )
    )
    assert study.record.info["class_names"] == ["a", "b", "c"]
    numbers = sufficiency.run(
        **parts(evaluation=OnlyAccuracy(), train=(x, x[:, 0] * 2.5), test=(x, x[:, 0]), schedule=[6, 12, 60])
    )
    assert numbers.record.info["task"] == "regression"


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        pytest.param(
            np.ma.masked_less(np.arange(9.0), 2), [0, 1, 2] * 3, "x cannot.*2 of its 9 values are masked", id="x"
        ),
        pytest.param(
            np.arange(9.0), np.ma.masked_less(np.arange(9), 2), "y cannot.*2 of its 9 values are masked", id="y"
        ),
        pytest.param(csr_array(np.eye(9)), [0, 1, 2] * 3, r"x cannot.*sparse matrix: give x.toarray\(\)", id="sparse"),
        pytest.param(np.arange(3.0), [["a"], ["a", "b"], []], "y cannot be read as an array", id="uneven"),
        pytest.param(np.arange(3.0), ["a", None, "b"], "item 1 has the label None, as a missing one is", id="none"),
        pytest.param(
            np.arange(3.0), pd.Series(["a", None, "b"], dtype="category"), "item 1 has the label nan", id="category"
        ),
    ],
)
def test_what_is_missing_in_arrays_is_no_value_and_no_class(x: Any, y: Any, said: str) -> None:
    y = y if hasattr(y, "shape") else np.array(y, dtype=object) if None in y else y
    with pytest.raises(InvalidStudy, match=said):
        sufficiency.run(**parts(train=(x, y), test=(x, y)))


def test_columns_of_two_data_frames_are_held_to_each_other() -> None:
    x = pd.DataFrame(np.arange(120.0).reshape(60, 2), columns=["age", "dose"])
    y = np.arange(60) % 2
    with pytest.raises(InvalidStudy, match="feature 0 is 'age' in the training split and 'dose' in the test split"):
        sufficiency.run(**parts(train=(x, y), test=(x[["dose", "age"]], y)))


def test_a_compiled_model_is_trained_anew_in_every_cell() -> None:
    class Fit:
        def train(self, model: nn.Module, dataset: Any, indices: list[int]) -> None:
            with torch.no_grad():
                next(model.parameters()).add_(1.0)

    class Look:
        def evaluate(self, model: nn.Module, dataset: Any) -> dict[str, float]:
            return {"Weight": float(next(model.parameters()).detach().abs().max())}

    compiled = torch.compile(nn.Linear(2, 2), backend="eager")
    study = sufficiency.run(**parts(model=compiled, training=Fit(), evaluation=Look()))
    assert study["spec"]["model"]["name"] == "Linear"
    assert max(row[-1] for row in values(study)) < 2.0


def test_the_bar_is_shown_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    sufficiency.run(**parts(progress=True))
    assert "10/10 cells" in capsys.readouterr().err
    sufficiency.run(**parts())
    assert capsys.readouterr().err == ""


def test_evaluation_s_own_words_on_its_metrics() -> None:
    class Declared(Evaluate):
        metric_properties = {"Accuracy": {"direction": "maximize", "bounds": [0, 1]}, "Recall": {"bounds": [0, 1]}}  # noqa: RUF012

    assert sufficiency.run(**parts(evaluation=Declared()))["metrics"]["Accuracy"]["bounds"] == [0.0, 1.0]
    Declared.metric_properties = {"Accuracy": {"direction": "up"}}
    with pytest.raises(InvalidStudy, match="evaluation: metric_properties"):
        sufficiency.run(**parts(evaluation=Declared()))
