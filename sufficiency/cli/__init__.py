"""The command line: the API's vocabulary as commands."""

from typing import NoReturn


def main() -> NoReturn:
    """Run the command line; every error becomes words and an exit code."""
    from sufficiency.cli.commands import main as run

    run()
