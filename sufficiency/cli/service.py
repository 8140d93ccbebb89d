"""The commands that run and examine the service, which are the service's own: here they are listed, and handed on.

They are executed as ``python -P -m app COMMAND …``, `--help` among it: this library imports nothing of the service.
"""

import os
import sys
from collections.abc import Callable

import typer

from sufficiency.cli.options import Json, Url
from sufficiency.cli.printing import client_of, print_json, time_text
from sufficiency.cli.programs import program, service_environment
from sufficiency.cli.strangers import refuse_strangers

SERVICE = {
    "standalone": "Run the whole service on this machine.",
    "serve": "Run the API alone.",
    "worker": "Run a worker, which trains and evaluates.",
    "migrate": "Bring the database to this version's schema.",
    "doctor": "Say what is wrong with a live service, and the remedy.",
    "prune": "Drop what old jobs no longer need; results stay.",
}

commands = typer.Typer(rich_markup_mode=None)


def _handed_on(name: str) -> Callable[[typer.Context], None]:
    def become(context: typer.Context) -> None:
        refuse_strangers()
        os.execve(sys.executable, program("app", name, *context.args), service_environment())

    return become


for _name, _summary in SERVICE.items():
    commands.command(
        _name,
        help=_summary,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(_handed_on(_name))


@commands.command()
def workers(url: Url = None, as_json: Json = False) -> None:
    """List the workers: devices, slots, last heard.

    \b
    Example:
      sufficiency workers
    """
    from sufficiency.cli.terminal import stdout, table

    with client_of(url) as client:
        items = client.workers()
    if as_json:
        return print_json({"items": items})
    made = table("worker", "", "devices", "busy", "slots", "last heard", "plugin errors", right=["busy", "slots"])
    for item in items:
        errors = "; ".join(f"{e.get('plugin')}: {e.get('error')}" for e in item.get("plugin_errors") or [])
        made.add_row(
            f"{item['hostname']}:{item['pid']}",
            "live" if item["live"] else "silent",
            ", ".join(item["devices"]),
            *(str(item["busy"]), str(item["slots"])),
            time_text(item["heartbeat_at"]),
            errors,
        )
    stdout().print(made if items else "No worker has been heard: start one with `sufficiency worker`.")
    return None
