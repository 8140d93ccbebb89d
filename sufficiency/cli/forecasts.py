"""`sufficiency forecasts`: what was said of sizes before they were measured, and what came."""

from __future__ import annotations

from typing import Annotated

import typer

from sufficiency.cli.options import Json, Url
from sufficiency.cli.printing import client_of, print_json, print_table

commands = typer.Typer(rich_markup_mode=None)


@commands.command()
def forecasts(
    job: Annotated[str | None, typer.Option("--job", metavar="ID", help="Only what this job's curves said.")] = None,
    metric: Annotated[list[str] | None, typer.Option("--metric", help="Only this metric; repeatable.")] = None,
    last: Annotated[int, typer.Option("--last", min=0, max=1000, help="How many forecasts to list.")] = 20,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show how well earlier answers came true.

    When a job is extended to larger sizes, what its curves say of them is kept, and scored when they are measured:
    coverage is the share that came inside the 50, 80 and 95 % intervals, bias is positive where things came worse than
    was said, width is that of the 95 % intervals.

    \b
    Example:
      sufficiency forecasts
      sufficiency forecasts --job 019a0000-0000-7000-8000-000000000000
    """
    from sufficiency.cli.terminal import forecast_list, forecast_record

    with client_of(url) as client:
        options = {"job": job, "metric": metric or None, "limit": max(1, last)}
        answer = client.forecasts(**{key: value for key, value in options.items() if value is not None})
    if as_json:
        return print_json(answer)
    if not answer["items"]:
        typer.echo("Nothing has been foretold yet: that begins when a job is extended to larger sizes.")
        return None
    if answer["record"]:
        print_table(forecast_record(answer["record"]))
    if last:
        print_table(forecast_list(answer["items"][:last]))
    return None
