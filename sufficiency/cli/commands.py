"""The command line as one: its groups of commands, put together. Heavy modules are imported by those that need them."""

import os
from typing import Annotated, NoReturn

import typer

from sufficiency import exits
from sufficiency.cli import access, datasets, deciding, demo, fit, forecasts, jobs, plugins, results, service

app = typer.Typer(
    name="sufficiency",
    help="Will more labelled data help? Learning curves as a service.\n\n"
    "\b\nExample:\n  sufficiency demo            the whole way once, on this machine\n"
    "  sufficiency standalone      a service to keep, on this machine",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (service, jobs, results, deciding, forecasts, fit, demo, access):
    app.add_typer(group.commands)
app.add_typer(datasets.commands, name="datasets")
app.add_typer(plugins.commands, name="plugins")
app.add_typer(access.keys, name="keys")
app.add_typer(access.projects, name="projects")
app.add_typer(access.members, name="members")


def _print_version(wanted: bool) -> None:
    if wanted:
        from sufficiency import __version__

        typer.echo(f"sufficiency {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="Who asks; else SUFFICIENCY_API_KEY, which other users do not see."),
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", metavar="NAME", help="Which project; else SUFFICIENCY_PROJECT.")
    ] = None,
) -> None:
    """Take what goes before any command."""
    # As settings, so that every client of this process, and what it becomes, has them.
    for name, given in (("SUFFICIENCY_API_KEY", key), ("SUFFICIENCY_PROJECT", project)):
        if given is not None:
            os.environ[name] = given


def main() -> NoReturn:
    """Run the command line; every error becomes words and an exit code."""
    exits.run(app, _explained)


def _explained(error: Exception) -> exits.CommandError | None:
    from sufficiency.cli.remedies import explain

    return explain(error)
