"""What a trainer finds in a dataset, and what it measures in the cells of three models, to the last digit."""

import platform
import random
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.golden import subjects
from tests.golden.golden import check
from tests.golden.subjects import Trainer


def processor() -> str:
    """Return vendor, family and model of the processor: by them the libraries under torch choose their instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:  # not Linux
        return platform.machine()
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return " ".join(told.get(name, "?") for name in ("vendor_id", "cpu family", "model"))


# What the last digits depend on.
MACHINE = {
    "torch": torch.__version__,
    "CPU capability": torch.backends.cpu.get_cpu_capability(),
    "processor": processor(),
    "scikit-learn": version("scikit-learn"),
}
SIZES, RUNS = (20, 60, 160), 2
PROTOCOLS = ("independent", "dataeval")

DIGITS = {"loader": "digits", "params": {"split": "train"}}, {"loader": "digits", "params": {"split": "test"}}
STRIPES = (
    {"loader": "npz", "params": {"path": "stripes.npz", "limit": 240}},
    {"loader": "npz", "params": {"path": "stripes.npz", "start": 240}},
)
DATASETS = {"digits": DIGITS, "stripes": STRIPES}

# Few steps, so that what another processor rounds otherwise has no time to grow; and of what goes by the order of the
# scores only where they lie apart.
STUDIES: dict[str, dict[str, Any]] = {
    "tutorial_cnn": {
        "model": {"name": "tutorial-cnn"},
        "training": {"name": "sgd-classifier", "params": {"lr": 0.03, "epochs": 3}},
        "evaluation": {
            "name": "classification",
            "params": {"metrics": ["accuracy", "log_loss"]},
        },
        "dataset": "stripes",
        "seed": 3,
    },
    "mlp": {
        "model": {"name": "mlp", "params": {"hidden": [32], "dropout": 0.2}},
        "training": {"name": "sgd-classifier", "params": {"optimizer": "adam", "epochs": 4, "schedule": "cosine"}},
        "evaluation": {
            "name": "classification",
            "params": {"metrics": ["accuracy", "auroc", "tpr_at_fpr", "f1", "log_loss", "recall_per_class"]},
        },
        "dataset": "digits",
        "seed": 0,
    },
    "mlp_with_reset": {
        "model": {"name": "mlp"},
        "training": {"name": "sgd-classifier", "params": {"epochs": 2, "min_steps": 20}},
        "evaluation": {"name": "classification", "params": {"metrics": ["log_loss"]}},
        "reset": {"name": "reset-parameters"},
        "dataset": "digits",
        "seed": 2**62,
    },
    "sklearn": {
        "model": {
            "name": "sklearn",
            "params": {"estimator": "RandomForestClassifier", "settings": {"n_estimators": 8}},
        },
        "training": {"name": "fit-estimator"},
        "evaluation": {"name": "classification", "params": {"metrics": ["accuracy", "log_loss"]}},
        "dataset": "digits",
        "seed": 11,
    },
}


def stripes(count: int = 320, side: int = 12) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images of four kinds of stripes under much noise, from whole numbers alone; and their kinds."""
    item, row, column = np.ogrid[:count, :side, :side]
    kind = item * 13 // 5 % 4
    phase = np.choose(kind, [row, column, row + column, row - column]) + item % 7
    noise = (item * 7919 + row * 104_729 + column * 1_299_709 + row * column * 613) * 2_654_435_761 % 2**32 >> 24
    pixels = phase // 2 % 2 * 120 + noise * 135 // 255
    return pixels[:, None].astype(np.uint8), kind.reshape(-1).astype(np.int64)


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainer]:
    """A trainer with both datasets."""
    root = tmp_path_factory.mktemp("data")
    x, y = stripes()
    np.savez(root / "stripes.npz", x=x, y=y)
    with subjects.started_trainer(Path(root)) as started:
        yield started


@pytest.mark.parametrize("name", DATASETS)
def test_dataset(trainer: Trainer, name: str) -> None:
    check(f"loop_dataset_{name}", trainer.verified(*DATASETS[name]))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", STUDIES)
def test_cells(trainer: Trainer, name: str, protocol: str) -> None:
    study = STUDIES[name] | {"protocol": protocol, "runs": RUNS, "schedule": list(SIZES)}
    places = [(run, step, n) for run in range(RUNS) for step, n in enumerate(SIZES)]
    cells = {}
    for cell in trainer.cells(study, *DATASETS[study["dataset"]], places):
        of_cell: dict[str, Any] = {"n_unique": cell.n_unique}
        for metric, class_index, value in cell.values:
            of_cell[metric if class_index < 0 else f"{metric} of {class_index}"] = exact(value)
        cells[f"run {cell.run}, step {cell.step}"] = of_cell
    assert len(cells) == len(places)
    check(f"loop_cells_{name}_{protocol}", cells, machine=MACHINE)


def exact(value: float | None) -> str | None:
    """Return a number to the last bit."""
    return None if value is None else float(value).hex()


def test_generators_of_a_cell() -> None:
    """What a plugin draws first of Python's, NumPy's and torch's generators."""
    drawn = {}
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    for place in ((0, 0, 0), (0, 1, 2), (2**63 - 1, 4, 9)):
        subjects.seed_everything(subjects.cell_seed(*place))
        numbers = random.random(), np.random.random(), torch.rand((), dtype=torch.float64).item()  # noqa: NPY002
        drawn["seed {}, run {}, step {}".format(*place)] = [exact(number) for number in numbers]
    random.setstate(before[0])
    np.random.set_state(before[1])  # noqa: NPY002
    torch.set_rng_state(before[2])
    check("loop_generators", drawn)
