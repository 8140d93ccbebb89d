"""The commands of the service: run it, migrate its database, examine it, drop what is old."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from sufficiency import exits
from sufficiency.exits import MISUSED, UNREACHABLE, CommandError
from sufficiency.extras import needs
from sufficiency.running import running_standalones

if TYPE_CHECKING:
    from app.settings import Settings

commands = typer.Typer(
    help="The commands of the service.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="The service; else SUFFICIENCY_URL, else this machine's.")
]
JsonFindings = Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")]
JsonNumbers = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where all of it is kept; default in your home directory.")
]
DataDirOf = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Of a standalone; else the service of the settings, or the standalone that runs."),
]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on; loopback unless given.")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 picks a free one.")]
Processes = Annotated[
    int,
    typer.Option("--processes", min=1, max=64, help="Processes on that port; each takes connections of its own."),
]
Slots = Annotated[
    int | None, typer.Option("--slots", min=1, max=256, help="Trainers at work at the same time; default one a core.")
]


@commands.command()
def standalone(
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    slots: Slots = None,
    until_input_ends: Annotated[bool, typer.Option("--until-input-ends", hidden=True)] = False,
) -> None:
    """Run the whole service on this machine.

    PostgreSQL, Redis, API and worker, with all data in one directory, until Ctrl-C.

    \b
    Example:
      sufficiency standalone --data-dir ./sufficiency-data --port 8000
    """
    with needs("standalone"):
        from app.settings import get_settings
        from app.standalone.service import Standalone

    if until_input_ends:
        threading.Thread(target=_stop_with_the_input, name="input", daemon=True).start()
    settings = get_settings()
    _refuse_exposure(settings, settings.host if host is None else host)
    Standalone(settings, data_dir, host=host, port=port, slots=slots).run()


@commands.command()
def serve(host: Host = None, port: Port = None, processes: Processes = 1) -> None:
    """Run the API alone.

    PostgreSQL and Redis are those of the settings.

    \b
    Example:
      SUFFICIENCY_DATABASE_URL=postgresql+psycopg://user@db/sufficiency \\
      SUFFICIENCY_REDIS_URL=redis://queue:6379/0 sufficiency serve --port 8000
    """
    with needs("service"):
        import uvicorn

        from app.access.credentials import BadKeyFile
        from app.access.errors import BadIssuer
        from app.main import serving
        from app.observability.logging import configure_logging
        from app.settings import get_settings
        from app.web.connections import Connection

    settings = get_settings()
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = settings.model_copy(update=given)
    _refuse_exposure(settings, settings.host)
    configure_logging()
    try:
        api = serving(settings)
    except BadKeyFile as error:
        raise CommandError(str(error), "SUFFICIENCY_BOOTSTRAP_KEY_FILE", "correct the file", MISUSED) from error
    except BadIssuer as error:
        raise CommandError(str(error), "SUFFICIENCY_OIDC_ISSUER", "name one of https", MISUSED) from error
    os.environ |= settings.environment(given)  # where further processes find it
    uvicorn.run(
        api if processes == 1 else "app.main:serving",
        factory=processes > 1,
        workers=processes,
        host=settings.host,
        port=settings.port,
        http=Connection,
        log_config=None,  # its lines go where the service's own go
        access_log=False,  # the service tells of requests itself
        proxy_headers=False,  # who is the proxy is told by the settings, and the peer must be who it is
        timeout_graceful_shutdown=3,  # an open event stream must not hold up the end
    )


@commands.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def worker(context: typer.Context) -> None:
    """Run a worker, which trains and evaluates.

    PostgreSQL and Redis are those of the settings. How many trainers it has, and on what device, are the settings
    SUFFICIENCY_SLOTS and SUFFICIENCY_DEVICE.

    \b
    Example:
      SUFFICIENCY_SLOTS=2 sufficiency worker
    """
    dev = ("-X", "dev") if sys.flags.dev_mode else ()
    os.execv(sys.executable, [sys.executable, "-P", *dev, "-m", "worker", *context.args])


@commands.command()
def migrate() -> None:
    """Bring the database to this version's schema.

    \b
    Example:
      SUFFICIENCY_DATABASE_URL=postgresql+psycopg://user@db/sufficiency sufficiency migrate
    """
    with needs("service"):
        from app.db.migrate import upgrade
        from app.settings import get_settings

    with _database_errors("migrated"):
        upgrade(get_settings().database_url)
    typer.echo("The database has the schema of this version.")


@commands.command()
def doctor(data_dir: DataDirOf = None, url: Url = None, as_json: JsonFindings = False) -> None:
    """Say what is wrong with a live service, and the remedy.

    Without settings it is the standalone that runs on this machine.

    It looks at settings, PostgreSQL, Redis, API, workers, plugins, jobs and what they left behind, directly and
    without changing anything; so it works while the API is down. Exit code 0: nothing is wrong; 1: something is.

    \b
    Example:
      sufficiency doctor
      sufficiency doctor --data-dir ./sufficiency-data --url http://127.0.0.1:8000
    """
    import tempfile
    from dataclasses import asdict

    with needs("service"):
        from app.doctor.examination import examine

    settings, place = _settings_of(data_dir)
    if url is not None:
        settings = settings.model_copy(update={"url": url})
    findings = examine(settings, place or Path(tempfile.gettempdir()))
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


@commands.command()
def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Of jobs that ended so long ago: 30d, 12h, 8w.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be dropped; drop nothing.")] = False,
    data_dir: DataDirOf = None,
    as_json: JsonNumbers = False,
) -> None:
    """Drop what old jobs no longer need; results stay.

    It drops events, what plugins wrote, idempotency keys of extensions and, of completed jobs, the units that workers
    took. Jobs, cells, measurements and curves stay, and can be read, exported, retried and extended as before. It goes
    to the database of the settings, or else of the standalone that runs on this machine, in short transactions, while
    it runs.

    \b
    Example:
      sufficiency prune --older-than 30d --dry-run
      sufficiency prune --older-than 30d
    """
    from dataclasses import asdict

    with needs("service"):
        from app.db.engine import Database
        from app.jobs.retention import prune as drop

    age = _age(older_than)
    settings, _ = _settings_of(data_dir)
    with _database_errors():
        database = Database(settings.database_url, pool_size=1, answer_seconds=600.0)
        try:
            dropped = drop(database, age, dry_run=dry_run)
        finally:
            database.dispose()
    if as_json:
        return _print_json({"dry_run": dry_run, **asdict(dropped)})
    typer.echo(
        f"{'Would drop' if dry_run else 'Dropped'} {dropped.events:,} events, {dropped.units:,} units, "
        f"{dropped.keys:,} keys and {dropped.pieces:,} pieces of output of {dropped.jobs:,} jobs, and "
        f"{dropped.messages:,} messages."
    )
    return None


def _refuse_exposure(settings: "Settings", host: str) -> None:
    """Refuse to be open to others than this machine's users."""
    with needs("service"):
        from app.access.exposure import HOW, why_exposed

    if why := why_exposed(settings.access, host):
        raise CommandError(f"the service does not listen on {host or 'all addresses'}: {why}", "--host", HOW, MISUSED)


@contextmanager
def _database_errors(what: str = "used") -> Iterator[None]:
    """Turn what the database says into words."""
    from sqlalchemy.exc import SQLAlchemyError

    from app.db.engine import WHEN_AWAY, reason_of

    try:
        yield
    except SQLAlchemyError as error:
        raise CommandError(
            f"the database cannot be {what} ({reason_of(error)})",
            "SUFFICIENCY_DATABASE_URL",
            f"{WHEN_AWAY} the setting",
            UNREACHABLE,
        ) from error


def _settings_of(data_dir: Path | None) -> "tuple[Settings, Path | None]":
    """Return the settings of the service that is meant, and its data directory if it is a standalone.

    That is the standalone that keeps its data there, if one is named; the service that the settings name, if they do;
    else the standalone that this user runs on this machine.
    """
    from app.settings import get_settings

    settings = get_settings()
    found = running_standalones()
    if data_dir is None:
        if settings.model_fields_set & {"database_url", "redis_url"} or not found:
            return settings, None
        if len(found) > 1:
            listed = "\n".join(f"{one.data_dir} ({one.url})" for one in found)
            raise CommandError(
                f"{len(found)} standalones run on this machine", listed, "name one with --data-dir", MISUSED
            )
        data_dir = found[0].data_dir
        typer.echo(f"The standalone in {data_dir}:", err=True)
    with needs("standalone"):
        from app.standalone.servers import running_servers

    database_url, redis_url = running_servers(data_dir)
    url = next((one.url for one in found if one.data_dir == data_dir.expanduser().resolve()), settings.url)
    if "url" in settings.model_fields_set:
        url = settings.url
    update = {"database_url": database_url, "redis_url": redis_url, "url": url}
    return settings.model_copy(update=update), data_dir


def _age(text: str) -> timedelta:
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


def _print_json(answer: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def _stop_with_the_input() -> None:
    """End this process in order when standard input ends, as it does with the program that holds its other end."""
    # By the descriptor: who waits in a buffer holds its lock, without which Python 3.13 dies where it should end.
    with suppress(OSError):
        while os.read(0, 65536):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> NoReturn:
    """Run a command; every error becomes words and an exit code."""
    exits.run(commands, _explained)


def _explained(error: Exception) -> CommandError | None:
    from app.standalone.errors import StandaloneError

    return CommandError(str(error)) if isinstance(error, StandaloneError) else None
