"""The fixed jobs whose answers are golden: what is asked, and what each cell is found to measure."""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.golden.service_subjects import Claim, HandWorker, Values, rows

STEPS = [20, 50, 100, 200, 400, 1000]
CLASSES = ["cat", "dog", "hen"]
IMAGES = {
    "task": "classification",
    "train": {"size": 1000, "class_counts": [400, 300, 300]},
    "test": {"size": 200, "class_counts": [80, 60, 60]},
    "input_shape": [1, 8, 8],
    "class_names": CLASSES,
    "test_items_in_train": 2,
}
SPREAD = {"min": -3.5, "max": 12.25, "mean": 4.0, "sd": 2.5}
NUMBERS = {
    "task": "regression",
    "train": {"size": 1000, "target": SPREAD},
    "test": {"size": 200, "target": SPREAD},
    "input_shape": [12],
    "class_names": [],
}
# One grey pixel
PREVIEW = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==")
ERROR = {
    "code": "plugin_raised",
    "detail": "training:sgd-classifier raised ValueError: the loss is not a number.",
    "where": {"phase": "train", "run": 1, "step": 5, "n": 1000},
    "exception": "ValueError",
    "traceback": ["ValueError: the loss is not a number."],
}
WEBHOOK = {
    "url": "https://hooks.example.org/sufficiency",
    "description": "tells a chat",
    "secret": f"whsec_{b64encode(bytes(range(32))).decode()}",
}
# What the jobs name of the built-in plugins, and a schedule of the operator's own
OFFERED = frozenset(
    {
        *("model:mlp", "model:linear", "training:sgd-classifier", "training:sgd-regressor", "dataset:npz"),
        *("evaluation:classification", "evaluation:regression", "reset:reset-parameters", "reset:deepcopy"),
    }
)
SCHEDULE = {
    "kind": "schedule",
    "name": "halves",
    "version": "2.1",
    "summary": "Half of the data, a quarter, and so on.",
    "params_schema": {"type": "object", "additionalProperties": False, "properties": {}},
    "capabilities": {},
    "devices": ["cpu"],
}

Law = Callable[[int, int, int], Values]


def _near(value: float, spread: float, *cell: object) -> float:
    """Return a value with the same noise each time, the same on every machine: no library draws it."""
    drawn = int.from_bytes(hashlib.sha256(repr(cell).encode()).digest()[:4]) / 2**31 - 1
    return round(value + spread * drawn, 6)


def learns(run: int, step: int, n: int) -> Values:
    """Measure a model that gains from every item: four scalars, and one metric a class."""
    spread = 0.03 * n**-0.3
    return [
        ("Accuracy", -1, _near(0.97 - 1.6 * n**-0.55, spread, "Accuracy", run, step)),
        ("LogLoss", -1, _near(0.08 + 4.0 * n**-0.6, spread, "LogLoss", run, step)),
        ("Top: 3", -1, _near(0.99 - 0.9 * n**-0.5, spread, "Top: 3", run, step)),
        *(
            ("Recall", c, _near(0.96 - 0.05 * c - (1.4 + 0.2 * c) * n**-0.5, spread, "Recall", c, run, step))
            for c in range(len(CLASSES))
        ),
    ]


def levels_off(run: int, step: int, n: int) -> Values:
    """Measure a model that is better at first, and soon as good as it gets."""
    spread = 0.03 * n**-0.3
    return [
        ("Accuracy", -1, _near(0.88 - 0.9 * n**-0.6, spread, "level", run, step)),
        ("LogLoss", -1, _near(0.31 + 2.0 * n**-0.7, spread, "level", run, step)),
        ("Recall", 0, _near(0.87 - 0.8 * n**-0.6, spread, "level", 0, run, step)),
    ]


def has_holes(run: int, step: int, n: int) -> Values:
    """Measure what is missing here and there, and what cannot be."""
    whole = {(metric, index): value for metric, index, value in learns(run, step, n)}
    whole[("Accuracy", -1)] = None if step == 2 or (run, step) == (0, 1) else whole[("Accuracy", -1)]
    whole[("Recall", 1)] = None if (run, step) == (1, 4) else whole[("Recall", 1)]
    whole[("Recall", 2)] = None
    whole[("LogLoss", -1)] = -0.02 if (run, step) == (0, 5) else round(0.5 - 0.08 * step, 6)
    return [(metric, index, value) for (metric, index), value in whole.items()]


def errs_less(run: int, step: int, n: int) -> Values:
    """Measure a regression."""
    return [
        ("MAE", -1, _near(0.4 + 9.0 * n**-0.5, 0.05, "MAE", run, step)),
        ("R2", -1, _near(0.9 - 12.0 * n**-0.7, 0.02, "R2", run, step)),
    ]


@dataclass(frozen=True)
class Study:
    """A job, and how far it comes.

    Attributes
    ----------
    spec : mapping
        What is asked, beside what `BASE` has.
    law : callable
        What a cell measures, by run, step and size.
    measured : sequence of (run, step), optional
        Which cells are measured; default all of them.
    ending : str, optional
        What comes after that: the job is cancelled, or one more unit of it fails.
    extension : mapping, optional
        What is added in the end, and measured too.
    """

    spec: Mapping[str, Any]
    law: Law = learns
    measured: Sequence[tuple[int, int]] | None = None
    ending: str | None = None
    extension: Mapping[str, Any] | None = None


BASE: dict[str, Any] = {
    "model": {"name": "mlp"},
    "training": {"name": "sgd-classifier"},
    "evaluation": {"name": "classification"},
    "dataset": "pets",
    "runs": 2,
    "schedule": STEPS,
}
STUDIES: dict[str, Study] = {
    "completed": Study(
        {
            "model": {"name": "mlp", "params": {"hidden": [32, 32]}},
            "training": {"name": "sgd-classifier", "params": {"epochs": 4}},
            "runs": 3,
            "priority": 3,
        }
    ),
    "rival": Study({"model": {"name": "linear"}}, levels_off, extension={"runs": 3, "steps": [700]}),
    "holes": Study({}, has_holes),
    "numbers": Study(
        {
            "training": {"name": "sgd-regressor"},
            "evaluation": {"name": "regression"},
            "dataset": "stays",
            "metrics": {"R2": {"direction": "maximize", "bounds": [-5.0, 1.0]}},
        },
        errs_less,
    ),
    "sequence": Study({"protocol": "dataeval", "schedule": STEPS[:5], "seed": 7}, levels_off),
    "running": Study({}, measured=[*((0, step) for step in range(6)), (1, 0), (1, 1), (1, 2)]),
    "begun": Study({}, measured=[(0, 0)]),
    "failed": Study({}, measured=[(run, step) for run in range(2) for step in range(4)], ending="fails"),
    "cancelled": Study({"runs": 1}, measured=[(0, 0), (0, 1)], ending="is cancelled"),
    "unplanned": Study({"schedule": {"name": "halves"}, "dataset": "moved"}, measured=[]),
    "queued": Study({"schedule": None, "substeps": 5, "priority": 9, "reset": {"name": "deepcopy"}}, measured=[]),
}


def body_of(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is sent to submit a job of that name."""
    return {**BASE, **spec, "labels": {"study": name}}


@dataclass
class Service:
    """A running API: its address, the database behind it, a client of it, and the jobs in it by name."""

    url: str
    database_url: str
    http: httpx.Client
    jobs: dict[str, str] = field(default_factory=dict)

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Ask for a change that is made, under an idempotency key if one is given."""
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        answer = self.http.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def submit(self, name: str, spec: Mapping[str, Any]) -> str:
        """Submit a job under its name as key, and know it by that."""
        self.jobs[name] = str(self.post("/jobs", body_of(name, spec), key=name)["id"])
        return self.jobs[name]

    def know_jobs(self) -> None:
        """Learn the names of the jobs that are in the database already."""
        found = rows(self.database_url, "SELECT id, labels ->> 'study' AS name FROM job ORDER BY id")
        self.jobs |= {row["name"]: str(row["id"]) for row in found}


def split(path: str) -> dict[str, Any]:
    """Return a split that is read from a file."""
    return {"loader": "npz", "params": {"path": path}}


def add_datasets(service: Service, worker: HandWorker) -> None:
    """Register datasets: whole ones, one that is broken, one that nobody has looked at."""
    for name in ("pets", "moved", "broken", "fresh"):
        service.post("/datasets", {"name": name, "train": split(f"{name}.npz"), "test": split("test.npz")})
    source = {"loader": "npz", "params": {"path": "stays.npz", "task": "regression"}}
    service.post("/datasets", {"name": "stays", "source": source, "split": {"seed": 3}, "standardise": True})
    worker.find_whole("pets", IMAGES, "sha256:1", PREVIEW)
    worker.find_whole("moved", IMAGES, "sha256:1")
    worker.find_whole("stays", NUMBERS, "sha256:2")
    worker.find_broken("broken", {"code": "dataset_invalid", "detail": "broken.npz is not there."})


def add_webhook(service: Service, events: Sequence[str]) -> str:
    """Register an endpoint that another process holds, so that nobody calls it; return its id."""
    webhook_id = str(service.post("/webhooks", {**WEBHOOK, "events": list(events)})["id"])
    hold = "UPDATE webhook SET lease_expires_at = now() + interval '1 hour' WHERE id = %s"
    rows(service.database_url, hold, webhook_id)
    return webhook_id


def measure(
    worker: HandWorker, job_id: str, law: Law = learns, wanted: Sequence[tuple[int, int]] | None = None
) -> None:
    """Measure the cells that are wanted, or all; in whichever order units are handed out, each is taken once."""
    claims: list[Claim] = []
    while claim := worker.claim(job_id):
        claims.append(claim)
        measured = [cell for cell in claim.cells if wanted is None or cell in wanted]
        for run, step in measured:
            worker.record(claim, (run, step), law(run, step, claim.cells[run, step]))
        if len(measured) == len(claim.cells):
            worker.finish(claim)
            claims.pop()
    for claim in claims:
        worker.give_back(claim)


def add_studies(service: Service, worker: HandWorker) -> None:
    """Fill a database with all of it: datasets, an endpoint that was told, and every job as far as it comes."""
    add_datasets(service, worker)
    webhook_id = add_webhook(service, ["job.running", "job.completed", "job.failed"])
    for name, study in STUDIES.items():
        job_id = service.submit(name, study.spec)
        if study.measured != []:
            measure(worker, job_id, study.law, study.measured)
        if study.ending == "fails":
            claim = worker.claim(job_id)
            assert claim is not None
            worker.fail(claim, ERROR)
        elif study.ending == "is cancelled":
            service.post(f"/jobs/{job_id}/cancel")
        if study.extension is not None:
            service.post(f"/jobs/{job_id}/extend", study.extension, key=name)
            measure(worker, job_id, study.law)
    assert service.http.patch(f"/webhooks/{webhook_id}", json={"enabled": False}).is_success
    rows(service.database_url, "UPDATE webhook SET lease_expires_at = NULL")
