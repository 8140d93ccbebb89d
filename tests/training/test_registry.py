"""Plugins are found, described truly, and built with what their schema promised."""

import sys
from pathlib import Path

import pytest

from sufficiency.training.registry import DatasetContext, PluginError, Registry

EXTERNAL = Path(__file__).resolve().parents[1] / "external"
CONTEXT = DatasetContext(input_shape=(1, 28, 28), num_classes=10)


@pytest.fixture(scope="module")
def registry() -> Registry:
    sys.path.insert(0, str(EXTERNAL))
    try:
        import broken_plugins
        import tutorial_plugins

        return Registry.load([*tutorial_plugins.SPECS, *broken_plugins.SPECS, "nonsense", "model:x=os:getcwd2"])
    finally:
        sys.path.remove(str(EXTERNAL))


def test_every_loaded_plugin_is_described(registry: Registry) -> None:
    names = {(d.kind, d.name) for d in registry.describe()}
    assert {("model", "tutorial-cnn"), ("training", "raises"), ("reset", "tutorial-reset"), ("dataset", "idx")} <= names
    assert [e.plugin.split("=")[0] for e in registry.errors] == ["model:does-not-import", "nonsense", "model:x"]


def test_a_plugin_with_an_old_import_is_told_the_new_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "of_version_0_1.py").write_text("from worker.plugins.paths import resolve_inside\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry()
    registry.add("dataset:mine=of_version_0_1:load")
    [error] = registry.errors
    assert "No module named 'worker.plugins'" in error.error
    assert "what was `worker.plugins.paths` in version 0.1 is `sufficiency.data.paths`" in error.error


def test_schemas_come_from_signatures_and_docstrings(registry: Registry) -> None:
    [described] = [d for d in registry.describe() if d.name == "sgd-classifier"]
    assert described.params_schema["additionalProperties"] is False
    lr = described.params_schema["properties"]["lr"]
    assert (lr["type"], lr["default"], lr["exclusiveMinimum"]) == ("number", 0.01, 0)
    assert lr["description"] == "Learning rate."
    assert described.params_schema["properties"]["schedule"]["enum"] == ["constant", "cosine"]


def test_what_the_dataset_tells_is_no_parameter(registry: Registry) -> None:
    [described] = [d for d in registry.describe() if d.name == "mlp"]
    assert set(described.params_schema["properties"]) == {"hidden", "dropout"}
    model = registry.build("model", "mlp", {"hidden": [8]}, context=CONTEXT)
    assert [tuple(p.shape) for p in model.parameters()] == [(8, 784), (8,), (10, 8), (10,)]


def test_metrics_are_declared(registry: Registry) -> None:
    [described] = [d for d in registry.describe() if d.name == "classification"]
    metrics = described.capabilities["metrics"]
    assert metrics["LogLoss"] == {"direction": "minimize", "bounds": [0.0, None], "proportion_of": None}
    assert (metrics["Accuracy"]["proportion_of"], metrics["Recall"]["proportion_of"]) == ("items", "class_items")


@pytest.mark.parametrize(
    ("kind", "name", "params", "phase"),
    [
        ("model", "absent", {}, "find"),
        ("model", "mlp", {"hiden": [8]}, "params"),
        ("training", "sgd-classifier", {"lr": -1}, "params"),
        ("training", "tutorial-training", {"lr": 1}, "params"),
    ],
)
def test_what_cannot_be_built_says_why(registry: Registry, kind: str, name: str, params: dict, phase: str) -> None:
    with pytest.raises(PluginError) as caught:
        registry.build(kind, name, params, context=CONTEXT)
    assert caught.value.phase == phase


def test_a_model_that_does_not_fit_the_data_says_so(registry: Registry) -> None:
    with pytest.raises(PluginError, match="small-resnet"):
        registry.build("model", "tutorial-cnn", {}, context=DatasetContext((1, 8, 8), 10))


def test_the_built_in_cnn_is_the_tutorials(registry: Registry) -> None:
    ours = registry.build("model", "tutorial-cnn", {}, context=CONTEXT)
    theirs = registry.build("model", "tutorial-net", {})
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}


def test_only_this_program_s_own_plugins_are_ours(registry: Registry) -> None:
    assert registry.is_ours("model", "mlp")
    assert registry.is_ours("dataset", "npz")
    assert not registry.is_ours("training", "raises")
    assert not registry.is_ours("training", "no-such")
    held = Registry.load()
    held.hold("model", "mlp", registry.target("model", "mlp"))
    assert not held.is_ours("model", "mlp"), "it may be anything under that name"
