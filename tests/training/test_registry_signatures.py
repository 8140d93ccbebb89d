"""Whatever a user's class looks like: it is described without harm, built as its constructor means it, or told of."""

import functools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from torch import nn

from sufficiency.schemas.work import PluginDescription
from sufficiency.training.registry import DatasetContext, PluginError, Registry

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForCheckers

EXTERNAL = Path(__file__).resolve().parents[1] / "external"
CONTEXT = DatasetContext(input_shape=(1, 28, 28), num_classes=10)


class Trains:
    def train(self, model: Any, dataset: Any, indices: Any) -> None: ...


class Shade(Enum):
    LIGHT = "light"
    DARK = "dark"


class OddDefaults(Trains):
    def __init__(self, loss=nn.CrossEntropyLoss(), top: float = float("inf"), shade: Shade = Shade.DARK):  # type: ignore[no-untyped-def]
        self.loss, self.top, self.shade = loss, top, shade


class OddNames(Trains):
    def __init__(self, copy: bool = True, schema: str = "s", _private: int = 1, model_config: int = 2) -> None:
        self.values = (copy, schema, _private, model_config)


class OddAnnotations(Trains):
    def __init__(
        self,
        lr: "float" = 0.1,
        exact: "OnlyForCheckers | None" = None,
        steps: int = None,  # type: ignore[assignment]  # noqa: RUF013  (as users write it)
        wrong: int = "text",  # type: ignore[assignment]
        call: Callable[[], None] | None = None,
        shape: tuple[int, ...] = (3, 3),
    ) -> None:
        self.values = (lr, exact, steps, wrong, call, shape)


class Bare(Trains):
    def __init__(self, lr, epochs=3, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.lr, self.epochs = lr, epochs


class PositionalOnly(Trains):
    def __init__(self, lr: float, /, epochs: int = 3) -> None:
        self.lr, self.epochs = lr, epochs


@dataclass
class Fields(Trains):
    """A dataclass.

    Parameters
    ----------
    names : list of str
        What they are called.
    """

    names: list[str] = field(default_factory=lambda: ["a"])
    lr: float = 0.5


class Documented(Trains):
    """Says its parameters in the constructor."""

    def __init__(self, lr: float = 0.1, low: int = 0, high: int = 9) -> None:
        """Make it.

        Parameters
        ----------
        lr : float, default 0.1
            Learning rate,
            on two lines.
        low, high : int
            The range.
        """


class Points:
    """A dataset that is made already."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return np.zeros(3, np.float32), np.eye(2)[index], {}


class WrongProperties:
    metric_properties = {"Error": "minimize"}  # noqa: RUF012

    def evaluate(self, model: Any, dataset: Any) -> dict[str, float]:
        return {}


class NotATraining:
    pass


def make_training(lr: float = 0.1) -> OddNames:
    """Make a training strategy."""
    return OddNames()


class TakesEverything(nn.Module):
    def __init__(self, input_shape: tuple[int, ...], num_classes: int, width: int = 4) -> None:
        super().__init__()
        self.layer = nn.Linear(input_shape[-1], num_classes * width)


points = Points()
made = nn.Sequential(nn.Linear(3, 2))
part = functools.partial(nn.Linear, 3, 2)
ready = OddNames(schema="mine")


def load(attribute: str, kind: str = "training") -> tuple[Registry, PluginDescription | None]:
    registry = Registry.load([f"{kind}:x={__name__}:{attribute}"])
    return registry, next((d for d in registry.describe() if (d.kind, d.name) == (kind, "x")), None)


def properties(attribute: str, kind: str = "training") -> dict[str, Any]:
    registry, described = load(attribute, kind)
    assert described is not None, registry.errors
    json.dumps(described.params_schema, allow_nan=False)
    found: dict[str, Any] = described.params_schema.get("properties", {})
    return found


def test_a_default_that_json_cannot_say_stays_the_constructors() -> None:
    assert all("default" not in entry for entry in properties("OddDefaults").values())
    built = load("OddDefaults")[0].build("training", "x", {})
    assert isinstance(built.loss, nn.CrossEntropyLoss)
    assert (built.top, built.shade) == (float("inf"), Shade.DARK)
    assert load("OddDefaults")[0].build("training", "x", {"shade": "light"}).shade is Shade.LIGHT


def test_parameters_may_be_called_anything() -> None:
    assert set(properties("OddNames")) == {"copy", "schema", "_private", "model_config"}
    registry, _ = load("OddNames")
    assert registry.build("training", "x", {"copy": False, "_private": 5}).values == (False, "s", 5, 2)
    with pytest.raises(PluginError, match="p0"):  # what they are called inside is no way in
        registry.build("training", "x", {"p0": False})


def test_annotations_that_say_little_or_nothing_true() -> None:
    found = properties("OddAnnotations")
    assert found["lr"] == {"type": "number", "default": 0.1}
    assert "type" not in found["exact"]
    assert found["steps"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert found["wrong"] == {"default": "text"}
    assert found["shape"]["default"] == [3, 3]
    registry, described = load("OddAnnotations")
    assert described is not None
    # The API fills in the defaults, and what it then sends must be accepted.
    filled = {name: entry["default"] for name, entry in found.items() if "default" in entry}
    assert registry.build("training", "x", filled).values == (0.1, None, None, "text", None, (3, 3))


def test_a_class_without_annotations() -> None:
    registry, described = load("Bare")
    assert described is not None
    assert described.params_schema["required"] == ["lr"]
    assert set(described.params_schema["properties"]) == {"lr", "epochs"}
    assert described.params_schema["additionalProperties"] is False
    assert registry.build("training", "x", {"lr": 0.5}).epochs == 3
    with pytest.raises(PluginError, match="lr: is required") as caught:
        registry.build("training", "x", {})
    assert caught.value.phase == "params"


def test_positional_only_parameters() -> None:
    built = load("PositionalOnly")[0].build("training", "x", {"epochs": 4, "lr": 1})
    assert (built.lr, built.epochs) == (1.0, 4)


def test_dataclasses() -> None:
    assert properties("Fields")["names"]["description"] == "What they are called."
    registry, _ = load("Fields")
    assert registry.build("training", "x", {}) == Fields(["a"], 0.5)
    assert registry.build("training", "x", {"names": ["b"]}) == Fields(["b"], 0.5)


def test_descriptions_may_stand_in_the_constructor() -> None:
    found = properties("Documented")
    assert found["lr"]["description"] == "Learning rate, on two lines."
    assert found["low"]["description"] == found["high"]["description"] == "The range."


def test_factories_partials_and_instances() -> None:
    assert isinstance(load("make_training")[0].build("training", "x", {"lr": 1}), OddNames)
    linear = load("part", "model")[0].build("model", "x", {"bias": False})
    assert (linear.in_features, linear.bias) == (3, None)
    assert load("made", "model")[0].build("model", "x", {}, context=CONTEXT) is made
    assert load("points", "dataset")[0].build("dataset", "x", {}) is points
    registry, _ = load("ready")
    assert registry.build("training", "x", {}) is ready
    with pytest.raises(PluginError, match="lr"):
        registry.build("training", "x", {"lr": 1})


def test_what_the_dataset_tells_cannot_be_sent() -> None:
    registry, _ = load("TakesEverything", "model")
    assert set(properties("TakesEverything", "model")) == {"width"}
    assert registry.build("model", "x", {"width": 2}, context=CONTEXT).layer.out_features == 20
    with pytest.raises(PluginError, match="num_classes"):
        registry.build("model", "x", {"num_classes": 3}, context=CONTEXT)


def test_the_version_is_the_plugins_own_and_not_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("somebodys_models")
    module.net = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somebodys_models", module)
    spec = "model:net=somebodys_models:net"
    assert [d.version for d in Registry.load([spec]).describe() if d.name == "net"] == ["0"]
    module.__version__ = "4.2"  # type: ignore[attr-defined]
    assert [d.version for d in Registry.load([spec]).describe() if d.name == "net"] == ["4.2"]


@pytest.mark.parametrize(
    ("kind", "attribute", "says"),
    [
        ("evaluation", "WrongProperties", "metric_properties['Error']"),
        ("training", "NotATraining", "train()"),
        ("training", "json", "train()"),
        ("dataset", "made.training", "__len__()"),
        ("training", "nothing_of_this_name", "AttributeError"),
        ("pudding", "OddNames", "kind:name=module:attribute"),
    ],
)
def test_what_is_no_plugin_is_told_of(kind: str, attribute: str, says: str) -> None:
    registry = Registry.load([f"{kind}:x={__name__}:{attribute}"])
    [error] = registry.errors
    assert says in error.error
    assert error.traceback
    assert len(registry.describe()) == len(Registry.load([]).describe())


@pytest.mark.parametrize("body", ["import sys; sys.exit(3)", "raise RuntimeError('no licence')", "def f(:"])
def test_a_module_that_fails_to_import_takes_no_other_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    (tmp_path / "fails_to_import.py").write_text(body)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry.load(["training:gone=fails_to_import:Any", f"training:here={__name__}:OddNames"])
    [error] = registry.errors
    assert error.plugin == "training:gone=fails_to_import:Any"
    assert any(word in error.error for word in ("SystemExit", "no licence", "SyntaxError"))
    assert registry.build("training", "here", {})


def test_a_later_plugin_takes_the_place_of_an_earlier_one() -> None:
    registry = Registry.load([f"training:sgd-classifier={__name__}:OddNames"])
    assert isinstance(registry.build("training", "sgd-classifier", {}), OddNames)


def test_describing_twice_says_the_same() -> None:
    registry = Registry.load([f"evaluation:x={__name__}:WrongProperties"])
    assert registry.describe() == registry.describe()
    assert len(registry.errors) == 1


@pytest.fixture(scope="module")
def external() -> Iterator[Registry]:
    """The modules that users would have written, by the specs they list."""
    sys.path.insert(0, str(EXTERNAL))
    try:
        import broken_plugins
        import tutorial_plugins

        yield Registry.load([*tutorial_plugins.SPECS, *broken_plugins.SPECS])
    finally:
        sys.path.remove(str(EXTERNAL))


def test_the_tutorials_classes_train_and_evaluate_unchanged(external: Registry) -> None:
    import torch

    from sufficiency.data.arrays import ArrayDataset

    y = np.arange(60) % 10
    x = np.zeros((60, 1, 28, 28), np.float32)
    for row, label in enumerate(y):
        x[row, 0, 2 * label : 2 * label + 4] = 1
    dataset = ArrayDataset(x, y, [str(k) for k in range(10)])
    model = external.build("model", "tutorial-net", {}, context=CONTEXT)
    torch.manual_seed(0)
    model = external.build("reset", "tutorial-reset", {})(model)
    evaluation = external.build("evaluation", "tutorial-evaluation", {})
    before = evaluation.evaluate(model, dataset)
    external.build("training", "tutorial-training", {}).train(model, dataset, list(range(60)))
    after = evaluation.evaluate(model, dataset)
    assert set(after) == {"Accuracy", "AUROC", "TPR at 0.5 Fixed FPR"}
    assert float(after["AUROC"]) > float(before["AUROC"])


def test_the_broken_plugins_load_and_break_when_used(external: Registry) -> None:
    assert [error.plugin.split("=")[0] for error in external.errors] == ["model:does-not-import"]
    with pytest.raises(RuntimeError, match="cursed"):
        external.build("evaluation", "raises", {}).evaluate(None, None)


def test_the_version_is_the_nearest_of_module_and_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    package, module = ModuleType("somebodys"), ModuleType("somebodys.models")
    module.net = package.models = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somebodys", package)
    monkeypatch.setitem(sys.modules, "somebodys.models", module)

    def told() -> list[str]:
        return [d.version for d in Registry.load(["model:net=somebodys.models:net"]).describe() if d.name == "net"]

    assert told() == ["0"]
    package.__version__ = "1.0"  # type: ignore[attr-defined]
    assert told() == ["1.0"]
    module.__version__ = "1.1"  # type: ignore[attr-defined]
    assert told() == ["1.1"]


def test_the_built_in_plugins_have_a_version_that_the_services_own_does_not_move() -> None:
    from sufficiency.plugins import __version__

    anew = {
        "model:sklearn": "0.2.0",
        "training:fit-estimator": "0.2.0",
        "training:lightning": "0.2.0",
    }  # and so are refused where 0.1 measured
    for plugin in Registry.load().describe():
        assert plugin.version == anew.get(f"{plugin.kind}:{plugin.name}", __version__)
