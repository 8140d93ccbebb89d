"""Commands about what a job has found: measured, projected, asked, drawn, exported."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sufficiency.cli.options import Csv, JobId, Json, Level, Method, Metric, Url
from sufficiency.cli.printing import client_of, print_json, print_table, print_text, print_warnings, write_file
from sufficiency.exits import MISUSED, CommandError
from sufficiency.schemas.words import Of

if TYPE_CHECKING:
    from rich.table import Table


commands = typer.Typer(rich_markup_mode=None)


@commands.command()
def measurements(
    id: JobId,
    view: Annotated[
        Literal["averages", "cells"], typer.Option("--view", help="Means ± SD a step, or all.")
    ] = "averages",
    url: Url = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show what a job has measured.

    Mean ± standard deviation a step, or every value.

    \b
    Example:
      sufficiency measurements 019a0000-0000-7000-8000-000000000000
      sufficiency measurements 019a0000-0000-7000-8000-000000000000 --view cells --csv
    """
    from sufficiency.cli.terminal import averages, cells

    with client_of(url) as client:
        if as_csv:
            return print_text(client.table(id, "measurements", {"view": view}))
        answer = client.measurements(id, view)
    if as_json:
        return print_json(answer)
    if not answer["items"]:
        typer.echo("Nothing is measured yet.")
        return None
    print_table(averages(answer["items"]) if view == "averages" else cells(answer["items"]))
    if view == "averages" and any(item["class"] is not None for item in answer["items"]):
        typer.echo("Values of single classes: --csv, --json or --view cells.")
    return None


@commands.command()
def cells(id: JobId, url: Url = None, as_json: Json = False, as_csv: Csv = False) -> None:
    """Show what a job's cells did.

    Optimiser steps, what the learner settled by itself (its batch size, learning rate, iterations, gamma …), and the
    warnings that its libraries gave.

    \b
    Example:
      sufficiency cells 019a0000-0000-7000-8000-000000000000
      sufficiency cells 019a0000-0000-7000-8000-000000000000 --csv
    """
    from sufficiency.cli.terminal import learners

    with client_of(url) as client:
        if as_csv:
            return print_text(client.table(id, "cells"))
        answer = client.cells(id)
    if as_json:
        return print_json(answer)
    if not answer["items"]:
        typer.echo("Nothing is measured yet.")
        return None
    return print_table(learners(answer["items"]))


@commands.command()
def project(
    id: JobId,
    n: Annotated[list[int], typer.Argument(metavar="N", min=1, help="Training-set sizes.", show_default=False)],
    metric: Metric = None,
    level: Level = None,
    method: Method = None,
    of: Annotated[
        Of | None,
        typer.Option(
            "--of",
            help="Whose interval: of the mean over runs (the default), of one new training, or of the mean on all data "
            "that the test split was drawn from.",
        ),
    ] = None,
    url: Url = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Say what to expect of N training items.

    A value with its interval: measured up to the largest size that the job trained on, projected beyond it. On a
    terminal with the curve.

    \b
    Example:
      sufficiency project 019a0000-0000-7000-8000-000000000000 5000 10000
      sufficiency project 019a0000-0000-7000-8000-000000000000 5000 --of one_training --level 0.8
    """
    from sufficiency.cli.plot import print_plots
    from sufficiency.cli.terminal import projection

    options = {"metric": metric or None, "level": level, "method": method, "of": of}
    with client_of(url) as client:
        if as_csv:
            return print_text(client.table(id, "project", {"n": n, **options}))
        answer = client.project(id, n, **options)
        _print_answer(answer, as_json, projection)
        if not as_json:
            print_plots(client, id, metric, n)
        return None


@commands.command("inv-project")
def inv_project(
    id: JobId,
    targets: Annotated[
        list[str], typer.Argument(metavar="TARGET", help="0.9, or Accuracy:0.9 for one metric.", show_default=False)
    ],
    level: Level = None,
    method: Method = None,
    url: Url = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Say how many items a TARGET needs.

    A number with its interval, and how likely the target is to be met at all. With --json also the number at which one
    new training meets it with probability 0.8.

    \b
    Example:
      sufficiency inv-project 019a0000-0000-7000-8000-000000000000 0.9 Accuracy:0.95
    """
    from sufficiency.cli.terminal import inverse

    options = {"level": level, "method": method}
    with client_of(url) as client:
        if as_csv:
            return print_text(client.table(id, "inv_project", {"target": targets, **options}))
        answer = client.inv_project(id, targets, **options)
    return _print_answer(answer, as_json, inverse)


@commands.command()
def verdict(
    id: JobId,
    metric: Metric = None,
    min_gain: Annotated[
        list[str] | None,
        typer.Option(
            "--min-gain",
            metavar="GAIN",
            help="What twice the data must bring to be worth it, in the metric's units: 0.01, or Accuracy:0.01.",
        ),
    ] = None,
    primary: Annotated[
        str | None, typer.Option("--primary", metavar="METRIC", help="The metric that answers for the job.")
    ] = None,
    level: Level = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Say whether more data is worth it.

    What 1, 2 and 4 times as much again would bring, where the ceiling seems to be, what limits the answer, what to do
    next.

    \b
    Example:
      sufficiency verdict 019a0000-0000-7000-8000-000000000000
      sufficiency verdict 019a0000-0000-7000-8000-000000000000 --min-gain Accuracy:0.01
    """
    from sufficiency.cli.terminal import print_verdict, stdout

    with client_of(url) as client:
        answer = client.verdict(id, metric=metric or None, min_gain=min_gain or None, primary=primary, level=level)
    if as_json:
        return print_json(answer)
    print_verdict(stdout(), answer)
    return print_warnings(answer)


@commands.command()
def refit(id: JobId, url: Url = None, as_json: Json = False) -> None:
    """Fit a completed job's curves by the present method.

    A completed job keeps the version that it completed with until then. Nothing is measured. What the version before
    said can still be asked of the API, by method_version.

    \b
    Example:
      sufficiency refit 019a0000-0000-7000-8000-000000000000
    """
    with client_of(url) as client:
        answer = client.refit(id)
    if as_json:
        return print_json(answer)
    return print_text("\n".join(_moved(method, now, answer["before"][method]) for method, now in answer["now"].items()))


def _moved(method: str, now: int, before: int) -> str:
    return f"{method}: by version {now}, {'as before' if now == before else f'until now by {before}'}"


@commands.command()
def curves(id: JobId, metric: Metric = None, method: Method = None, url: Url = None, as_json: Json = False) -> None:
    """Show the fitted curves with their back-test.

    The back-test fits a curve to its own early steps, up to a quarter and up to half of the largest size, and compares
    what that says of the later steps with what was measured.

    \b
    Example:
      sufficiency curves 019a0000-0000-7000-8000-000000000000
      sufficiency curves 019a0000-0000-7000-8000-000000000000 --method power_law
    """
    from sufficiency.cli.terminal import curves as laws

    with client_of(url) as client:
        answer = client.curves(id, metric=metric or None, method=method)
    if as_json:
        return print_json(answer)
    print_table(laws(answer))
    return print_warnings(answer)


@commands.command("plot")
def plot_curve(
    id: JobId,
    metric: Annotated[str | None, typer.Option("--metric", help="Which metric; default all with one value.")] = None,
    target: Annotated[float | None, typer.Option("--target", help="A value to mark.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write, .svg or .png, instead of the terminal.")
    ] = None,
    theme: Annotated[Literal["light", "dark"], typer.Option("--theme", help="Colours of the file.")] = "light",
    url: Url = None,
) -> None:
    """Draw the learning curve, in the terminal or into a file.

    Circles are what was measured; the line is the curve, with its 95 % interval as dots. The file is of one metric, the
    first unless --metric names another.

    \b
    Example:
      sufficiency plot 019a0000-0000-7000-8000-000000000000
      sufficiency plot 019a0000-0000-7000-8000-000000000000 --metric Accuracy --target 0.95 -o curve.svg
    """
    from sufficiency.cli.plot import plots
    from sufficiency.cli.terminal import stdout

    if output is not None and output.suffix not in (".svg", ".png"):
        raise CommandError("the file's name must end in .svg or .png", str(output), code=MISUSED)
    if target is not None and not math.isfinite(target):
        raise CommandError("a value to mark must be a finite number", f"--target {target}", code=MISUSED)
    with client_of(url) as client:
        if output is not None:
            kind: Any = output.suffix[1:]
            return write_file(output, client.plot(id, kind, metric=metric, target=target, theme=theme))
        console = stdout()
        lines = plots(client, id, console.width, metrics=[metric] if metric else None, target=target)
        if not lines:
            raise CommandError(
                "there is no curve to draw" + (f" of {metric}" if metric else ""),
                f"job {id}",
                f"see what is measured with `sufficiency measurements {id}`",
            )
        for line in lines[1:]:
            console.print(line)
        return None


@commands.command()
def export(
    id: JobId,
    format: Annotated[
        Literal["dataeval", "csv"],
        typer.Option("--format", help="dataeval: the JSON that its SufficiencyOutput takes; csv: every cell."),
    ] = "dataeval",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default standard output.")
    ] = None,
    to_mlflow: Annotated[
        str | None, typer.Option("--to-mlflow", metavar="URI", help="Write to this MLflow instead of a file.")
    ] = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", help="Of MLflow, made if it is not there; default sufficiency.")
    ] = None,
    url: Url = None,
) -> None:
    """Write a job's results to a file, or to MLflow.

    In MLflow the job is a run with its curve as metrics (step is the training-set size) and its results as artifacts;
    its own runs are children. Exporting again adds nothing twice. It needs `pip install mlflow-skinny`.

    \b
    Example:
      sufficiency export 019a0000-0000-7000-8000-000000000000 --format csv -o curve.csv
      sufficiency export 019a0000-0000-7000-8000-000000000000 --to-mlflow http://127.0.0.1:5000
    """
    if experiment is not None if to_mlflow is None else (output is not None or format != "dataeval"):
        what = "--experiment is for --to-mlflow; --output and --format are for a file"
        raise CommandError(what, do="leave out one or the other", code=MISUSED)
    with client_of(url) as client:
        if to_mlflow is not None:
            run = client.to_mlflow(id, to_mlflow, experiment or "sufficiency")
            typer.echo(f"Exported to {to_mlflow}: experiment {experiment or 'sufficiency'}, run {run}.")
            return
        content = client.export(id, format)
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_file(output, content)


def _print_answer(answer: Mapping[str, Any], as_json: bool, show: Callable[[Mapping[str, Any]], Table]) -> None:
    if as_json:
        return print_json(answer)
    print_table(show(answer))
    note = f"method {answer['method']}, measured up to n = {answer['n_observed']:,}"
    typer.echo(note + (", provisional: the job has not completed" if answer["provisional"] else ""))
    return print_warnings(answer)
