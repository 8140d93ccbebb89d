"""The command line, in the process of the test."""

import runpy
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn
from unittest.mock import patch

from sufficiency import cli


def main() -> NoReturn:
    """Run the command that `sys.argv` names, and exit; the program that it becomes runs here as well."""
    with patch("os.execve", _become):
        cli.main()


def _become(_path: str, program: Sequence[str], _environment: Mapping[str, str]) -> None:
    module, *arguments = program[program.index("-m") + 1 :]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__")
