"""Where the plugins and the data are that come from outside of the project."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXTERNAL = ROOT / "tests" / "external"
# Data sets too large for the repository lie beside it, where they are there at all.
SHARED_DATA = ROOT.parent / "shared" / "data"


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
