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
        "tests/system/test_reuse.py",
        "tests/system/test_guides_run.py",
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
    "the standing service": 105,
    "tests/system/test_faults.py": 80,
    "tests/page/test_page.py": 60,
    "tests/web/test_generated.py": 50,
    "tests/growth/test_answers.py": 43,
    "tests/training/test_state.py": 40,
    "tests/golden/test_service_answers.py": 36,
    "tests/study/test_run.py": 35,
    "the wheel": 31,
    "tests/growth/test_requests.py": 26,
    "tests/worker/test_slot.py": 25,
    "tests/system/test_standalone.py": 25,
    "tests/compat/test_sufficiency.py": 24,
    "tests/web/test_browsers.py": 21,
    "tests/results/test_compare_and_figures.py": 20,
    "tests/results/test_results.py": 18,
    "tests/jobs/test_extend.py": 18,
    "tests/units/test_schedules.py": 16,
    "tests/worker/test_questions.py": 14,
    "tests/worker/test_slots.py": 14,
    "tests/compat/test_faults_of_dataeval.py": 14,
    "tests/units/test_picking.py": 14,
    "tests/worker/test_hostile_plugins.py": 12,
    "tests/results/test_kept.py": 12,
    "tests/web/test_processes.py": 12,
    "tests/jobs/test_not_measurable.py": 11,
    "tests/golden/test_service_database.py": 11,
    "tests/web/test_manners.py": 10,
    "tests/worker/test_supervisor.py": 9,
    "tests/worker/test_lane.py": 9,
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
