"""A study keeps which test items its trainings had right, in its file too, and is compared by them."""

from pathlib import Path

import pytest

import sufficiency
from sufficiency.method.item_marks import unpack
from sufficiency.method.methods import METHOD_VERSIONS
from sufficiency.schemas.words import DEFAULT_METHOD
from tests.study.test_run import SPEC, SPLITS


def test_studies_are_compared_item_by_item(tmp_path: Path) -> None:
    file = tmp_path / "study.jsonl"
    first = sufficiency.run(**SPEC, **SPLITS, progress=False, resume=file)
    wider = {**SPEC, "model": {"name": "mlp", "params": {"hidden": [64]}}}
    second = sufficiency.run(**wider, **SPLITS, progress=False)
    [accuracy] = first.compare(second)["metrics"]["Accuracy"]
    [pair] = accuracy["pairs"]
    assert [one["n"] for one in pair["on_items"]] == [one["n"] for one in pair["paired"]]
    for of_items, of_runs in zip(pair["on_items"], pair["paired"], strict=True):
        assert abs(of_items["difference"] - of_runs["difference"]) < 1e-12
    assert first.compare(second)["metrics"]["LogLoss"][0]["pairs"][0]["on_items"] == []
    again = sufficiency.run(**SPEC, **SPLITS, progress=False, resume=file)
    assert again.compare(second)["metrics"] == first.compare(second)["metrics"]
    cells = again._answers._record.cells.values()
    for cell in cells:
        [accuracy] = [value for metric, _, value in cell.values if metric == "Accuracy"]
        assert unpack(cell.correct["Accuracy"]).mean() == accuracy


def test_the_methods_version_can_be_insisted_on() -> None:
    present = METHOD_VERSIONS[DEFAULT_METHOD]
    study = sufficiency.run(**SPEC, **SPLITS, progress=False, method_version=present)
    assert {one["method_version"] for one in study.curves(method_version=present)["items"]} == {present}
    assert study.project(500, method_version=present) == study.project(500)
    with pytest.raises(sufficiency.ApiError, match=f"version {present} of calibrated, and no other") as refused:
        study.project(500, method_version=present + 1)
    assert (refused.value.status, refused.value.code) == (422, "unknown_method_version")
    for other in (present - 1, "2", 0):
        with pytest.raises(sufficiency.InvalidStudy, match="answers by version"):
            sufficiency.run(**SPEC, **SPLITS, method_version=other)  # type: ignore[arg-type]
