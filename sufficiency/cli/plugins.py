"""`sufficiency plugins …`: list, show, write and check plugins."""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from sufficiency.cli.options import Json, Url
from sufficiency.cli.printing import client_of, print_json
from sufficiency.cli.programs import plugin_environment, program
from sufficiency.exits import CommandError
from sufficiency.extras import MissingExtra


class _ShownUnlessTold(typer.core.TyperGroup):
    """Takes `plugins`, `plugins NAME` and `plugins --kind KIND` for `plugins show …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, "-h", "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


commands = typer.Typer(
    cls=_ShownUnlessTold,
    help="List, show, write and check plugins.\n\n"
    "\b\nExample:\n  sufficiency plugins\n  sufficiency plugins sgd-classifier\n"
    "  sufficiency plugins new my-study\n  sufficiency plugins check mystudy:Net",
    rich_markup_mode=None,
)


@commands.command("show")
def show(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this plugin and its parameters.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="model, training, evaluation, reset, …")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List plugins, or show one's parameters.

    \b
    Example:
      sufficiency plugins show --kind model
      sufficiency plugins show sgd-classifier
    """
    from sufficiency.cli.terminal import params_table, stdout, table

    with client_of(url) as client:
        items = [item for item in client.plugins(kind) if name in (None, item["name"])]
    if name is not None and not items:
        raise CommandError(f"no plugin is called {name!r}", do="see what there is with `sufficiency plugins`")
    if as_json:
        return print_json({"items": items})
    console = stdout()
    if name is None:
        made = table("kind", "name", "version", "devices", "what it is")
        for item in sorted(items, key=lambda item: (item["kind"], item["name"])):
            gone = "" if item["available"] else " (no live worker offers it)"
            made.add_row(
                *(item["kind"], item["name"], item["version"], ", ".join(item["devices"])), item["summary"] + gone
            )
        console.print(made if items else "No plugin is known yet: has a worker started? (`sufficiency workers`)")
        return None
    for item in items:
        console.print(f"{item['kind']} {item['name']} {item['version']}: {item['summary']}", markup=False)
        console.print(params_table(item["params_schema"]))
        for metric, properties in (item["capabilities"].get("metrics") or {}).items():
            console.print(f"measures {metric}: {json.dumps(properties)}", markup=False)
    return None


@commands.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the package: my-study.", show_default=False)],
    directory: Annotated[Path, typer.Option("--dir", help="Where its folder is made.")] = Path("."),
) -> None:
    """Write a package of plugins.

    It has a model, a training and an evaluation strategy, and a test of them. Installed where the worker runs, it is
    found by itself.

    \b
    Example:
      sufficiency plugins new my-study
      pip install -e ./my-study
      pytest my-study
    """
    from sufficiency.testing.scaffold import write_package

    folder = write_package(name, directory)
    typer.echo(f"Wrote {folder}. Next:\n  pip install -e {folder}\n  pytest {folder}\n  start the worker again")


@commands.command("check", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def check(context: typer.Context) -> None:
    """Check a plugin, and say what to mend.

    It is held to what the service asks of its kind: MODULE[:ATTRIBUTE] is tried where you stand. The exit code is 1 if
    a rule is broken.

    \b
    Options:
      --kind KIND         of the plugin, where its methods do not tell
      --params JSON       of the plugin
      --model M:A         a model to try strategies with; else the module's own, or a small network
      --dataset NAME      shape and classes of this registered dataset; with M:A a loader to try with
      --url URL           the service that has the dataset
      --shape 3,32,32     of a random item; else what the model takes, or 1,8,8
      --classes N         of the random items; else what the model answers, or 3; 0: numbers to predict
      --json              print the findings as JSON

    \b
    Example:
      sufficiency plugins check mystudy
      sufficiency plugins check mystudy --dataset digits
      sufficiency plugins check mystudy:Adam --model mystudy:Net
    """
    for name in ("numpy", "torch"):
        if find_spec(name) is None:
            raise MissingExtra(name, "worker")
    os.execve(sys.executable, program("sufficiency.testing", *context.args), plugin_environment())
