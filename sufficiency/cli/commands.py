"""The command line: the API's vocabulary as commands. Heavy modules are imported by the commands that need them."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
import typer.core

if TYPE_CHECKING:
    from datetime import timedelta

    from rich.console import Console
    from rich.table import Table

    from app.settings import Settings
    from sufficiency.client.client import Client
    from sufficiency.client.job import Job

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
datasets_app = typer.Typer(
    help="Register, list, show, verify and remove datasets.\n\n\b\nExample:\n  sufficiency datasets list",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(datasets_app, name="datasets")


class _ShownUnlessTold(typer.core.TyperGroup):
    """Takes `plugins`, `plugins NAME` and `plugins --kind KIND` for `plugins show …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, "-h", "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


plugins_app = typer.Typer(
    cls=_ShownUnlessTold,
    help="List, show, write and check plugins.\n\n"
    "\b\nExample:\n  sufficiency plugins\n  sufficiency plugins sgd-classifier\n"
    "  sufficiency plugins new my-study\n  sufficiency plugins check mystudy:Net",
    rich_markup_mode=None,
)
app.add_typer(plugins_app, name="plugins")

Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="The service; else SUFFICIENCY_URL, else this machine's.")
]
Json = Annotated[bool, typer.Option("--json", help="Print what the API answered.")]
JsonFindings = Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")]
JsonNumbers = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print a table as CSV, one column a metric.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job.", show_default=False)]
Level = Annotated[float | None, typer.Option("--level", help="Level of the intervals, 0.95 unless given.")]
Method = Annotated[
    str | None, typer.Option("--method", help="calibrated (the default), or power_law: DataEval's law, no interval.")
]
Metric = Annotated[list[str] | None, typer.Option("--metric", help="Only this metric; may be repeated.")]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where all of it is kept; default in your home directory.")
]
DataDirOf = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Of a running standalone; else the settings say where the servers are."),
]
StartAnew = Annotated[bool, typer.Option("--start-anew", help="Drop what is measured, and measure all of it again.")]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on; loopback unless given.")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 picks a free one.")]
Slots = Annotated[
    int | None, typer.Option("--slots", min=1, max=256, help="Trainers at work at the same time; default one a core.")
]


# Running the service


@app.command()
def standalone(data_dir: DataDir = None, host: Host = None, port: Port = None, slots: Slots = None) -> None:
    """Run the whole service on this machine.

    PostgreSQL, Redis, API and worker, with all data in one directory, until Ctrl-C.

    \b
    Example:
      sufficiency standalone --data-dir ./sufficiency-data --port 8000
    """
    from app.settings import get_settings
    from app.standalone import Standalone

    Standalone(get_settings(), data_dir, host=host, port=port, slots=slots).run()


@app.command()
def serve(host: Host = None, port: Port = None) -> None:
    """Run the API alone.

    PostgreSQL and Redis are those of the settings.

    \b
    Example:
      SUFFICIENCY_DATABASE_URL=postgresql+psycopg://user@db/sufficiency \\
      SUFFICIENCY_REDIS_URL=redis://queue:6379/0 sufficiency serve --port 8000
    """
    import uvicorn

    from app.main import create_app
    from app.observability.logging import configure_logging
    from app.settings import get_settings

    configure_logging()
    settings = get_settings()
    api = create_app(settings)
    # What has been loaded stays: looking through all of it for garbage would hold up every answer of that moment.
    gc.collect()
    gc.freeze()
    uvicorn.run(
        api,
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
        log_config=None,  # its lines go where the service's own go
        timeout_graceful_shutdown=3,  # an open event stream must not hold up the end
    )


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def worker(context: typer.Context) -> None:
    """Run a worker, which trains and evaluates.

    PostgreSQL and Redis are those of the settings. How many trainers it has, and on what device, are the settings
    SUFFICIENCY_SLOTS and SUFFICIENCY_DEVICE.

    \b
    Example:
      SUFFICIENCY_SLOTS=2 sufficiency worker
    """
    os.execv(sys.executable, [sys.executable, "-m", "worker", *context.args])


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema.

    \b
    Example:
      SUFFICIENCY_DATABASE_URL=postgresql+psycopg://user@db/sufficiency sufficiency migrate
    """
    from app.db.migrate import upgrade
    from app.settings import get_settings

    with _database_errors("migrated"):
        upgrade(get_settings().database_url)
    typer.echo("The database has the schema of this version.")


@app.command()
def doctor(data_dir: DataDirOf = None, url: Url = None, as_json: JsonFindings = False) -> None:
    """Say what is wrong with a live service, and the remedy.

    It looks at settings, PostgreSQL, Redis, API, workers, plugins, jobs and what they left behind, directly and without
    changing anything; so it works while the API is down. Exit code 0: nothing is wrong; 1: something is.

    \b
    Example:
      sufficiency doctor
      sufficiency doctor --data-dir ./sufficiency-data --url http://127.0.0.1:8000
    """
    import tempfile
    from dataclasses import asdict

    from app.doctor import examine

    settings = _settings_of(data_dir)
    if url is not None:
        settings = settings.model_copy(update={"url": url})
    findings = examine(settings, data_dir or Path(tempfile.gettempdir()))
    wrong = sum(finding.level == "wrong" for finding in findings)
    if as_json:
        _print_json({"wrong": wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            mark = "WRONG" if finding.level == "wrong" else finding.level
            typer.echo(f"{mark:<5}  {finding.check}: {finding.detail}")
            if finding.remedy:
                typer.echo(f"       do: {finding.remedy}")
        typer.echo(f"{wrong} thing{'s are' if wrong != 1 else ' is'} wrong." if wrong else "Nothing is wrong.")
    if wrong:
        raise typer.Exit(1)


@app.command()
def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Of jobs that ended so long ago: 30d, 12h, 8w.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be dropped; drop nothing.")] = False,
    data_dir: DataDirOf = None,
    as_json: JsonNumbers = False,
) -> None:
    """Drop what old jobs no longer need; results stay.

    It drops events, idempotency keys of extensions and, of completed jobs, the units that workers took. Jobs, cells,
    measurements and curves stay, and can be read, exported, retried and extended as before. It goes to the database
    of the settings, in short transactions, while the service runs.

    \b
    Example:
      sufficiency prune --older-than 30d --dry-run
      sufficiency prune --older-than 30d
    """
    from dataclasses import asdict

    from app.db.engine import Database
    from app.jobs.retention import prune as drop

    age = _age(older_than)
    with _database_errors():
        database = Database(_settings_of(data_dir).database_url, pool_size=1)
        try:
            dropped = drop(database, age, dry_run=dry_run)
        finally:
            database.dispose()
    if as_json:
        return _print_json({"dry_run": dry_run, **asdict(dropped)})
    typer.echo(
        f"{'Would drop' if dry_run else 'Dropped'} {dropped.events:,} events, {dropped.units:,} units and "
        f"{dropped.keys:,} keys of {dropped.jobs:,} jobs, and {dropped.messages:,} messages."
    )
    return None


@app.command()
def workers(url: Url = None, as_json: Json = False) -> None:
    """List the workers: devices, slots, last heard.

    \b
    Example:
      sufficiency workers
    """
    from sufficiency.cli.terminal import stdout, table

    with _client(url) as client:
        items = client.workers()
    if as_json:
        return _print_json({"items": items})
    made = table("worker", "", "devices", "busy", "slots", "last heard", "plugin errors", right=["busy", "slots"])
    for item in items:
        errors = "; ".join(f"{e.get('plugin')}: {e.get('error')}" for e in item.get("plugin_errors") or [])
        made.add_row(
            f"{item['hostname']}:{item['pid']}",
            "live" if item["live"] else "silent",
            ", ".join(item["devices"]),
            *(str(item["busy"]), str(item["slots"])),
            _time(item["heartbeat_at"]),
            errors,
        )
    stdout().print(made if items else "No worker has been heard: start one with `sufficiency worker`.")
    return None


# What there is to run


@plugins_app.command("show")
def plugins(
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
    from sufficiency.cli.terminal import CommandError, params_table, stdout, table

    with _client(url) as client:
        items = [item for item in client.plugins(kind) if name in (None, item["name"])]
    if name is not None and not items:
        raise CommandError(f"no plugin is called {name!r}", do="see what there is with `sufficiency plugins`")
    if as_json:
        return _print_json({"items": items})
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


@plugins_app.command("new")
def plugins_new(
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


@plugins_app.command("check", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def plugins_check(context: typer.Context) -> None:
    """Check a plugin, and say what to mend.

    It is held to what the service asks of its kind: MODULE[:ATTRIBUTE] is tried where you stand. The exit code is 1 if
    a rule is broken.

    \b
    Options:
      --kind KIND         of the plugin, where its methods do not tell
      --params JSON       of the plugin
      --model M:A         a model to try strategies with; a small network else
      --dataset M:A       a dataset to try with; random images else
      --shape 3,32,32     of a random item; 1,8,8 unless given
      --classes N         of the random items, 3 unless given; 0: numbers to predict
      --json              print the findings as JSON

    \b
    Example:
      sufficiency plugins check mystudy
      sufficiency plugins check mystudy:Adam --model mystudy:Net
    """
    os.execv(sys.executable, [sys.executable, "-m", "sufficiency.testing.check", *context.args])


@datasets_app.command("add")
def datasets_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="How jobs will call it.", show_default=False)],
    train: Annotated[
        str | None, typer.Option("--train", metavar="SPLIT", help="LOADER:key=value,… or a JSON object.")
    ] = None,
    test: Annotated[str | None, typer.Option("--test", metavar="SPLIT", help="The same, for the test split.")] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="SOURCE", help="The same, for one source that is to be split.")
    ] = None,
    test_fraction: Annotated[float | None, typer.Option("--test-fraction", help="Share of it to test on; 0.2.")] = None,
    split_seed: Annotated[int | None, typer.Option("--split-seed", help="Of the split; 0.")] = None,
    group_by: Annotated[
        str | None, typer.Option("--group-by", metavar="KEY", help="Keep items with the same KEY in one split.")
    ] = None,
    no_stratify: Annotated[bool, typer.Option("--no-stratify", help="Split without regard to classes.")] = False,
    standardise: Annotated[bool, typer.Option("--standardise", help="Features at mean 0, SD 1 of training.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until a worker has verified it.")] = True,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Register a dataset.

    It is a training split and a test split, each a loader with parameters, or one source that is split by seed. A path
    is inside one of the service's data roots (SUFFICIENCY_DATA_ROOTS).

    \b
    Example:
      sufficiency datasets add digits --train digits:split=train --test digits:split=test
      sufficiency datasets add mine --train npz:path=mine/train.npz --test npz:path=mine/test.npz
      sufficiency datasets add stays --source tabular:path=stays.csv,target=kind --test-fraction 0.25
    """
    given = {"train": train, "test": test, "source": source}
    splits = {key: _split(text, f"--{key}") for key, text in given.items() if text is not None}
    asked = {"test_fraction": test_fraction, "seed": split_seed, "group_by": group_by}
    rule: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    rule |= {"stratify": False} if no_stratify else {}
    with _client(url) as client:
        dataset = client.add_dataset(
            name,
            splits.get("train"),
            splits.get("test"),
            source=splits.get("source"),
            split=rule or None,
            standardise=standardise,
        )
        if wait and dataset["status"] == "verifying":
            dataset = client.wait_dataset(name, timeout=120)
    _show_dataset(dataset, as_json)


@datasets_app.command("list")
def datasets_list(url: Url = None, as_json: Json = False) -> None:
    """List the registered datasets.

    \b
    Example:
      sufficiency datasets list
    """
    from sufficiency.cli.terminal import count, stdout, table

    with _client(url) as client:
        items = client.datasets()
    if as_json:
        return _print_json({"items": items})
    made = table("name", "status", "train", "test", "classes", "item shape", right=["train", "test", "classes"])
    for item in items:
        info = item["info"] or {}
        sizes = [count(info[split]["size"]) if info else "" for split in ("train", "test")]
        shape = "×".join(str(side) for side in info.get("input_shape", []))
        made.add_row(item["name"], item["status"], *sizes, str(len(info["class_names"])) if info else "", shape)
    stdout().print(made if items else "No dataset is registered: see `sufficiency datasets add --help`.")
    return None


@datasets_app.command("show")
def datasets_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")], url: Url = None, as_json: Json = False
) -> None:
    """Show one dataset, or why it is invalid.

    \b
    Example:
      sufficiency datasets show digits
    """
    with _client(url) as client:
        dataset = client.dataset(name)
    _show_dataset(dataset, as_json)


@datasets_app.command("verify")
def datasets_verify(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until a worker has verified it.")] = True,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Read a dataset anew, after its files changed.

    Jobs that were measured on what was there before are not mixed with it: they refuse retry and extend, except with
    --start-anew.

    \b
    Example:
      sufficiency datasets verify digits
    """
    with _client(url) as client:
        dataset = client.verify_dataset(name)
        if wait:
            dataset = client.wait_dataset(name, timeout=120)
    _show_dataset(dataset, as_json)


@datasets_app.command("remove")
def datasets_remove(name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")], url: Url = None) -> None:
    """Remove a dataset's registration; its files stay.

    \b
    Example:
      sufficiency datasets remove digits
    """
    with _client(url) as client:
        client.remove_dataset(name)
    typer.echo(f"Dataset {name} is removed.")


# Jobs


@app.command()
def submit(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The job as JSON; - reads standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it and show the plan; store nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Watch it to its end.")] = False,
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
      sufficiency submit job.json --wait
    with job.json:
      {"model": {"name": "mlp"},
       "training": {"name": "sgd-classifier", "params": {"epochs": 10}},
       "evaluation": {"name": "classification", "params": {"metrics": ["accuracy"]}},
       "dataset": "digits", "runs": 3, "substeps": 8}
    """
    from rich.console import Console

    from sufficiency.cli.terminal import require_completed

    spec = _read_job(file)
    with _client(url) as client:
        if dry_run:
            plan = client.submit(spec, dry_run=True)
            return _print_json(plan) if as_json else _print_plan(plan)
        job = client.submit(spec, idempotency_key=idempotency_key)
        if wait:
            # The answer alone belongs to standard output, so that it can be piped.
            typer.echo(f"Job {job['id']}", err=True)
            job = _followed(client, job["id"], Console(stderr=True, highlight=False))
    if as_json:
        _print_json(job)
    elif wait:
        typer.echo(f"Job {job['id']} {job['state']}")
    else:
        typer.echo(job["id"])
        typer.echo(f"Watch it with `sufficiency watch {job['id']}`.", err=True)
    if wait:
        require_completed(job)
    return None


@app.command()
def jobs(
    state: Annotated[str | None, typer.Option("--state", help="queued, running, completed, failed, …")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only jobs of this model.")] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Only jobs on this dataset.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", help="Only jobs with this label (key:value).")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List jobs, the newest first.

    \b
    Example:
      sufficiency jobs --state running
    """
    from sufficiency.cli.terminal import stdout, table

    with _client(url) as client:
        items = list(client.jobs(limit=limit, state=state, model=model, dataset=dataset, label=label or None))
    if as_json:
        return _print_json({"items": items})
    made = table("id", "state", "model", "dataset", "cells", "created", right=["cells"])
    for item in items:
        spec, progress = item["spec"], item["progress"]
        made.add_row(
            *(item["id"], item["state"], spec["model"]["name"], spec["dataset"]),
            f"{progress['cells_done']}/{progress['cells_total']}",
            _time(item["created_at"]),
        )
    stdout().print(made if items else "No such job: submit one with `sufficiency submit`.")
    return None


@app.command()
def watch(id: JobId, url: Url = None, as_json: Json = False) -> None:
    """Watch a job to its end.

    A live bar, or plain lines when not on a terminal. Ctrl-C ends the watching, not the job.

    \b
    Example:
      sufficiency watch 019a0000-0000-7000-8000-000000000000
    """
    from rich.console import Console

    from sufficiency.cli.terminal import require_completed

    with _client(url) as client:
        job = _followed(client, id, Console(stderr=as_json, highlight=False))
        if as_json:
            _print_json(job)
        else:
            _print_plots(client, id)
    require_completed(job)


@app.command()
def cancel(id: JobId, url: Url = None, as_json: Json = False) -> None:
    """Ask a job to stop; what it has measured stays.

    \b
    Example:
      sufficiency cancel 019a0000-0000-7000-8000-000000000000
    """
    _move(id, url, as_json, lambda client: client.cancel(id))


@app.command()
def retry(id: JobId, start_anew: StartAnew = False, url: Url = None, as_json: Json = False) -> None:
    """Queue a failed or cancelled job again.

    What it has measured stays and is not measured again. If a plugin's version or the data have changed since, that
    would mix two things, and is refused: --start-anew drops what is measured and measures all of it, of a completed job
    too.

    \b
    Example:
      sufficiency retry 019a0000-0000-7000-8000-000000000000
      sufficiency retry 019a0000-0000-7000-8000-000000000000 --start-anew
    """
    _move(id, url, as_json, lambda client: client.retry(id, start_anew=start_anew))


@app.command()
def extend(
    id: JobId,
    runs: Annotated[int | None, typer.Option("--runs", min=1, help="Runs that it shall have in all.")] = None,
    step: Annotated[
        list[int] | None, typer.Option("--step", min=1, help="A size to measure besides; may be repeated.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", help="Another registration of the same data; other data only with --start-anew."),
    ] = None,
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
    """
    steps = sorted(step) if step else None
    wanted: dict[str, Any] = {"runs": runs, "steps": steps, "dataset": dataset, "start_anew": start_anew}
    with _client(url) as client:
        if dry_run:
            plan = client.extend(id, **wanted, dry_run=True)
            return _print_json(plan) if as_json else _print_extension(plan)
        job = client.extend(id, **wanted, idempotency_key=idempotency_key)
    if as_json:
        return _print_json(job)
    progress = job["progress"]
    typer.echo(f"Job {id} is {job['state']}: {progress['cells_done']} of {progress['cells_total']} cells are measured.")
    typer.echo(f"Watch it with `sufficiency watch {id}`.", err=True)
    return None


@app.command()
def delete(id: JobId, url: Url = None) -> None:
    """Delete an ended job with everything it measured.

    \b
    Example:
      sufficiency delete 019a0000-0000-7000-8000-000000000000
    """
    with _client(url) as client:
        client.delete(id)
    typer.echo(f"Job {id} is deleted.")


# Results


@app.command()
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

    with _client(url) as client:
        if as_csv:
            return _print_text(client.table(id, "measurements", {"view": view}))
        answer = client.measurements(id, view)
    if as_json:
        return _print_json(answer)
    if not answer["items"]:
        typer.echo("Nothing is measured yet.")
        return None
    _print_table(averages(answer["items"]) if view == "averages" else cells(answer["items"]))
    if view == "averages" and any(item["class"] is not None for item in answer["items"]):
        typer.echo("Values of single classes: --csv, --json or --view cells.")
    return None


@app.command()
def project(
    id: JobId,
    n: Annotated[list[int], typer.Argument(metavar="N", min=1, help="Training-set sizes.", show_default=False)],
    metric: Metric = None,
    level: Level = None,
    method: Method = None,
    of: Annotated[
        Literal["mean", "training"] | None,
        typer.Option("--of", help="Whose interval: of the mean over runs (the default), or of one new training."),
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
      sufficiency project 019a0000-0000-7000-8000-000000000000 5000 --of training --level 0.8
    """
    from sufficiency.cli.terminal import projection

    options = {"metric": metric or None, "level": level, "method": method, "of": of}
    with _client(url) as client:
        if as_csv:
            return _print_text(client.table(id, "project", {"n": n, **options}))
        answer = client.project(id, n, **options)
        _print_answer(answer, as_json, projection)
        if not as_json:
            _print_plots(client, id, metric, n)
        return None


@app.command("inv-project")
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
    with _client(url) as client:
        if as_csv:
            return _print_text(client.table(id, "inv_project", {"target": targets, **options}))
        answer = client.inv_project(id, targets, **options)
    return _print_answer(answer, as_json, inverse)


@app.command()
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

    with _client(url) as client:
        answer = client.verdict(id, metric=metric or None, min_gain=min_gain or None, level=level)
    if as_json:
        return _print_json(answer)
    print_verdict(stdout(), answer)
    return _print_warnings(answer)


@app.command()
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

    with _client(url) as client:
        answer = client.curves(id, metric=metric or None, method=method)
    if as_json:
        return _print_json(answer)
    _print_table(laws(answer))
    return _print_warnings(answer)


@app.command("plot")
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
    from sufficiency.cli.terminal import MISUSED, CommandError, stdout

    if output is not None and output.suffix not in (".svg", ".png"):
        raise CommandError("the file's name must end in .svg or .png", str(output), code=MISUSED)
    with _client(url) as client:
        if output is not None:
            kind: Any = output.suffix[1:]
            return _write(output, client.plot(id, kind, metric=metric, target=target, theme=theme))
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


@app.command()
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
    from sufficiency.cli.terminal import MISUSED, CommandError

    if experiment is not None if to_mlflow is None else (output is not None or format != "dataeval"):
        what = "--experiment is for --to-mlflow; --output and --format are for a file"
        raise CommandError(what, do="leave out one or the other", code=MISUSED)
    with _client(url) as client:
        if to_mlflow is not None:
            run = client.to_mlflow(id, to_mlflow, experiment or "sufficiency")
            typer.echo(f"Exported to {to_mlflow}: experiment {experiment or 'sufficiency'}, run {run}.")
            return
        content = client.export(id, format)
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        _write(output, content)


@app.command()
def demo(
    dataset: Annotated[
        Literal["digits", "mnist"],
        typer.Option("--dataset", help="digits: small and quick. mnist: the job of DataEval's tutorial."),
    ] = "digits",
    mnist_dir: Annotated[
        Path | None, typer.Option("--mnist-dir", help="Folder with MNIST's IDX files; without it they are downloaded.")
    ] = None,
    protocol: Annotated[
        Literal["independent", "dataeval"], typer.Option("--protocol", help="How cells are trained; see the README.")
    ] = "independent",
    runs: Annotated[int | None, typer.Option("--runs", min=1, help="Independent repetitions.")] = None,
    substeps: Annotated[int | None, typer.Option("--substeps", min=1, help="Steps of the schedule.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")] = 0,
    data_dir: DataDir = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the demo's own service running until Ctrl-C.")] = False,
    url: Url = None,
) -> None:
    """Go the whole way once, with an example.

    It registers data, submits a job, watches it and reads the curve. It uses the service at --url if one answers
    there; otherwise it starts its own and stops it at the end.

    \b
    Example:
      sufficiency demo
      sufficiency demo --dataset mnist --mnist-dir ./mnist
    """
    from sufficiency.cli.demo import Study, run_demo

    study = Study(dataset, protocol, runs=runs, substeps=substeps, seed=seed, mnist_dir=mnist_dir)
    run_demo(study, url=url, data_dir=data_dir, keep=keep)


# Between the commands and the client


def _client(url: str | None) -> Client:
    from sufficiency.client.client import Client

    return Client(url)


@contextmanager
def _database_errors(what: str = "used") -> Iterator[None]:
    """Turn what the database says into words; its URL may hold a password, so it is not among them."""
    from sqlalchemy.exc import SQLAlchemyError

    from sufficiency.cli.terminal import UNREACHABLE, CommandError

    try:
        yield
    except SQLAlchemyError as error:
        raise CommandError(
            f"the database cannot be {what} ({str(getattr(error, 'orig', error)).splitlines()[0]})",
            "SUFFICIENCY_DATABASE_URL",
            "start PostgreSQL 18 or newer, or correct the setting",
            UNREACHABLE,
        ) from error


def _settings_of(data_dir: Path | None) -> Settings:
    """Return the settings, with the servers of the standalone that keeps its data there if one is named."""
    from app.settings import get_settings

    if data_dir is None:
        return get_settings()
    from app.standalone import running_servers

    database_url, redis_url = running_servers(data_dir)
    return get_settings().model_copy(update={"database_url": database_url, "redis_url": redis_url})


def _age(text: str) -> timedelta:
    from datetime import timedelta

    from sufficiency.cli.terminal import MISUSED, CommandError

    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    number, unit = text[:-1], text[-1:]
    try:
        if unit in units and number.isascii() and number.isdigit():
            return timedelta(**{units[unit]: int(number)})
    except OverflowError:
        pass
    raise CommandError(
        f"{text!r} is no age", "--older-than", f"write a number and one of {', '.join(units)}, like 30d", MISUSED
    )


def _followed(client: Client, id: str, console: Console) -> Job:
    """Show a job's way to its end; an impatient user is told that it goes on."""
    from sufficiency.cli.terminal import watch

    try:
        return watch(client, id, console)
    except KeyboardInterrupt:
        typer.echo(f"\nThe job goes on: `sufficiency watch {id}`, or `sufficiency cancel {id}`.", err=True)
        raise


def _move(id: str, url: str | None, as_json: bool, act: Callable[[Client], Any]) -> None:
    with _client(url) as client:
        job = act(client)
    if as_json:
        _print_json(job)
    else:
        typer.echo(f"Job {id} is {job['state']}.")


def _read_job(file: str) -> dict[str, Any]:
    from sufficiency.cli.terminal import MISUSED, CommandError

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


def _print_plan(plan: Mapping[str, Any]) -> None:
    from sufficiency.cli.terminal import count

    if plan["steps"] is None:
        typer.echo(f"The job is valid; its schedule names the steps when it runs, on {plan['device']}.")
    else:
        typer.echo(f"The job is valid: {plan['runs']} runs of {len(plan['steps'])} steps, on {plan['device']}.")
        typer.echo("steps: " + ", ".join(count(n) for n in plan["steps"]))
        cost = [f"{count(plan['cells'])} cells in {count(plan['units'])} units"]
        if plan["sgd_steps"] is not None:
            cost.append(f"{count(plan['sgd_steps'])} SGD steps")
        if plan["estimated_slot_seconds"] is not None:
            cost.append(f"about {plan['estimated_slot_seconds']:,.0f} s of one slot, by earlier jobs like it")
        typer.echo("cost: " + ", ".join(cost))
    if plan["queued_reason"]:
        typer.echo(f"It would wait: {plan['queued_reason']}")


def _print_extension(plan: Mapping[str, Any]) -> None:
    from sufficiency.cli.terminal import count

    if plan["steps"] is None:
        typer.echo("The extension is valid; the job's schedule names the steps when it runs.")
    else:
        typer.echo(f"The extension is valid: {plan['spec']['runs']} runs of {len(plan['steps'])} steps.")
        typer.echo("steps: " + ", ".join(count(n) for n in sorted(plan["steps"])))
        cost = [f"{count(plan['cells_to_measure'])} cells to measure, {count(plan['cells_kept'])} kept"]
        if plan["estimated_slot_seconds"] is not None:
            cost.append(f"about {plan['estimated_slot_seconds']:,.0f} s of one slot, by earlier jobs like it")
        typer.echo("cost: " + ", ".join(cost))
    if plan["cells_dropped"]:
        typer.echo(f"It would drop {count(plan['cells_dropped'])} measured cells.")
    if plan["queued_reason"]:
        typer.echo(f"It would wait: {plan['queued_reason']}")


def _split(text: str, option: str) -> dict[str, Any]:
    """Return a split from ``LOADER:key=value,…`` or from a JSON object."""
    from sufficiency.cli.terminal import MISUSED, CommandError

    example = "write it like npz:path=mine/train.npz,limit=1000"
    if text.lstrip().startswith("{"):
        try:
            return dict(json.loads(text))
        except ValueError as error:
            raise CommandError(f"the split is not JSON ({error})", option, example, MISUSED) from error
    loader, _, rest = text.partition(":")
    params = {}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise CommandError(f"{pair!r} is not key=value", option, example, MISUSED)
        try:
            params[key] = json.loads(value)  # numbers, true and false
        except ValueError:
            params[key] = value
    return {"loader": loader, "params": params}


def _show_dataset(dataset: Mapping[str, Any], as_json: bool) -> None:
    from sufficiency.cli.terminal import CommandError, count, stdout

    if as_json:
        _print_json(dataset)
    if dataset["status"] == "invalid":
        error = dataset["error"] or {}
        raise CommandError(
            f"dataset {dataset['name']} is invalid: {error.get('detail', '')}",
            do=f"correct it, `sufficiency datasets remove {dataset['name']}`, and add it again",
        )
    if as_json:
        return
    console = stdout()
    console.print(f"{dataset['name']}: {dataset['status']}", markup=False)
    if info := dataset["info"]:
        shape = "×".join(str(side) for side in info["input_shape"])
        sizes = f"{count(info['train']['size'])} items to train on, {count(info['test']['size'])} to test on"
        console.print(f"{sizes}, of shape {shape}")
        if info["class_names"]:
            counts = zip(info["class_names"], info["train"]["class_counts"], info["test"]["class_counts"], strict=True)
            console.print("classes (train/test): " + ", ".join(f"{n} {a}/{b}" for n, a, b in counts), markup=False)
        if target := info["train"].get("target"):
            console.print(
                f"target: {target['min']:.6g} to {target['max']:.6g}, mean {target['mean']:.6g} ± {target['sd']:.6g}"
            )
        if shared := info.get("test_items_in_train"):
            console.print(f"warning: {count(shared)} test items are training items too; accuracy will look too good")
        if features := info.get("features"):
            listed = ", ".join(f"{feature['name']} ({feature['kind']})" for feature in features)
            console.print(f"features: {listed}", markup=False)
        for kind in ("notes", "warnings"):
            for remark in info.get(kind, []):
                console.print(f"{kind[:-1]}: {remark['detail']}", markup=False)
        for filled in info.get("missing", {}).get("columns", []):
            console.print(
                f"filled: {filled['name']} with {filled['value']} ({count(filled['train'])} in training, "
                f"{count(filled['test'])} in test)",
                markup=False,
            )
        console.print(f"fingerprint {dataset['fingerprint']}")
    elif reason := dataset.get("queued_reason"):
        console.print(f"it waits: {reason}", markup=False)


def _print_answer(answer: Mapping[str, Any], as_json: bool, show: Callable[[Mapping[str, Any]], Table]) -> None:
    if as_json:
        return _print_json(answer)
    _print_table(show(answer))
    note = f"method {answer['method']}, measured up to n = {answer['n_observed']:,}"
    typer.echo(note + (", provisional: the job still runs" if answer["provisional"] else ""))
    return _print_warnings(answer)


def _print_plots(client: Client, id: str, metrics: list[str] | None = None, sizes: Sequence[int] = ()) -> None:
    """Draw the curves, for people: a pipe gets the numbers alone."""
    from sufficiency.cli.plot import plots
    from sufficiency.cli.terminal import stdout

    console = stdout()
    if console.is_terminal:
        for line in plots(client, id, console.width, metrics=metrics, ends=sizes):
            console.print(line)


def _write(output: Path, content: bytes) -> None:
    from sufficiency.cli.terminal import MISUSED, CommandError

    try:
        output.write_bytes(content)
    except OSError as error:
        raise CommandError(f"the file cannot be written ({error.strerror})", str(output), code=MISUSED) from error
    typer.echo(f"Wrote {len(content):,} bytes to {output}.", err=True)


def _print_warnings(answer: Mapping[str, Any]) -> None:
    for warning in answer.get("warnings") or []:
        text = warning.get("detail", warning) if isinstance(warning, Mapping) else warning
        typer.echo(f"warning: {text}", err=True)


def _print_table(made: Table) -> None:
    from sufficiency.cli.terminal import stdout

    stdout().print(made)


def _print_json(answer: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def _print_text(text: str) -> None:
    typer.echo(text, nl=not text.endswith("\n"))


def _time(text: str | None) -> str:
    from datetime import datetime

    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S") if text else ""


def main() -> None:
    """Run the command line; every error becomes words and an exit code."""
    try:
        code = app(prog_name="sufficiency", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo(err=True)  # leave the line that ^C stands on
        code = 130
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has had enough; the interpreter must not complain at its own flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _report(error)
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: Exception) -> int:
    from sufficiency.cli.terminal import MISUSED, REFUSED, explain, print_error

    misuse = typer.BadParameter.__mro__[1]  # UsageError, which newer versions of typer keep to themselves
    if isinstance(error, misuse):
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(str(error), err=True)
            return MISUSED
        command = context.command_path if context else "sufficiency"
        format_message: Callable[[], str] = getattr(error, "format_message", error.__str__)
        print_error(format_message(), command, f"`{command} --help` shows how, with an example")
        return MISUSED
    told = explain(error)
    if told is None and type(error).__name__ == "StandaloneError":
        print_error(str(error))
        return REFUSED
    if told is None and type(error).__name__ == "ValidationError":  # of the settings, the only model that is read here
        faults: list[dict[str, Any]] = getattr(error, "errors", list)()
        where = "\n".join(f"SUFFICIENCY_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in faults)
        print_error("a setting is wrong", where, "correct the environment variable")
        return MISUSED
    if told is None:
        if sys.flags.dev_mode:
            raise error
        print_error(
            f"{type(error).__name__}: {error}",
            "the command line itself",
            "this is a bug: please report it, with what `python -X dev -m sufficiency.cli …` prints",
        )
        return REFUSED
    print_error(told.what, told.where, told.do)
    return told.code


if __name__ == "__main__":
    main()
