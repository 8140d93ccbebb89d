"""The wheel, and virtual environments that have it installed as a user's have: the checkout is out of their reach."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
# Nothing is fetched: what the wheel needs is here already, and so is what builds it.
OFFLINE = ("--no-deps", "--no-index", "--no-build-isolation")


def succeed(
    command: Iterable[str | Path],
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    seconds: float = 60,
) -> str:
    """Run a command, and return what it wrote to standard output.

    Raises
    ------
    AssertionError
        With all that it wrote, when its exit status is not 0.
    """
    done = finish(command, environment, cwd, seconds)
    assert done.returncode == 0, f"{done.args}\n{done.stdout}{done.stderr}"
    return done.stdout


def finish(
    command: Iterable[str | Path],
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    seconds: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever that is."""
    return subprocess.run(
        list(command),
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


def build_wheel(folder: Path) -> Path:
    """Build the checkout's wheel in `folder`, and return it."""
    # From a copy: setuptools leaves `build/` beside what it builds, and packs again what an older build left there.
    source = folder / "source"
    source.mkdir()
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, source)
        elif (path / "__init__.py").exists():
            shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
    succeed([*PIP, "wheel", *OFFLINE, "--wheel-dir", folder, source])
    [wheel] = folder.glob("*.whl")
    return wheel


@dataclass(frozen=True)
class Environment:
    """A virtual environment of a test's own."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Environment":
        """Make one in `folder`, with nothing in it, not even pip."""
        venv.create(folder, with_pip=False, symlinks=True)
        return cls(folder)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Where its packages lie."""
        where = {"base": str(self.folder), "platbase": str(self.folder)}
        return Path(sysconfig.get_path("purelib", "venv", where))

    def command(self, name: str) -> Path:
        """Return a command that a package in it has brought."""
        return self.folder / "bin" / name

    def distribution(self, name: str) -> Distribution:
        """Return what is installed in it under that name."""
        [found] = distributions(name=name, path=[str(self.packages)])
        return found

    def names(self) -> set[str]:
        """Return the names of all that is installed in it."""
        return {canonicalize_name(one.name) for one in distributions(path=[str(self.packages)])}

    def install(self, *what: str | Path) -> None:
        """Install into it, from this machine alone.

        What it has borrowed stays as it is: pip would else take the checkout's own installation for the wheel's.
        """
        succeed([*PIP, "--python", self.python, "install", *OFFLINE, "--ignore-installed", *what])

    def borrow_everything(self) -> None:
        """Let it import what the running environment has, but for what is installed there in place.

        An installation in place is a `.pth` file, and those work only where Python looks by itself.
        """
        sites = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
        (self.packages / "borrowed.pth").write_text("\n".join(sites))

    def borrow(self, borrowed: Iterable[Distribution]) -> None:
        """Let it import these distributions of the running environment, and nothing else of it."""
        for one in borrowed:
            assert one.files, f"what belongs to {one.name} is not known"
            for top in {file.parts[0] for file in one.files} - {"..", "__pycache__"}:
                if not (link := self.packages / top).exists():
                    link.symlink_to(Path(str(one.locate_file(top))))

    def terminal(self, **variables: str | Path) -> dict[str, str]:
        """Return the variables of a terminal in which it is active, and those given."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("SUFFICIENCY_", "PYTHON"))}
        mine |= {name: os.environ[name] for name in ("PYTHONPYCACHEPREFIX",) if name in os.environ}
        mine |= {"VIRTUAL_ENV": str(self.folder), "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        return mine | {name: str(value) for name, value in variables.items()}

    def places(self, modules: Iterable[str]) -> dict[str, Path]:
        """Return the file of each module that it would import; none for one that it would not."""
        program = "import sys; from importlib.util import find_spec\n"
        program += "for name in sys.argv[1:]: print(name, getattr(find_spec(name), 'origin', None) or '')"
        lines = succeed([self.python, "-I", "-c", program, *modules]).splitlines()
        return {name: Path(place) for name, place in (line.split(" ", 1) for line in lines) if place}


def needed(requirements: Iterable[str]) -> Mapping[str, Distribution]:
    """Return what the requirements need, and what that needs in turn: by name, as the running environment has it."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        wanted, asked_for = waiting.pop()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": asked_for}):
            continue
        name = canonicalize_name(wanted.name)
        for extra in ("", *wanted.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                found[name] = distribution(name)
                waiting += [(Requirement(text), extra) for text in found[name].requires or ()]
    return found
