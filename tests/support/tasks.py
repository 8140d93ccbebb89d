"""A catalog of the plugins that every worker has, and a ready dataset of each task."""

from dataclasses import asdict
from typing import Any

from app.catalog.plugins import advertise
from sufficiency.training.registry import Registry
from tests.support.service import INFO, Service

_NUMBERS = {"size": 1000, "class_counts": [], "target": {"min": 0, "median": 1, "max": 2, "mean": 1, "sd": 1}}
_BOXES = {"size": 1000, "class_counts": [3000, 10, 10]}
INFOS: dict[str, dict[str, Any]] = {
    "classification": INFO | {"task": "classification"},
    "regression": INFO | {"task": "regression", "class_names": [], "train": _NUMBERS, "test": _NUMBERS},
    "multilabel": INFO | {"task": "multilabel"},
    "object-detection": INFO | {"task": "object-detection", "train": _BOXES, "test": _BOXES},
}


def offer_built_in_plugins(service: Service) -> None:
    """Have a live worker offer what every worker has, and a ready dataset named for each task."""
    described = [asdict(plugin) for plugin in Registry.load().describe()]
    with service.database.transaction() as session:
        advertise(session, described)
    service.worker(plugins=[f"{plugin['kind']}:{plugin['name']}" for plugin in described])
    for task, info in INFOS.items():
        service.dataset(task, info=info)
