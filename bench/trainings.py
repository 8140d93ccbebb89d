"""Real trainings of small networks, followed from epoch to epoch: what `bench.convergence` judges them by.

Each is one training of the built-in strategy, or of the tutorial's own loop, to twice the longest length that is asked
about. With a constant learning rate its first epochs are the shorter training itself, to the last bit; with a cosine
each length is trained by itself.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from bench.peers import EXTERNAL
from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.idx_files import read_idx
from sufficiency.plugins.digits import read_digits
from sufficiency.plugins.models import MLP, Linear, SmallResNet, TutorialCNN
from sufficiency.plugins.training import SGDClassifier

LENGTHS = (1, 2, 3, 5, 10, 20, 50)
TESTED = 3_000
MODELS: dict[str, Callable[[tuple[int, ...], int], nn.Module]] = {
    "cnn": TutorialCNN,
    "mlp": MLP,
    "dropout": lambda shape, classes: MLP(shape, classes, [256], 0.3),
    "linear": Linear,
    "resnet": lambda shape, classes: SmallResNet(shape, classes, 8, 2),
}


@dataclass(frozen=True)
class Setting:
    """One training: its data, how many of its labels are wrong, its model, and how that is trained."""

    data: str
    noise: float
    model: str
    n: int
    optimizer: str
    lr: float
    batch: int
    schedule: str = "constant"
    loop: str = "built-in"

    @property
    def name(self) -> str:
        """All of it in a word."""
        return "-".join(str(value) for value in vars(self).values())

    @property
    def longest(self) -> int:
        """Epochs of the longest training; where a step is slow, fewer."""
        if self.schedule == "cosine":
            return 40
        steps = -(-self.n // self.batch)
        slow = self.loop == "tutorial" or self.model == "resnet"
        budget = 8_000 if slow else 16_000 if self.model == "cnn" else 60_000
        return max(2 * length for length in LENGTHS if 2 * length * steps <= budget or length == 1)

    @property
    def work(self) -> int:
        """About how long it takes, in steps of a small network; the shortest are trained first."""
        slow = 8 if self.loop == "tutorial" else 6 if self.model in ("cnn", "resnet") else 1
        return slow * self.longest * -(-self.n // self.batch)

    @property
    def is_for_choosing(self) -> bool:
        """Whether the rule's numbers may be chosen by it; the other half is for the report."""
        return sha256(self.name.encode()).digest()[0] % 2 == 0


@dataclass
class Followed:
    """What came of a training: its loss at each step; by epoch, and metric, the values on both splits."""

    setting: Setting
    seed: int
    batches: int = 0
    losses: list[float] = field(default_factory=list)
    reached: dict[int, dict[str, tuple[float, float]]] = field(default_factory=dict)


def settings(count: int) -> list[Setting]:
    """Return so many of the built-in strategy, some with a cosine, and some of the tutorial's own loop."""
    draw = random.Random(0)
    kinds = [("mnist", 0.0)] * 8 + [("mnist", 0.2)] * 2 + [("digits", 0.0)] * 4 + [("digits", 0.2)] * 2
    kinds += [("made", 0.1)] * 2 + [("cancer", 0.0)] + [("wine", 0.0)]
    found: dict[str, Setting] = {}
    while len(found) < count:
        data, noise = draw.choice(kinds)
        images = ["cnn", "mlp", "mlp", "dropout", "linear", "resnet"]
        model = draw.choice(images if data == "mnist" else ["mlp", "mlp", "dropout", "linear"])
        sizes = {"mnist": [200, 500, 1000, 2000], "made": [200, 500, 1000, 2000], "cancer": [200, 280], "wine": [80]}
        n = draw.choice(sizes.get(data, [200, 500, 800]))
        optimizer = draw.choice(["sgd", "sgd", "adam"])
        rates = [0.001, 0.003, 0.01, 0.03, 0.1] if optimizer == "sgd" else [1e-4, 3e-4, 1e-3, 3e-3]
        schedule = draw.choice(["constant"] * 7 + ["cosine"])
        one = Setting(data, noise, model, n, optimizer, draw.choice(rates), draw.choice([8, 32, 128]), schedule)
        found[one.name] = one
    for n, lr in itertools.product((200, 500, 1000), (0.001, 0.01)):
        one = Setting("mnist", 0.0, "cnn", n, "sgd", lr, 8, loop="tutorial")
        found[one.name] = one
    return list(found.values())


def splits_of(setting: Setting, seed: int, mnist: Path) -> tuple[ArrayDataset, ArrayDataset]:
    """Return the items that are trained on, and those that are tested on, some labels of both made wrong."""
    x, y = _all(setting.data, mnist)
    rng = np.random.default_rng([seed, 7])
    order = np.random.default_rng(0).permutation(len(y))
    held = min(TESTED, len(y) // 2 if setting.data != "digits" else 950)
    test, pool = order[:held], order[held:]
    train = rng.permutation(pool)[: setting.n]
    classes = int(y.max()) + 1
    wrong = np.where(rng.random(len(y)) < setting.noise, rng.integers(0, classes, len(y)), y)
    names = [str(k) for k in range(classes)]
    return ArrayDataset(x[train], wrong[train], names, "train"), ArrayDataset(x[test], wrong[test], names, "test")


@lru_cache
def _all(data: str, mnist: Path) -> tuple[Any, Any]:
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    if data == "mnist":
        x, y = (read_idx(mnist / f"t10k-{name}-ubyte.gz", "MNIST") for name in ("images-idx3", "labels-idx1"))
        return (x[:, None] / 255).astype(np.float32), y.astype(np.int64)
    if data == "digits":
        x, y = read_digits()
        return (x / 16).astype(np.float32), y
    if data == "made":
        x, y = datasets.make_classification(
            8_000, 20, n_informative=10, n_classes=5, flip_y=0.0, class_sep=1.0, random_state=0
        )
    else:
        load = {"cancer": datasets.load_breast_cancer, "wine": datasets.load_wine}[data]
        x, y = load(return_X_y=True)
    return StandardScaler().fit_transform(x).astype(np.float32), y.astype(np.int64)


def follow(setting: Setting, seed: int, mnist: Path) -> Iterator[Followed]:
    """Train, and yield what came of it: once, or for a cosine once a length."""
    train, test = splits_of(setting, seed, mnist)
    lengths = sorted({m * e for e in LENGTHS for m in (1, 2) if m * e <= setting.longest})
    if setting.schedule == "constant":
        yield _trained(setting, seed, train, test, lengths)
        return
    for length in lengths:
        yield _trained(setting, seed, train, test, [length])


def _trained(setting: Setting, seed: int, train: ArrayDataset, test: ArrayDataset, lengths: Sequence[int]) -> Followed:
    torch.manual_seed(seed)
    model = MODELS[setting.model](train.x.shape[1:], len(train.class_names or ()))
    batches = -(-setting.n // setting.batch)
    found = Followed(setting, seed, batches)
    data = [(torch.as_tensor(split.x), torch.as_tensor(split.y)) for split in (train, test)]
    steps = 0

    def stepped(*_: Any) -> None:
        nonlocal steps
        steps += 1
        if steps % batches == 0 and steps // batches in lengths:
            on_train, on_test = (_measured(model, *split) for split in data)
            found.reached[steps // batches] = {name: (on_train[name], on_test[name]) for name in on_train}

    hook = register_optimizer_step_post_hook(stepped)
    try:
        with _losses(found.losses):
            if setting.loop == "tutorial":
                _tutorials(max(lengths), setting.lr)(model, _OneHot(train), range(setting.n))
            else:
                SGDClassifier(
                    setting.optimizer,  # type: ignore[arg-type]
                    setting.lr,
                    epochs=max(lengths),
                    batch_size=setting.batch,
                    schedule=setting.schedule,  # type: ignore[arg-type]
                ).train(model, train, range(setting.n))
    finally:
        hook.remove()
    return found


@contextmanager
def _losses(kept: list[float]) -> Iterator[None]:
    before = torch.autograd.backward

    def seen(tensors: Any, *args: Any, **kwargs: Any) -> None:
        kept.append(tensors.item())
        before(tensors, *args, **kwargs)

    torch.autograd.backward = seen
    try:
        yield
    finally:
        torch.autograd.backward = before


@torch.no_grad()
def _measured(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, float]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    answered = torch.cat([model(part) for part in x.split(500)])
    for module, mode in modes:
        module.training = mode
    right = float((answered.argmax(1) == y).float().mean())
    return {"Accuracy": right, "LogLoss": nn.functional.cross_entropy(answered, y).item()}


class _OneHot:
    """Items as the tutorial's loop wants them."""

    def __init__(self, data: ArrayDataset) -> None:
        self._x, self._y = data.x, np.eye(10, dtype=np.float32)[data.y]

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, i: int) -> tuple[Any, Any, dict[str, int]]:
        return self._x[i], self._y[i], {"id": i}


def _tutorials(epochs: int, lr: float) -> Callable[..., None]:
    """Return the tutorial's own loop, with another number of epochs and another rate: it has both as constants."""
    source = (EXTERNAL / "tutorial_plugins.py").read_text()
    for old, new in (("epochs = 10", f"epochs = {epochs}"), ("lr=0.01", f"lr={lr}")):
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    namespace: dict[str, Any] = {"__name__": "tutorial_of_another_length"}
    exec(compile(source, "tutorial_plugins.py", "exec"), namespace)  # a file of this repository
    train: Callable[..., None] = namespace["MNISTTrainingStrategy"]().train
    return train
