"""Write the golden values anew: ``python -m tests.golden.write [OPTION OF PYTEST …]``.

Without options all of them, and a file that no test asks for any more is removed. With some, such as ``-k leases``,
those of the tests that pytest then runs. What is as it was, within the tolerance, is left untouched.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest


class Writer:
    """Has pytest's tests keep their values instead of comparing them."""

    def __init__(self, *, all_of_them: bool) -> None:
        self._all_of_them = all_of_them

    def pytest_sessionstart(self) -> None:
        """Set the goldens to writing."""
        # Not at the top: pytest wants to be the first to import what the goldens need.
        from tests.golden import golden

        golden.DATA.mkdir(exist_ok=True)
        golden.writing = True

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Say what has been written, and remove what nobody asked for."""
        from tests.golden import golden

        for name, is_new in golden.checked.items():
            if is_new:
                print(f"\nwritten: {name}", end="")
        if self._all_of_them and exitstatus == 0:
            for file in golden.DATA.rglob("*.json"):
                name = file.relative_to(golden.DATA).with_suffix("").as_posix()
                if name not in golden.checked:
                    file.unlink()
                    print(f"\nremoved: {name}", end="")


def main(options: Sequence[str]) -> int:
    """Run the tests and keep their values; return pytest's status."""
    return int(pytest.main([str(Path(__file__).parent), "-q", *options], [Writer(all_of_them=not options)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
