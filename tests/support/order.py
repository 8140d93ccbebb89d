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
    ),
    "the wheel": (
        "tests/packaging/test_wheel.py",
        "tests/packaging/test_installed_beside.py",
        "tests/packaging/test_base_install.py",
    ),
}
# Seconds on a quiet machine of two cores, of what takes longer than ten; whatever is not named here comes after it.
LONG = {
    "the wheel": 70,
    "the standing service": 65,
    "tests/system/test_faults.py": 60,
    "tests/worker/test_slot.py": 50,
    "tests/system/test_standalone.py": 50,
    "tests/study/test_run.py": 50,
    "tests/system/test_guides_run.py": 45,
    "tests/golden/test_service_answers.py": 28,
    "tests/training/test_state.py": 27,
    "tests/page/test_page.py": 20,
    "tests/system/test_hosts.py": 14,
    "tests/compat/test_sufficiency.py": 12,
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
