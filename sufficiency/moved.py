"""Where what users imported from version 0.1 is now: for docs/upgrading.md, and for the errors of old imports."""

import re
from traceback import extract_tb

# Module, or one of its names → what is imported in its place. The longest that fits counts; what is below it keeps its
# name.
MOVED = {
    "app.cli": "sufficiency.cli",
    "app.client": "sufficiency",
    "app.dataeval_output": "sufficiency.answers.dataeval",
    "app.job": "sufficiency",
    "app.mlflow_export": "sufficiency.client.mlflow",
    "app.scaffold": "sufficiency.testing.scaffold",
    "app.sufficiency": "sufficiency.method",
    "app.sufficiency.spec": "sufficiency.schemas.spec",
    "worker.check": "sufficiency.testing",
    "worker.loop": "sufficiency.training.loop",
    "worker.metrics": "sufficiency.training.metrics",
    "worker.plugins": "sufficiency.plugins",
    "worker.plugins.arrays": "sufficiency.data.arrays",
    "worker.plugins.arrays.DatasetError": "sufficiency.data.errors.DatasetError",
    "worker.plugins.arrays.MappedDataset": "sufficiency.data.mapped.MappedDataset",
    "worker.plugins.arrays.materialise": "sufficiency.data.foreign.materialise",
    "worker.plugins.paths": "sufficiency.data.paths",
    "worker.plugins.preview": "sufficiency.data.preview",
    "worker.plugins.splitting": "sufficiency.data.splitting",
    "worker.plugins.tensors": "sufficiency.data.tensors",
    "worker.registry": "sufficiency.training.registry",
    "worker.trainer": "sufficiency.training.trainer",
}
_OLD = re.compile(r"\b(?:app|worker)(?:\.\w+)+")
_FROM = re.compile(r"\bfrom\s+((?:app|worker)(?:\.\w+)+)\s+import\s+(\w+)")


def moved(name: str) -> str | None:
    """Return what is imported now in place of a module of version 0.1; None if it did not move.

    Examples
    --------
    >>> moved("worker.plugins.estimators"), moved("worker.plugins.paths"), moved("app.main")
    ('sufficiency.plugins.estimators', 'sufficiency.data.paths', None)
    """
    parts = name.split(".")
    for length in range(len(parts), 1, -1):
        if new := MOVED.get(".".join(parts[:length])):
            return ".".join([new, *parts[length:]])
    return None


def hint(error: BaseException) -> str | None:
    """Return what to import in place of what an import did not find, if it was version 0.1's; else None."""
    if not isinstance(error, ModuleNotFoundError) or (error.name or "").partition(".")[0] not in ("app", "worker"):
        return None
    # The error names the first package that is not there, `worker.plugins`; the line that failed all that was wanted.
    lines = [frame.line or "" for frame in reversed(extract_tb(error.__traceback__))]
    named = [".".join(found) for line in lines for found in _FROM.findall(line)]
    wanted = [name for name in named if name in MOVED]
    wanted += [name for line in lines for name in _OLD.findall(line)] + [error.name or ""]
    for old in wanted:
        if new := moved(old):
            return f"what was `{old}` in version 0.1 is `{new}` since version 0.2 (docs/upgrading.md)"
    return None
