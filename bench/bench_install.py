"""What a client costs its user: disk of the base install, and time to a `Client()`, now and at an older revision.

Both are installed from their sources, each with its own constraints, into environments that have nothing else; the
package index must be in reach. A start is a new interpreter. Starts take turns and are compared within a turn, so that
the machine's other work meets both; the processor's share does not know that work at all.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEFORE = "67547f4"  # the last one whose base install had the service in it
TREE = "working tree"
MIB = 2**20


@dataclass(frozen=True)
class Row:
    """One figure of both."""

    name: str
    before: float
    now: float
    ratio: float


@dataclass(frozen=True)
class Installed:
    """A base install in an environment of its own."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Where its packages lie."""
        [found] = self.folder.glob("lib/python*/site-packages")
        return found

    @property
    def program(self) -> str:
        """What makes a client there."""
        module = "sufficiency" if (self.packages / "sufficiency").exists() else "app.client"
        return f"from {module} import Client; Client()"

    def disk(self) -> int:
        """Return the bytes that its packages take on the disk, with their compiled modules."""
        return sum(file.lstat().st_blocks * 512 for file in self.packages.rglob("*"))

    def largest(self, count: int) -> list[tuple[str, int]]:
        """Return the packages with the most bytes in files, and how many those are."""
        sizes = {
            package.name: sum(Path(str(file.locate())).lstat().st_size for file in package.files or ())
            for package in distributions(path=[str(self.packages)])
        }
        return sorted(sizes.items(), key=lambda item: -item[1])[:count]

    def count(self) -> int:
        """Return how many packages it has, its own among them."""
        return len(list(distributions(path=[str(self.packages)])))


def sources(revision: str, folder: Path) -> Path:
    """Put the sources of a revision, or of the working tree, into a folder; return that."""
    folder.mkdir()
    git = ["git", "-C", str(ROOT)]
    if revision == TREE:
        listed = subprocess.check_output(
            [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], text=True
        )
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():  # and has not been deleted since
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, folder / name)
    else:
        archive = subprocess.run([*git, "archive", revision], stdout=subprocess.PIPE, check=False)
        if archive.returncode != 0:
            sys.exit(f"{revision} is not in this clone: fetch it, or name another with --revision")
        subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def install(source: Path, folder: Path) -> Installed:
    """Do what `pip install sufficiency` does, in an environment with nothing in it."""
    venv.create(folder, with_pip=False, symlinks=True)
    installed = Installed(folder)
    pip = [sys.executable, "-m", "pip", "--quiet", "--quiet", "--python", str(installed.python)]
    subprocess.run([*pip, "install", "--constraint", str(source / "constraints.txt"), str(source)], check=True)
    return installed


def seconds(python: Path, program: str) -> tuple[float, float]:
    """Return the seconds from the start of an interpreter to its end, by the clock and of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run([str(python), "-I", "-c", program], check=True)
    clock = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def start_in_turns(before: Installed, now: Installed, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return what each start of either, and of an interpreter that does nothing, has taken."""
    starts = {
        "before": (before.python, before.program),
        "now": (now.python, now.program),
        "nothing": (now.python, "pass"),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in starts}
    for turn in range(rounds + 1):
        for name in sorted(starts, reverse=turn % 2 == 1):
            spent = seconds(*starts[name])
            if turn > 0:  # the first has brought the files into memory
                taken[name].append(spent)
    return taken


def times(taken: Mapping[str, list[tuple[float, float]]]) -> list[Row]:
    """Return the medians of the starts, in milliseconds, and the median of the ratios within a turn."""
    rows = []
    for column, name in enumerate(("to a Client(), ms", "of that on the processor, ms")):
        before, now = ([spent[column] for spent in taken[key]] for key in ("before", "now"))
        ratio = statistics.median(b / a for a, b in zip(before, now, strict=True))
        rows.append(Row(name, statistics.median(before) * 1e3, statistics.median(now) * 1e3, ratio))
    return rows


def main() -> None:
    """Print disk and times of both, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--revision", default=BEFORE, help=f"what to compare with (default {BEFORE})")
    parser.add_argument("--rounds", type=int, default=21, help="starts of each")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sufficiency-") as directory:
        folder = Path(directory)
        before = install(sources(options.revision, folder / "before"), folder / "with-before")
        now = install(sources(TREE, folder / "now"), folder / "with-now")
        sizes = {
            "disk of the base install, MiB": (before.disk() / MIB, now.disk() / MIB),
            "packages": (before.count(), now.count()),
        }
        taken = start_in_turns(before, now, options.rounds)
        largest = {"before": before.largest(6), "now": now.largest(6)}
    rows = [Row(name, *both, both[1] / both[0]) for name, both in sizes.items()] + times(taken)
    print(f"{'':<34}{options.revision:>13}{TREE:>15}{'ratio':>8}")
    for row in rows:
        print(f"{row.name:<34}{row.before:>13.1f}{row.now:>15.1f}{row.ratio:>8.3f}")
    nothing = statistics.median(clock for clock, _ in taken["nothing"])
    print(f"an interpreter that does nothing: {nothing * 1e3:.1f} ms; load {os.getloadavg()[0]:.1f}")
    for name, packages in largest.items():
        print(f"largest {name}: " + ", ".join(f"{package} {size / MIB:.0f} MiB" for package, size in packages))
    if options.json:
        about = {"revision": options.revision, "python": sys.version.split()[0], "rounds": options.rounds}
        options.json.write_text(json.dumps(about | {"rows": [asdict(row) for row in rows]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
