"""Commands about jobs: submit, list, watch, and what moves or changes one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sufficiency.cli.options import JobId, Json, StartAnew, Url
from sufficiency.cli.printing import client_of, print_json, print_warnings, time_text
from sufficiency.client.progress import cells_text
from sufficiency.exits import MISUSED, CommandError

if TYPE_CHECKING:
    from rich.console import Console

    from sufficiency.client.client import Client
    from sufficiency.client.job import Job

commands = typer.Typer(rich_markup_mode=None)


@commands.command()
def submit(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The job as JSON; - reads standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it and show the plan; store nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Watch it to its end.")] = False,
    name: Annotated[str | None, typer.Option("--name", help="What lists and reports call it.")] = None,
    note: Annotated[str | None, typer.Option("--note", help="What is to be remembered of it.")] = None,
    no_reuse: Annotated[
        bool,
        typer.Option("--no-reuse", help="Measure all of it, also what another job of the project has measured."),
    ] = False,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help="Sent again with the same key, it is the same job.")
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Submit a job.

    \b
    Example:
      sufficiency submit job.json --dry-run
      sufficiency submit job.json --wait --name 'Digits, first batch'
      sufficiency submit job.json --no-reuse
    with job.json:
      {"model": {"name": "mlp"},
       "training": {"name": "sgd-classifier", "params": {"epochs": 10}},
       "evaluation": {"name": "classification", "params": {"metrics": ["accuracy"]}},
       "dataset": "digits", "runs": 3, "substeps": 8}
    """
    from rich.console import Console

    from sufficiency.cli.terminal import require_completed

    named = {key: text for key, text in (("name", name), ("note", note)) if text is not None}
    spec = _read_job(file) | named | ({"reuse": False} if no_reuse else {})
    with client_of(url) as client:
        if dry_run:
            plan = client.submit(spec, dry_run=True)
            return print_json(plan) if as_json else _print_plan(plan)
        job = client.submit(spec, idempotency_key=idempotency_key)
        if wait:
            # The answer alone belongs to standard output, so that it can be piped.
            typer.echo(f"Job {job['id']}", err=True)
            job = _followed(client, job["id"], Console(stderr=True, highlight=False))
    if as_json:
        print_json(job)
    elif wait:
        typer.echo(f"Job {job['id']} {job['state']}")
        print_warnings(job)
        _lead_on(job)
    else:
        print_warnings(job)
        typer.echo(job["id"])
        typer.echo(f"Watch it with `sufficiency watch {job['id']}`.", err=True)
    if wait:
        require_completed(job)
    return None


@commands.command()
def jobs(
    state: Annotated[str | None, typer.Option("--state", help="queued, running, completed, failed, …")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only jobs of this model.")] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Only jobs on this dataset.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", help="Only jobs with this label (key:value).")] = None,
    search: Annotated[
        str | None, typer.Option("--search", help="Only jobs with these parts of words in name, model, dataset or id.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", help="created, name, finished or value; with - the greatest first.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List jobs, the newest first, with what came of them.

    \b
    Example:
      sufficiency jobs --state running
      sufficiency jobs --search 'first batch' --sort -value
    """
    from sufficiency.cli.terminal import stdout, table
    from sufficiency.schemas.text import WORTH, number

    wanted = {"state": state, "model": model, "dataset": dataset, "label": label or None, "q": search, "sort": sort}
    with client_of(url) as client:
        items = list(client.jobs(limit=limit, **wanted))
    if as_json:
        return print_json({"items": items})
    made = table("id", "name", "state", "model", "dataset", "cells", "created", "result", right=["cells"])
    for item in items:
        spec, progress, result = item["spec"], item["progress"], item.get("result") or {}
        told = next((text for worth, text in WORTH.items() if worth == result.get("worth")), "")
        made.add_row(
            *(item["id"], item.get("name", ""), item["state"], spec["model"]["name"], spec["dataset"]),
            cells_text(progress).replace(" cells", "", 1),
            time_text(item["created_at"]),
            f"{result['metric']} {number(result['value'])}{told and f': {told}'}" if result else "",
        )
    stdout().print(made if items else "No such job: submit one with `sufficiency submit`.")
    return None


@commands.command()
def rename(
    id: JobId,
    name: Annotated[str | None, typer.Option("--name", help="What lists and reports call it; '' for none.")] = None,
    note: Annotated[str | None, typer.Option("--note", help="What is to be remembered of it; '' for none.")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Give a job another name or note.

    What it measures stays as it is.

    \b
    Example:
      sufficiency rename 019a0000-0000-7000-8000-000000000000 --name 'Digits, first batch'
    """
    if name is None and note is None:
        raise CommandError("say what to change: --name or --note", code=MISUSED)
    with client_of(url) as client:
        job = client.rename(id, name=name, note=note)
    if as_json:
        return print_json(job)
    typer.echo(f"Job {id} is called {job['name']!r}." if job["name"] else f"Job {id} has no name.")
    return None


@commands.command()
def watch(id: JobId, url: Url = None, as_json: Json = False) -> None:
    """Watch a job to its end.

    A live bar, or plain lines when not on a terminal. Ctrl-C ends the watching, not the job.

    \b
    Example:
      sufficiency watch 019a0000-0000-7000-8000-000000000000
    """
    from rich.console import Console

    from sufficiency.cli.plot import print_plots
    from sufficiency.cli.terminal import require_completed

    with client_of(url) as client:
        job = _followed(client, id, Console(stderr=as_json, highlight=False))
        if as_json:
            print_json(job)
        else:
            print_plots(client, id)
            print_warnings(job)
            _lead_on(job)
    require_completed(job)


@commands.command()
def logs(
    id: JobId,
    tail: Annotated[int, typer.Option("--tail", min=1, max=10_000, help="How many of the last lines.")] = 200,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Print what a job's plugins have written.

    The libraries below them too: all that comes out of a trainer while it works for the job.

    \b
    Example:
      sufficiency logs ID --tail 50
      sufficiency logs ID --follow
    """
    with client_of(url) as client:
        output = client.logs(id, tail)
        if as_json and not follow:
            return print_json(output)
        for piece in output["items"]:
            _print_piece(piece, as_json)
        if follow:
            for piece in client.follow_logs(id, output["last_id"]):
                _print_piece(piece, as_json)
    return None


def _print_piece(piece: Mapping[str, Any], as_json: bool) -> None:
    typer.echo(json.dumps(piece, ensure_ascii=False) if as_json else piece["text"])


@commands.command()
def cancel(id: JobId, url: Url = None, as_json: Json = False) -> None:
    """Ask a job to stop; what it has measured stays.

    \b
    Example:
      sufficiency cancel 019a0000-0000-7000-8000-000000000000
    """
    _move(id, url, as_json, lambda client: client.cancel(id))


@commands.command()
def retry(id: JobId, start_anew: StartAnew = False, url: Url = None, as_json: Json = False) -> None:
    """Try again what an ended job has not measured.

    A failed or cancelled job, or a completed one with cells that could not be measured, is queued again.
    What it has measured stays and is not measured again; what could not be measured is tried again. If a plugin's
    version or the data have changed since, that would mix two things, and is refused: --start-anew drops what is
    measured and measures all of it, of a completed job too.

    \b
    Example:
      sufficiency retry 019a0000-0000-7000-8000-000000000000
      sufficiency retry 019a0000-0000-7000-8000-000000000000 --start-anew
    """
    _move(id, url, as_json, lambda client: client.retry(id, start_anew=start_anew))


@commands.command()
def extend(
    id: JobId,
    runs: Annotated[int | None, typer.Option("--runs", min=1, help="Runs that it shall have in all.")] = None,
    step: Annotated[
        list[int] | None, typer.Option("--step", min=1, help="A size to measure besides; may be repeated.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", help="A later version of its data; other data only with --start-anew."),
    ] = None,
    plan: Annotated[
        str | None, typer.Option("--plan", help="grid measures what an adaptive job has left out; or adaptive.")
    ] = None,
    stop_when: Annotated[
        str | None, typer.Option("--stop-when", metavar="JSON", help="Another question than the one that it has.")
    ] = None,
    budget: Annotated[str | None, typer.Option("--budget", metavar="JSON", help="Another budget.")] = None,
    start_anew: StartAnew = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it and show the plan; store nothing.")] = False,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help="Sent again with the same key, it extends once.")
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Add runs or steps to an ended job.

    What it has measured stays; only what is new is run, and the curves are fitted anew. With protocol dataeval only
    steps above the largest can be added.

    \b
    Example:
      sufficiency extend 019a0000-0000-7000-8000-000000000000 --runs 10
      sufficiency extend 019a0000-0000-7000-8000-000000000000 --step 700 --step 1200 --dry-run
      sufficiency extend 019a0000-0000-7000-8000-000000000000 --stop-when '{"width": 0.01, "n": 5000}'
    """
    steps = sorted(step) if step else None
    wanted: dict[str, Any] = {"runs": runs, "steps": steps, "dataset": dataset, "start_anew": start_anew, "plan": plan}
    wanted |= {"stop_when": _json_of(stop_when, "--stop-when"), "budget": _json_of(budget, "--budget")}
    with client_of(url) as client:
        if dry_run:
            planned = client.extend(id, **wanted, dry_run=True)
            return print_json(planned) if as_json else _print_extension(planned)
        job = client.extend(id, **wanted, idempotency_key=idempotency_key)
    if as_json:
        return print_json(job)
    progress = job["progress"]
    typer.echo(f"Job {id} is {job['state']}: {progress['cells_done']} of {progress['cells_total']} cells are measured.")
    typer.echo(f"Watch it with `sufficiency watch {id}`.", err=True)
    return None


@commands.command()
def delete(id: JobId, url: Url = None) -> None:
    """Delete an ended job with everything it measured.

    \b
    Example:
      sufficiency delete 019a0000-0000-7000-8000-000000000000
    """
    with client_of(url) as client:
        client.delete(id)
    typer.echo(f"Job {id} is deleted.")


def _followed(client: Client, id: str, console: Console) -> Job:
    """Show a job's way to its end; an impatient user is told that it goes on."""
    from sufficiency.cli.terminal import watch

    try:
        return watch(client, id, console)
    except KeyboardInterrupt:
        typer.echo(f"\nThe job goes on: `sufficiency watch {id}`, or `sufficiency cancel {id}`.", err=True)
        raise


def _lead_on(job: Mapping[str, Any]) -> None:
    """Say where the answer of a completed job is; not on standard output, which is the job's."""
    if job["state"] == "completed":
        typer.echo(f"Whether more data is worth it: `sufficiency verdict {job['id']}`.", err=True)


def _move(id: str, url: str | None, as_json: bool, act: Callable[[Client], Any]) -> None:
    with client_of(url) as client:
        job = act(client)
    if as_json:
        print_json(job)
    else:
        typer.echo(f"Job {id} is {job['state']}.")


def _read_job(file: str) -> dict[str, Any]:
    where = "standard input" if file == "-" else file
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        spec = json.loads(text)
    except OSError as error:
        raise CommandError(f"the job cannot be read ({error.strerror})", where, "name a JSON file", MISUSED) from error
    except ValueError as error:
        raise CommandError(f"the job is not JSON ({error})", where, "correct it", MISUSED) from error
    if not isinstance(spec, dict):
        raise CommandError(
            "the job is not a JSON object", where, "see `sufficiency submit --help` for an example", MISUSED
        )
    return spec


def _json_of(text: str | None, option: str) -> dict[str, Any] | None:
    """Return what is written as JSON behind an option."""
    if text is None:
        return None
    try:
        told = json.loads(text)
    except ValueError as error:
        raise CommandError(f"{option} is not JSON ({error})", text, 'write it as {"width": 0.01}', MISUSED) from error
    if not isinstance(told, dict):
        raise CommandError(f"{option} is no JSON object", text, 'write it as {"width": 0.01}', MISUSED)
    return told


def _print_plan(plan: Mapping[str, Any]) -> None:
    from sufficiency.schemas.text import count, counted, duration

    if plan["steps"] is None:
        typer.echo(f"The job is valid; its schedule names the steps when it runs, on {plan['device']}.")
    else:
        runs, steps = counted(plan["runs"], "run"), counted(len(plan["steps"]), "step")
        typer.echo(f"The job is valid: {runs} of {steps}, on {plan['device']}.")
        typer.echo("steps: " + ", ".join(count(n) for n in plan["steps"]))
        cost = [f"{counted(plan['cells'], 'cell')} in {counted(plan['units'], 'unit')}"]
        if plan["sgd_steps"] is not None:
            cost.append(counted(plan["sgd_steps"], "SGD step"))
        if plan["estimated_slot_seconds"] is not None:
            cost.append(f"about {duration(plan['estimated_slot_seconds'])} of one slot, by earlier jobs like it")
        if design := plan.get("design"):
            unit = design["unit"].replace("sgd_steps", "SGD steps").replace("_", " ")
            first = f"{count(int(design['spent']))} {unit} for the first run, by which the rest is chosen"
            typer.echo(f"cost: {first}; at most " + ", ".join(cost))
        else:
            typer.echo("cost: " + ", ".join(cost))
    if plan["queued_reason"]:
        typer.echo(f"It would wait: {plan['queued_reason']}")
    print_warnings(plan)


def _print_extension(plan: Mapping[str, Any]) -> None:
    from sufficiency.schemas.text import count, counted, duration

    if plan["steps"] is None:
        typer.echo("The extension is valid; the job's schedule names the steps when it runs.")
    else:
        runs, steps = counted(plan["spec"]["runs"], "run"), counted(len(plan["steps"]), "step")
        typer.echo(f"The extension is valid: {runs} of {steps}.")
        typer.echo("steps: " + ", ".join(count(n) for n in sorted(plan["steps"])))
        more = plan["cells_to_measure"]
        to_measure = (
            "cells to measure are chosen stage by stage" if more is None else f"{counted(more, 'cell')} to measure"
        )
        cost = [f"{to_measure}, {count(plan['cells_kept'])} kept"]
        if plan["estimated_slot_seconds"] is not None:
            cost.append(f"about {duration(plan['estimated_slot_seconds'])} of one slot, by earlier jobs like it")
        typer.echo("cost: " + ", ".join(cost))
    if plan["cells_dropped"]:
        typer.echo(f"It would drop {count(plan['cells_dropped'])} measured cells.")
    if plan["queued_reason"]:
        typer.echo(f"It would wait: {plan['queued_reason']}")
    print_warnings(plan)
