"""`plugins check` names what of an estimator changes with the number of training items."""

import pytest

from sufficiency.testing.contract import check_module


def test_thresholds_are_advice_and_pinned_ones_are_not() -> None:
    rule = "settings stay the same at every size"
    [found] = [one for one in check_module("tests.plugins.test_components:pipeline_model", "model") if one.rule == rule]
    assert found.outcome == "advice"
    for said in ("n = 40", "n = 10,001", "early_stopping=False", "docs/size-dependent-defaults.md"):
        assert said in found.detail
    [found] = [one for one in check_module("sufficiency.plugins.models:MLP", "model") if one.rule == rule]
    assert found.outcome == "ok"


@pytest.mark.parametrize("target", ["sufficiency.plugins.models:TutorialCNN"])
def test_a_network_meets_none(target: str) -> None:
    assert not [one for one in check_module(target, "model") if one.outcome == "advice" and "n =" in one.detail]
