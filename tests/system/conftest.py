"""The whole service, as shipped, for the tests that talk to it from outside."""

import ast
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from app.standalone.service import Standalone

ROOT = Path(__file__).resolve().parents[2]
EXTERNAL = ROOT / "tests" / "external"
# Data sets too large for the repository lie beside it, where they are there at all.
SHARED_DATA = ROOT.parent / "shared" / "data"


@dataclass(frozen=True)
class Service:
    """A running service and a client of it; files put into `data` can be registered as datasets."""

    url: str
    client: httpx.Client
    standalone: Standalone
    data: Path


def external_plugins(modules: str = "*_plugins.py") -> tuple[str, ...]:
    """Return the specs of the plugins that a user would have written, as their modules list them in `SPECS`."""
    specs: list[str] = []
    for module in sorted(EXTERNAL.glob(modules)):
        # Read, not imported: they import torch, which belongs to the worker's process.
        for statement in ast.parse(module.read_text()).body:
            match statement:
                case ast.Assign(targets=[ast.Name(id="SPECS")], value=value):
                    specs += ast.literal_eval(value)
    assert specs, f"no plugins in {EXTERNAL}"
    return tuple(specs)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """API, worker with two slots, PostgreSQL and Redis, on a free port."""
    with tempfile.TemporaryDirectory(prefix="sufficiency-") as directory:
        data = Path(directory) / "own"
        data.mkdir()
        roots = [data, *([SHARED_DATA] if SHARED_DATA.exists() else [])]
        settings = Settings(data_roots=tuple(roots), plugins=external_plugins(), plugin_path=(EXTERNAL, ROOT))
        standalone = Standalone(settings, Path(directory) / "service", port=0, slots=2)
        standalone.start()
        try:
            standalone.wait_ready()
            with httpx.Client(base_url=standalone.url, timeout=30, trust_env=False) as client:
                yield Service(standalone.url, client, standalone, data)
        finally:
            standalone.stop()
