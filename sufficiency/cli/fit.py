"""`sufficiency fit`: what a learning curve that was measured elsewhere says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sufficiency.cli.options import Json, Level, Method, Metric
from sufficiency.exits import MISUSED, CommandError
from sufficiency.extras import needs

commands = typer.Typer(rich_markup_mode=None)
AHEAD = (2, 4, 8)  # times the largest measured size


@commands.command()
def fit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, a Markdown table, or JSON.", show_default=False)],
    n: Annotated[
        list[int] | None, typer.Option("--n", min=1, help="A size to project to; default 2, 4 and 8 times the largest.")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option("--target", help="0.9, or Accuracy:0.9 for one metric; may be repeated.")
    ] = None,
    metric: Metric = None,
    minimize: Annotated[
        list[str] | None, typer.Option("--minimize", metavar="METRIC", help="Lower is better; may be repeated.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="n=NAME", help="Which column is n, value, run, metric or class."),
    ] = None,
    test_size: Annotated[int | None, typer.Option("--test-size", min=1, help="Items it was measured on.")] = None,
    level: Level = None,
    method: Method = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the study to this file as well, for sufficiency.load.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a learning curve that was measured elsewhere says.

    FILE has a row a size (a column n, and a column a metric) or a row a value (n, value, and maybe run, metric, class),
    from whatever tool; several rows of one size are several runs. Nothing is trained, and no service is asked.

    \b
    Example:
      sufficiency fit curve.csv
      sufficiency fit curve.csv --target 0.95 --n 10000
      sufficiency fit losses.csv --minimize loss --column n=images
    """
    with needs("local"):
        from sufficiency.study.fitting import fit as fitted
    study = fitted(
        file,
        metrics={name: {"direction": "minimize", "bounds": (None, None)} for name in minimize or []} or None,
        columns=_columns(column or []),
        test_size=test_size,
        source=str(file),
        dataset=file.stem,
    )
    if output is not None:
        study.save(output)
    largest = max(study["steps"])
    options: dict[str, Any] = {"metric": metric or None, "level": level, "method": method}
    answers: dict[str, Any] = {
        "measurements": list(study.measurements()),
        "project": study.project(*(n or [times * largest for times in AHEAD]), **options).answer,
    }
    if target:
        answers["inv_project"] = study.inv_project(*target, level=level, method=method).answer
    answers["verdict"] = study.verdict(metric=metric or None, level=level).answer
    _print(study, answers, metric, n or [], as_json)


def _print(study: Any, answers: dict[str, Any], metric: list[str] | None, ends: list[int], as_json: bool) -> None:
    from sufficiency.cli.plot import plots
    from sufficiency.cli.printing import print_json, print_table, print_warnings
    from sufficiency.cli.terminal import averages, inverse, print_verdict, projection, stdout

    if as_json:
        return print_json(answers)
    console = stdout()
    print_table(averages([row for row in answers["measurements"] if not metric or row["metric"] in metric]))
    typer.echo()
    print_table(projection(answers["project"]))
    if "inv_project" in answers:
        typer.echo()
        print_table(inverse(answers["inv_project"]))
    typer.echo()
    print_verdict(console, answers["verdict"])
    for line in plots(study.asked, study.id, console.width, metrics=metric, ends=ends):
        console.print(line)
    print_warnings(study)
    return print_warnings(answers["verdict"])


def _columns(given: list[str]) -> dict[str, str]:
    roles: tuple[Literal["n", "value", "run", "metric", "class"], ...] = ("n", "value", "run", "metric", "class")
    named: dict[str, str] = {}
    for text in given:
        role, equals, name = text.partition("=")
        if not equals or role not in roles:
            raise CommandError(
                f"{text!r} does not name a column",
                "--column",
                f"write one of {', '.join(f'{role}=NAME' for role in roles)}",
                MISUSED,
            )
        named[role] = name
    return named
