"""Writes a package of plugins that installs, tests itself and announces itself to the worker."""

import keyword
import re
from pathlib import Path

from sufficiency.exits import MISUSED, CommandError

_FILES = {
    "pyproject.toml": """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "0.1.0"
description = "Plugins for Sufficiency"
requires-python = ">=3.11"
dependencies = ["torch"]

[project.entry-points."sufficiency.models"]
"{name}" = "{module}:Net"

[project.entry-points."sufficiency.training_strategies"]
"{name}" = "{module}:Train"

[project.entry-points."sufficiency.evaluation_strategies"]
"{name}" = "{module}:Evaluate"

[tool.setuptools]
py-modules = ["{module}"]
""",
    "{module}.py": '''"""A model, how it is trained and how it is measured; nothing here imports Sufficiency."""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset


class Net(nn.Module):
    """Two dense layers.

    Parameters
    ----------
    width : int
        Of the hidden layer.
    """

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, width: int = 32) -> None:
        super().__init__()
        self.hidden = nn.Linear(math.prod(input_shape), width)
        self.out = nn.Linear(width, num_classes)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x.flatten(1))))


class Train:
    """Adam on the cross-entropy.

    Parameters
    ----------
    lr : float
        Learning rate.
    epochs : int
        Passes over the subset.
    """

    def __init__(self, lr: float = 0.01, epochs: int = 5) -> None:
        self.lr, self.epochs = lr, epochs

    def train(self, model, dataset, indices):
        optimizer = torch.optim.Adam(model.parameters(), lr=self.lr)
        model.train()
        for _ in range(self.epochs):
            for x, y, _ in DataLoader(Subset(dataset, indices), batch_size=32, shuffle=True):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(x), y.argmax(1))
                # A last batch of one item must not pull as hard as 32: the curve would have a kink there.
                (loss * len(x) / min(32, len(indices))).backward()
                optimizer.step()


class Evaluate:
    """The share of test items that are classified rightly."""

    metric_properties = {{"Accuracy": {{"direction": "maximize", "bounds": [0, 1], "proportion_of": "items"}}}}

    def evaluate(self, model, dataset):
        model.eval()
        with torch.no_grad():
            right = [model(x).argmax(1) == y.argmax(1) for x, y, _ in DataLoader(dataset, batch_size=256)]
        return {{"Accuracy": torch.cat(right).double().mean()}}
''',
    "test_{module}.py": '''"""Holds the plugins to what the service asks of them."""

from sufficiency.testing import parametrize_with_plugin_checks


@parametrize_with_plugin_checks("{module}")
def test_the_plugins_keep_the_contract(check):
    check()
''',
    "README.md": """# {name}

Plugins for Sufficiency: a model, a training and an evaluation strategy, each registered as `{name}`.

```bash
pip install -e .              # where the worker runs
pytest                        # or: sufficiency plugins check {module}
sufficiency plugins {name}    # after the worker was started again
```
""",
}


def write_package(name: str, directory: Path) -> Path:
    """Write the package and return its folder.

    Raises
    ------
    CommandError
        For a name that no package can have, or a folder that is there already.
    """
    module = name.replace("-", "_").replace(".", "_")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]", name) or keyword.iskeyword(module):
        raise CommandError(
            "no package can be called so", repr(name), "use letters, digits and dashes, like my-study", MISUSED
        )
    folder = directory / name
    try:
        folder.mkdir(parents=True)
        for path, text in _FILES.items():
            (folder / path.format(module=module)).write_text(text.format(name=name, module=module))
    except OSError as error:
        raise CommandError(
            f"the package cannot be written ({error.strerror})", str(folder), "choose another name or --dir", MISUSED
        ) from error
    return folder
