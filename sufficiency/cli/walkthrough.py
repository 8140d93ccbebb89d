"""What `sufficiency demo` does, on scikit-learn's digits, or on MNIST as DataEval's tutorial does it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from sufficiency.cli.own_service import own_service
from sufficiency.cli.terminal import (
    averages,
    inverse,
    needed,
    print_verdict,
    projection,
    require_completed,
    stdout,
    watch,
)
from sufficiency.cli.terminal import table as new_table
from sufficiency.client.client import Client
from sufficiency.client.errors import ApiError, ServiceUnreachable
from sufficiency.client.replies import Reply
from sufficiency.exits import CommandError
from sufficiency.schemas.datasets import DatasetView
from sufficiency.schemas.text import count, number
from sufficiency.settings import default_data_dir, get_settings

TPR = "TPR at 0.5 Fixed FPR"

# "How to measure dataset sufficiency for image classification", DataEval's documentation, as published: 2,500 training
# and 500 test images of MNIST, 5 runs, 10 substeps.
PUBLISHED_MEASURED: dict[int, dict[str, float]] = {
    n: {TPR: tpr, "Accuracy": accuracy, "AUROC": auroc}
    for n, tpr, accuracy, auroc in [
        (25, 0.785096, 0.226, 0.745283),
        (41, 0.904829, 0.5144, 0.852118),
        (69, 0.966797, 0.6348, 0.915369),
        (116, 0.972837, 0.6916, 0.935306),
        (193, 0.987903, 0.7592, 0.959055),
        (322, 0.994969, 0.834, 0.977919),
        (538, 0.997902, 0.882, 0.987117),
        (898, 0.999165, 0.9012, 0.99064),
        (1498, 0.999524, 0.9112, 0.993399),
        (2500, 1.0, 0.9372, 0.995968),
    ]
}
PUBLISHED_PROJECTED: dict[int, dict[str, float]] = {
    1000: {TPR: 0.997696, "Accuracy": 0.899963, "AUROC": 0.990228},
    2500: {TPR: 0.998039, "Accuracy": 0.922592, "AUROC": 0.993654},
    5000: {TPR: 0.998103, "Accuracy": 0.931999, "AUROC": 0.994772},
}
PUBLISHED_NEEDED: dict[float, dict[str, int]] = {
    0.90: {TPR: 39, "Accuracy": 1001, "AUROC": 63},
    0.93: {TPR: 49, "Accuracy": 4177, "AUROC": 90},
    0.99: {TPR: 174, "Accuracy": -1, "AUROC": 961},
}


@dataclass(frozen=True)
class Study:
    """What the demo is asked for; `runs` and `substeps` of None are the data set's own."""

    dataset: Literal["digits", "mnist"] = "digits"
    protocol: Literal["independent", "dataeval"] = "independent"
    runs: int | None = None
    substeps: int | None = None
    seed: int = 0
    mnist_dir: Path | None = None

    @property
    def targets(self) -> list[float]:
        """Targets whose needed size is asked."""
        return [0.90, 0.93, 0.99] if self.dataset == "mnist" else [0.95, 0.98, 0.99]

    def registration(self) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """Return the name and the two splits to register.

        Raises
        ------
        CommandError
            When the folder with MNIST holds no IDX files.
        """
        if self.dataset == "digits":
            return "digits", _split("digits", split="train"), _split("digits", split="test")
        if self.mnist_dir is None:
            train = _split("idx", path="mnist", split="train", limit=2500, download=True)
            return "mnist-2500", train, _split("idx", path="mnist", split="t10k", limit=500, download=True)
        folder = self.mnist_dir.expanduser().resolve()
        path = str(folder)
        if not list(folder.glob("t10k-images*")):
            raise CommandError(
                "no MNIST in IDX files there", path, "name a folder with t10k-images-idx3-ubyte.gz and its labels"
            )
        if list(folder.glob("train-images*")):
            train = _split("idx", path=path, split="train", start=0, limit=2500)
            return "mnist-2500", train, _split("idx", path=path, split="t10k", start=0, limit=500)
        train = _split("idx", path=path, split="t10k", start=0, limit=2500)
        return "mnist-t10k-2500", train, _split("idx", path=path, split="t10k", start=8000, limit=500)

    def spec(self, dataset: str) -> dict[str, Any]:
        """Return the job to submit."""
        if self.dataset == "digits":
            plugins: dict[str, Any] = {
                "model": {"name": "mlp"},
                "training": {"name": "sgd-classifier", "params": {"lr": 0.05, "epochs": 20, "batch_size": 32}},
                "evaluation": {"name": "classification", "params": {"metrics": ["accuracy", "auroc"]}},
            }
        else:
            plugins = {
                "model": {"name": "tutorial-cnn"},
                "training": {
                    "name": "sgd-classifier",
                    "params": {"lr": 0.01, "momentum": 0.9, "epochs": 10, "batch_size": 8},
                },
                "evaluation": {
                    "name": "classification",
                    "params": {"metrics": ["accuracy", "auroc", "tpr_at_fpr"], "fpr": 0.5},
                },
            }
        return {
            **plugins,
            "dataset": dataset,
            "runs": self.runs or 5,
            "substeps": self.substeps or (10 if self.dataset == "mnist" else 8),
            "protocol": self.protocol,
            "seed": self.seed,
            "labels": {"from": "demo"},
        }


def run_demo(study: Study, *, url: str | None = None, data_dir: Path | None = None, keep: bool = False) -> None:
    """Register the data, submit the job, watch it and print what came of it.

    Parameters
    ----------
    study : Study
        What to measure.
    url : str, optional
        The service; where none is named and none answers, one is started and, at the end, stopped.
    data_dir : Path, optional
        Where the demo's own service keeps its data.
    keep : bool
        Leave the demo's own service running until Ctrl-C.
    """
    name, train, test = study.registration()
    console = stdout()
    with _service(study, url, data_dir, keep) as service, Client(service) as client:
        dataset = _register(client, name, train, test)
        _print_dataset(console, dataset)
        job = client.submit(study.spec(dataset["name"]))
        spec = job["spec"]
        console.print(
            f"Job {job['id']}: {spec['model']['name']}, {spec['runs']} runs × {len(job['steps'] or [])} steps, "
            f"protocol {spec['protocol']}, seed {spec['seed']}, on {job['device']}"
        )
        try:
            job = watch(client, job["id"], console)
        except KeyboardInterrupt:
            with suppress(ApiError, ServiceUnreachable):
                client.cancel(job["id"])
            raise
        require_completed(job)
        _print_results(console, study, client, job["id"])
        if keep:
            console.print(f"\nThe job's page: {service}/ui/#/jobs/{job['id']}", soft_wrap=True)
            console.print(f"The service stays at {service}. Ask it more, for example:")
            console.print(f"  sufficiency project {job['id']} 20000 --url {service}")


@contextmanager
def _service(study: Study, url: str | None, data_dir: Path | None, keep: bool) -> Iterator[str]:
    """Yield the address of the service that answers, or of one that runs as long as the demo."""
    settings = get_settings()
    named = url or (settings.url if "url" in settings.model_fields_set else None)
    with Client(named) as client:
        if client.ready():
            yield client.url
            return
        if named is not None:
            raise ServiceUnreachable(client.url, "it is not ready, or not there")
    place = (data_dir or default_data_dir()).expanduser().resolve()
    roots = settings.data_roots or (place / "data",)
    roots = roots if study.mnist_dir is None else (*roots, study.mnist_dir.expanduser().resolve())
    say = partial(Console(stderr=True, highlight=False).print, markup=False, soft_wrap=True)
    with own_service(place, settings.model_copy(update={"data_roots": roots}), say) as service:
        yield service.url
        if keep:
            service.wait()  # until Ctrl-C


def _split(loader: str, **params: Any) -> dict[str, Any]:
    return {"loader": loader, "params": params}


def _register(client: Client, name: str, train: Mapping[str, Any], test: Mapping[str, Any]) -> Reply[DatasetView]:
    """Return the dataset, ready; where the name is taken by other splits, under a name with a number."""
    for candidate in (name, *(f"{name}-{again}" for again in range(2, 100))):
        try:
            dataset = client.add_dataset(candidate, train, test)
            if dataset["status"] == "invalid":  # of an earlier try; the files may have come since
                client.remove_dataset(candidate)
                client.add_dataset(candidate, train, test)
            break
        except ApiError as error:
            if error.status != 409:
                raise
    dataset = client.wait_dataset(candidate, timeout=180)
    if dataset["status"] == "invalid":
        detail = (dataset["error"] or {}).get("detail", "")
        raise CommandError(f"dataset {candidate} is invalid: {detail}", client.url)
    return dataset


def _print_dataset(console: Console, dataset: Reply[DatasetView]) -> None:
    info = dataset["info"] or {}
    console.print(
        f"Dataset {dataset['name']}: {count(info['train']['size'])} items to train on, "
        f"{count(info['test']['size'])} to test on, {len(info['class_names'])} classes"
    )


def _print_results(console: Console, study: Study, client: Client, id: str) -> None:
    measured = client.measurements(id)["items"]
    largest = max(item["n"] for item in measured)
    sizes = [1000, 2500, 5000] if study.dataset == "mnist" else [2 * largest, 4 * largest]
    projected = client.project(id, sizes)
    targets = client.inv_project(id, study.targets)
    if study.dataset == "digits":
        _print_titled(console, "Measured: mean ± standard deviation over runs", averages(measured))
        _print_titled(console, f"Projected: 2× and 4× the largest step ({projected['method']})", projection(projected))
        _print_titled(console, "Training items needed for a target", inverse(targets))
        _print_worth(console, client, id)
        return
    ours = {(item["n"], item["metric"]): number(item["mean"]) for item in measured if item["class"] is None}
    _print_titled(console, "Measured: mean over runs", _beside("n", ours, PUBLISHED_MEASURED))
    ours = {(point["n"], m): number(point["value"]) for m, points in projected["metrics"].items() for point in points}
    _print_titled(console, f"Projected ({projected['method']})", _beside("n", ours, PUBLISHED_PROJECTED))
    ours = {
        (a["target"], m): needed(a, targets["n_observed"]) for m, answers in targets["metrics"].items() for a in answers
    }
    _print_titled(console, "Training items needed for a target", _beside("target", ours, PUBLISHED_NEEDED))
    console.print(
        "\nThe tutorial's columns are what DataEval's documentation shows for its own run. It sampled with\n"
        "replacement and trained one model on from step to step, as --protocol dataeval does; its seeds and images\n"
        "were others, so that chance alone makes a difference too. −1: no number of items reaches the target."
    )
    _print_worth(console, client, id)


def _print_worth(console: Console, client: Client, id: str) -> None:
    console.print("\nIs more data worth it?\n", style="bold")
    print_verdict(console, client.verdict(id))


def _print_titled(console: Console, title: str, made: Table) -> None:
    console.print(f"\n{title}", style="bold")
    console.print(made)


def _beside(key: str, ours: Mapping[tuple[float, str], str], published: Mapping[Any, Mapping[str, float]]) -> Table:
    """Return a table with the tutorial's figures beside ours."""
    metrics = ("Accuracy", "AUROC", TPR)
    columns = [key] + [name for metric in metrics for name in (metric, f"tutorial's {metric.split()[0]}")]
    made = new_table(*columns, right=columns)
    for row in sorted({row for row, _ in ours} | set(published)):
        texts = []
        for metric in metrics:
            texts += [ours.get((row, metric), ""), _published(published.get(row, {}).get(metric))]
        made.add_row(f"{row:g}" if key == "target" else count(row), *texts)
    return made


def _published(value: float | None) -> str:
    if value is None:
        return ""
    return count(value).replace("-", "−") if isinstance(value, int) else number(value)
