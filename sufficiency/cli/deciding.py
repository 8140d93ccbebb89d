"""Commands that decide: what to buy now, whether a pipeline may go on, and the page for who pays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sufficiency.cli.options import JobId, Json, Url
from sufficiency.cli.printing import client_of, print_json, print_text, print_warnings, write_file
from sufficiency.exits import MISUSED, REFUSED, CommandError

commands = typer.Typer(rich_markup_mode=None)

Price = Annotated[float, typer.Option("--price", help="Of a label.", show_default=False)]
Value = Annotated[
    float | None,
    typer.Option("--value", help="Of a point: a hundredth of the metric's range, or one unit where it has none."),
]
Target = Annotated[
    str | None, typer.Option("--target", help="In place of --value: what has to be met, 0.95 or Accuracy:0.95.")
]
Penalty = Annotated[float | None, typer.Option("--penalty", help="Of missing the target.")]
RoundCost = Annotated[float, typer.Option("--round-cost", help="Of each purchase, however large.")]
Rounds = Annotated[int, typer.Option("--rounds", help="Purchases that are left.")]
Budget = Annotated[float | None, typer.Option("--budget", help="Most to spend in all.")]


@commands.command()
def decide(
    id: JobId,
    price: Price,
    value: Value = None,
    target: Target = None,
    penalty: Penalty = None,
    round_cost: RoundCost = 0.0,
    rounds: Rounds = 1,
    budget: Budget = None,
    metric: Annotated[str | None, typer.Option("--metric", help="Which metric it goes by.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the picture of what money buys, .svg or .png.")
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Say how many labels to buy now.

    0 is an answer, and after each of --rounds one looks again. Money is in any currency, the same throughout.

    \b
    Example:
      sufficiency decide 019a0000-0000-7000-8000-000000000000 --price 0.1 --target Accuracy:0.95 --penalty 2000
      sufficiency decide 019a0000-0000-7000-8000-000000000000 --price 0.1 --value 300 --rounds 3 --round-cost 50
    """
    from sufficiency.cli.terminal import print_decision, stdout

    if output is not None and output.suffix not in (".svg", ".png"):
        raise CommandError("the file's name must end in .svg or .png", str(output), code=MISUSED)
    terms: dict[str, Any] = {
        "value": value,
        "target": target,
        "penalty": penalty,
        "round_cost": round_cost,
        "rounds": rounds,
        "budget": budget,
        "metric": metric,
    }
    with client_of(url) as client:
        answer = client.decide(id, price, **terms)
        if output is not None:
            kind: Any = output.suffix[1:]
            write_file(output, client.decision_plot(id, price, kind, **terms))
    if as_json:
        return print_json(answer)
    print_decision(stdout(), answer)
    return print_warnings(answer)


@commands.command()
def gate(
    id: JobId,
    targets: Annotated[
        list[str],
        typer.Option("--target", help="0.95, or Accuracy:0.95 for one metric; may be repeated.", show_default=False),
    ],
    probability: Annotated[
        float, typer.Option("--probability", min=0.0, max=1.0, help="With which each has to be met.")
    ] = 0.8,
    n: Annotated[
        int | None, typer.Option("--n", min=1, help="At that training-set size; default the largest measured.")
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="File for JUnit's XML, a test case a target.")] = None,
    summary: Annotated[
        Path | None, typer.Option("--summary", help="File that a summary in Markdown is added to.")
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Say whether targets are met surely enough, for a pipeline.

    Exit codes: 0 when all are, 1 when one is not or there is no answer, 2 for misuse, 3 without a service.

    \b
    Example:
      sufficiency gate 019a0000-0000-7000-8000-000000000000 --target Accuracy:0.95 --probability 0.8
      sufficiency gate 019a0000-0000-7000-8000-000000000000 --target 0.9 --junit gate.xml --summary summary.md
    """
    from sufficiency.cli import gates
    from sufficiency.client.errors import ClientError

    with client_of(url) as client:
        try:
            answer = client.gate(id, targets, probability=probability, n=n)
        except ClientError as error:
            if junit is not None:
                write_file(junit, gates.junit_unanswered(id, targets, str(error)))
            if summary is not None:
                add_to_file(summary, gates.markdown_unanswered(id, str(error)))
            raise
    if junit is not None:
        write_file(junit, gates.junit(answer))
    if summary is not None:
        add_to_file(summary, gates.markdown(answer))
    if as_json:
        print_json(answer)
    else:
        for check in answer["checks"]:
            typer.echo(f"{'passed' if check['passed'] else 'not passed'}: {check['sentence']}")
        print_warnings(answer)
    if not answer["passed"]:
        raise typer.Exit(REFUSED)


def add_to_file(path: Path, text: str) -> None:
    """Add a text to the end of a file, as a pipeline's summary of several steps is made."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CommandError(f"the file cannot be written ({error.strerror})", str(path), code=MISUSED) from error


@commands.command()
def report(
    id: JobId,
    price: Annotated[
        float | None, typer.Option("--price", help="Of a label; without it nothing is said of money.")
    ] = None,
    value: Value = None,
    target: Target = None,
    penalty: Penalty = None,
    round_cost: RoundCost = 0.0,
    rounds: Rounds = 1,
    budget: Budget = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write, .html; default standard output.")
    ] = None,
    url: Url = None,
) -> None:
    """Write the job on one page for who pays.

    HTML that prints on a sheet of A4: question, answer, picture, price, what it rests on, how sure it is.

    \b
    Example:
      sufficiency report 019a0000-0000-7000-8000-000000000000 -o report.html
      sufficiency report 019a0000-0000-7000-8000-000000000000 --price 0.1 --target Accuracy:0.95 --penalty 2000
    """
    terms: dict[str, Any] = {"value": value, "target": target, "penalty": penalty, "budget": budget}
    if price is not None:
        terms |= {"price": price, "round_cost": round_cost, "rounds": rounds}
    elif any(one is not None for one in terms.values()) or round_cost or rounds != 1:
        raise CommandError("prices are named without that of a label", do="add --price", code=MISUSED)
    with client_of(url) as client:
        page = client.report(id, **terms)
    if output is None:
        print_text(page)
    else:
        write_file(output, page.encode())
