"""A study in this process names its learner's thresholds, leaves out the far side, and keeps what cells settled."""

from pathlib import Path

import pytest

import sufficiency

SPLITS = {name: {"loader": "digits", "params": {"split": name, "limit": 300}} for name in ("train", "test")}


@pytest.mark.filterwarnings("default")
def test_boosting_that_cannot_split_yet_is_left_out_and_said(tmp_path: Path) -> None:
    settings = {"max_iter": 2, "max_leaf_nodes": 3}
    study = sufficiency.run(
        model={
            "name": "sklearn",
            "params": {"estimator": "HistGradientBoostingClassifier", "settings": settings},
        },
        training={"name": "fit-estimator"},
        evaluation={"name": "classification", "params": {"metrics": ["accuracy"]}},
        runs=1,
        schedule=[20, 30, 60, 120, 240, 300],
        **SPLITS,
        progress=False,
    )
    for one in (study, sufficiency.load(study.save(tmp_path / "study.jsonl"))):
        told = [(w["kink"], w["n"]) for w in one["warnings"] if w["code"] == "size_dependent_default"]
        # Ten classes: no split below 40 items, and about 20 of the rarest class past 200.
        assert told[0] == ("histogram_leaf", 40)
        answer = one.project(20_000).answer
        [out] = [w for w in answer["warnings"] if w["code"] == "left_out_of_fit"]
        assert out["sizes"] == [20, 30]
        assert "histogram_early_stopping" in [w.get("kink") for w in answer["warnings"]]
        values = {row["n"]: row["value"] for row in one.measurements("cells")}
        assert values[20] <= 0.15
        assert values[300] > 0.3
        settled = [row["details"]["settled"]["HistGradientBoostingClassifier"] for row in one.cells()]
        assert {row["n_iter_"] for row in settled} == {2}
    pinned = sufficiency.run(
        model={
            "name": "sklearn",
            "params": {
                "estimator": "HistGradientBoostingClassifier",
                "settings": settings | {"min_samples_leaf": 1, "early_stopping": False, "max_bins": 16},
            },
        },
        training={"name": "fit-estimator"},
        evaluation={"name": "classification", "params": {"metrics": ["accuracy"]}},
        runs=1,
        schedule=[20, 30, 60],
        **SPLITS,
        progress=False,
    )
    assert [w for w in pinned["warnings"] if w["code"] == "size_dependent_default"] == []
