"""How a command of the house ends: what is wrong, where, and what to do, in words; and an exit code."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from sufficiency.extras import MissingExtra
from sufficiency.schemas.plain import plain

if TYPE_CHECKING:
    import typer

REFUSED, MISUSED, UNREACHABLE = 1, 2, 3  # exit codes
INTERRUPTED = 130


class CommandError(Exception):
    """Why a command ends: what is wrong, where, and what to do; with the exit code."""

    def __init__(self, what: str, where: str = "", do: str = "", code: int = REFUSED) -> None:
        super().__init__(what)
        self.what, self.where, self.do, self.code = what, where, do, code


def print_error(what: str, where: str = "", do: str = "") -> None:
    """Write an error to stderr: what is wrong, where, and what to do."""
    lines = [f"error: {what}"]
    lines += [f"  where: {line}" for line in where.splitlines()]
    lines += [f"  do: {do}"] if do else []
    print("\n".join(map(plain, lines)), file=sys.stderr)


def run(commands: "typer.Typer", explain: Callable[[Exception], CommandError | None]) -> NoReturn:
    """Run the command that the arguments name, and exit; every error becomes words and an exit code.

    Parameters
    ----------
    commands : Typer
        The commands.
    explain : callable
        Puts an error of the commands' own into words; None for one that it does not know.
    """
    import typer

    try:
        code = commands(prog_name="sufficiency", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo(err=True)  # leave the line that ^C stands on
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has had enough; the interpreter must not complain at its own flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _report(error, explain)
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: Exception, explain: Callable[[Exception], CommandError | None]) -> int:
    import typer

    misuse = typer.BadParameter.__mro__[1]  # UsageError, which newer versions of typer keep to themselves
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(str(error), err=True)
        return MISUSED
    if isinstance(error, misuse):
        told: CommandError | None = _misuse(error)
    elif isinstance(error, CommandError):
        told = error
    elif isinstance(error, MissingExtra):
        told = CommandError(error.what, do=error.remedy)
    else:
        told = wrong_setting(error) or explain(error)
    if told is None:
        if sys.flags.dev_mode:
            raise error
        told = CommandError(
            f"{type(error).__name__}: {error}",
            "the command line itself",
            "this is a bug: please report it, with what `python -X dev -m sufficiency.cli …` prints",
        )
    print_error(told.what, told.where, told.do)
    return told.code


def _misuse(error: Exception) -> CommandError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "sufficiency"
    format_message: Callable[[], str] = getattr(error, "format_message", error.__str__)
    return CommandError(format_message(), command, f"`{command} --help` shows how, with an example", MISUSED)


def wrong_setting(error: Exception) -> CommandError | None:
    """Name the settings that cannot be read; told by names, since loading pydantic takes longer than most commands."""
    if type(error).__name__ == "UnknownSetting":
        where = "\n".join(getattr(error, "wrong", [str(error)]))
        return CommandError("a setting is misspelt", where, "correct the environment variable, or unset it", MISUSED)
    if type(error).__name__ != "ValidationError" or getattr(error, "title", None) != "Settings":
        return None
    from sufficiency.schemas.faults import worded

    faults: list[dict[str, Any]] = getattr(error, "errors", list)()
    # One about several of them names them itself.
    named = ((f"SUFFICIENCY_{str(fault['loc'][0]).upper()}: " if fault["loc"] else "", fault) for fault in faults)
    where = "\n".join(name + worded(fault) for name, fault in named)
    return CommandError("a setting is wrong", where, "correct the environment variable", MISUSED)
