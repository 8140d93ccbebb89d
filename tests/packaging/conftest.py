"""The checkout's wheel, and environments with it that no test changes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.environments import Environment, build_wheel, needed


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder that PostgreSQL's user may be let into, as it may not be into pytest's own."""
    with tempfile.TemporaryDirectory(prefix="sufficiency-") as folder:
        yield Path(folder).resolve()


@pytest.fixture(scope="session")
def wheel(place: Path) -> Path:
    """The checkout's wheel."""
    return build_wheel(place)


@pytest.fixture(scope="session")
def everything(place: Path, wheel: Path) -> Environment:
    """An environment with the wheel and all that any part of it may need."""
    environment = Environment.make(place / "everything")
    environment.borrow_everything()
    environment.install(wheel)
    packages = environment.distribution("sufficiency").read_text("top_level.txt")
    assert packages is not None
    found = environment.places(packages.split())
    assert set(found) == set(packages.split())
    assert all(file.is_relative_to(environment.packages) for file in found.values()), f"the checkout's: {found}"
    assert not environment.places(["mystudy"]), "somebody else's"
    return environment


@pytest.fixture(scope="session")
def base(place: Path, wheel: Path) -> Environment:
    """An environment in which there is what `pip install sufficiency` brings, and nothing else."""
    environment = Environment.make(place / "base")
    environment.install(wheel)
    environment.borrow(needed(environment.distribution("sufficiency").requires or ()).values())
    return environment
