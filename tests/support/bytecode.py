"""Where byte code is kept for the many processes that the tests start, where it may not lie beside the source."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

PLACE = Path(__file__).resolve().parents[2] / ".pytest_cache" / "bytecode"


def keep() -> None:
    """Keep byte code in the tests' own cache where the environment forbids it beside the source, as images often do.

    Without it each process compiles all that it imports, PyTorch among it: most of what the tests take would be that.
    """
    if not os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        return
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(PLACE)
    sys.dont_write_bytecode = False
    # What earlier sessions made in temporary folders is nowhere any more.
    shutil.rmtree(PLACE / Path(tempfile.gettempdir()).relative_to("/"), ignore_errors=True)
