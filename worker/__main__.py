"""``python -P -m worker``: what `sufficiency worker` becomes."""

import sys

from sufficiency.exits import REFUSED, print_error, wrong_setting
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
    except ValueError as error:
        if (told := wrong_setting(error)) is None:
            raise
        print_error(told.what, told.where, told.do)
        return told.code


if __name__ == "__main__":
    sys.exit(main())
