"""The command line, in the process of the test."""

import sys
from typing import NoReturn

from app import commands as of_the_service
from sufficiency.cli import commands
from sufficiency.cli.service import SERVICE


def main() -> NoReturn:
    """Run the command that `sys.argv` names, and exit; what it becomes another program for runs here as well."""
    (of_the_service if sys.argv[1:2] and sys.argv[1] in SERVICE else commands).main()
