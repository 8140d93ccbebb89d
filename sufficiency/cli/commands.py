"""The command line as one: its groups of commands, put together. Heavy modules are imported by those that need them."""

from typing import Annotated, NoReturn

import typer

from sufficiency import exits
from sufficiency.cli import datasets, demo, fit, forecasts, jobs, plugins, results, service

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
for group in (service, jobs, results, forecasts, fit, demo):
    app.add_typer(group.commands)
app.add_typer(datasets.commands, name="datasets")
app.add_typer(plugins.commands, name="plugins")


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
) -> None:
    """Take what goes before any command."""


def main() -> NoReturn:
    """Run the command line; every error becomes words and an exit code."""
    exits.run(app, _explained)


def _explained(error: Exception) -> exits.CommandError | None:
    from sufficiency.cli.remedies import explain

    return explain(error)
