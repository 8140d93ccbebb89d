"""In which order the files of tests are handed out, so that two processes share the suite evenly to its end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Files whose tests share what takes long to start, a service or an installed wheel: one process has them all.
TOGETHER = {
    "the standing service": (
        "tests/system/test_main_job.py",
        "tests/system/test_mission.py",
        "tests/system/test_faulty_plugins.py",
        "tests/system/test_growing.py",
        "tests/system/test_notebook.py",
        "tests/system/test_service_account.py",
        "tests/system/test_adaptive.py",
    ),
    "the wheel": (
        "tests/packaging/test_wheel.py",
        "tests/packaging/test_installed_beside.py",
        "tests/packaging/test_base_install.py",
    ),
}
# Processor seconds, those of all that is started among them, measured on two cores that had other work too. Whatever is
# not named takes less, and comes after it.
LONG = {
    "tests/system/test_faults.py": 156,
    "the standing service": 117,
    "tests/system/test_guides_run.py": 98,
}


def group(file: str) -> str:
    """Return what is handed out together with a file, by name."""
    return next((name for name, files in TOGETHER.items() if file in files), file)


def longest_first(items: Sequence[Any], root: Path) -> list[Any]:
    """Return the tests with the longest groups of files first, each group in one piece; all else stays as it is."""
    places = {name: place for place, name in enumerate(LONG)}
    return sorted(items, key=lambda item: places.get(group(item.path.relative_to(root).as_posix()), len(places)))


def scheduler() -> type[Any]:
    """Return what hands tests out to processes, file by file in the order in which they were found."""
    from xdist.scheduler import LoadFileScheduling

    class ByGroup(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(super()._split_scope(nodeid))

    return ByGroup
