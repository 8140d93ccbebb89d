"""What commands write: an answer as JSON, text, a table or a file; and the client that they get it from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sufficiency.exits import MISUSED, CommandError

if TYPE_CHECKING:
    from rich.table import Table

    from sufficiency.client.client import Client


def client_of(url: str | None) -> Client:
    """Return a client of the service at the URL, or of the one that the settings name.

    What it answers can be printed: names and texts in it are of strangers, and could else control the terminal.
    """
    from sufficiency.client.client import Client
    from sufficiency.schemas.plain import plain_answer

    client = Client(url)
    client.read_by(plain_answer)
    return client


def print_json(answer: Mapping[str, Any]) -> None:
    """Print what the API answered."""
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def print_text(text: str) -> None:
    """Print a text, with one end of line."""
    from sufficiency.schemas.plain import plain

    typer.echo(plain(text), nl=not text.endswith("\n"))


def print_table(made: Table) -> None:
    """Print a table."""
    from sufficiency.cli.terminal import stdout

    stdout().print(made)


def print_warnings(answer: Mapping[str, Any]) -> None:
    """Write an answer's warnings to stderr."""
    from sufficiency.schemas.text import warned

    for text in warned(answer.get("warnings") or []):
        typer.echo(f"warning: {text}", err=True)


def write_file(output: Path, content: bytes) -> None:
    """Write a file, and say so on stderr."""
    try:
        output.write_bytes(content)
    except OSError as error:
        raise CommandError(f"the file cannot be written ({error.strerror})", str(output), code=MISUSED) from error
    typer.echo(f"Wrote {len(content):,} bytes to {output}.", err=True)


def time_text(text: str | None) -> str:
    """Return a time of the API's by the clock of the user's zone."""
    from datetime import datetime

    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S") if text else ""
