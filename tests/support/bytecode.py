"""Where byte code is kept for the many processes that the tests start, where it may not lie beside the source."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".pytest_cache" / "bytecode"


def keep() -> None:
    """Keep byte code in the tests' own cache where the environment forbids it beside the source, as images often do.

    Without it each process compiles all that it imports, PyTorch among it: most of what the tests take would be that.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(PLACE)
        sys.dont_write_bytecode = False
    if sys.pycache_prefix and "PYTEST_XDIST_WORKER" not in os.environ:
        _forget_temporary(Path(sys.pycache_prefix))


def _forget_temporary(kept: Path) -> None:
    """Drop what a cache of the checkout's own has of temporary folders, which are nowhere any more."""
    temporary = Path(tempfile.gettempdir())
    if kept.is_relative_to(ROOT):
        for folder in (kept / temporary.relative_to("/")).glob("*"):
            if temporary / folder.name not in (ROOT, *ROOT.parents):
                shutil.rmtree(folder, ignore_errors=True)
