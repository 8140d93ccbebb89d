"""``python -P -m worker``: what `sufficiency worker` becomes."""

import sys

from sufficiency.exits import REFUSED, print_error
from sufficiency.extras import MissingExtra, needs


def main() -> int:
    """Run a worker; return its exit status."""
    try:
        with needs("worker"):
            from worker.process import run
        return run()
    except MissingExtra as error:
        print_error(error.what, do=error.remedy)
        return REFUSED


if __name__ == "__main__":
    sys.exit(main())
