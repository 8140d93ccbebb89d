"""`sufficiency keys …`, `projects …`, `members …`, `audit`, `whoami`: who may do what, and what was done."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from sufficiency.cli.options import Json, Url
from sufficiency.cli.printing import client_of, print_json, print_table, time_text
from sufficiency.exits import MISUSED, CommandError
from sufficiency.schemas.words import Scope

commands = typer.Typer(rich_markup_mode=None)
keys = typer.Typer(
    help="Make, list, rotate and revoke keys.\n\n\b\nExample:\n  sufficiency keys list",
    no_args_is_help=True,
    rich_markup_mode=None,
)
projects = typer.Typer(
    help="Make, list, limit, weigh and remove projects.\n\n\b\nExample:\n  sufficiency projects list",
    no_args_is_help=True,
    rich_markup_mode=None,
)
members = typer.Typer(
    help="Say who is in a project, and what each may do.\n\n\b\nExample:\n  sufficiency members list",
    no_args_is_help=True,
    rich_markup_mode=None,
)

KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key, as `keys list` has it.", show_default=False)]
ProjectName = Annotated[str, typer.Argument(metavar="NAME", help="The project.", show_default=False)]
Subject = Annotated[
    str,
    typer.Argument(metavar="SUBJECT", help="The person, as the identity provider names them.", show_default=False),
]
Role = Annotated[Scope, typer.Option("--role", help="What the person may do; each has what is before it.")]


def _list(
    items: Sequence[Mapping[str, Any]],
    as_json: bool,
    columns: Sequence[str],
    row: Callable[[Mapping[str, Any]], Sequence[str]],
    none: str,
) -> None:
    """Print what there is as JSON or as a table, or say that there is nothing."""
    from sufficiency.cli.terminal import table

    if as_json:
        return print_json({"items": items})
    made = table(*columns)
    for one in items:
        made.add_row(*row(one))
    print_table(made) if items else typer.echo(none)
    return None


@keys.command("new")
def new() -> None:
    """Print a new key that no service knows yet, for the file that SUFFICIENCY_BOOTSTRAP_KEY_FILE names.

    \b
    Example:
      sufficiency keys new > bootstrap-key
    """
    import secrets

    from sufficiency.schemas.words import KEY_PREFIX

    typer.echo(KEY_PREFIX + secrets.token_urlsafe(32))


@keys.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.", show_default=False)],
    scope: Annotated[Scope, typer.Option("--scope", help="What it may do; each has what is before it.")] = "read",
    days: Annotated[float | None, typer.Option("--days", help="Until it expires; default never.")] = None,
    of_service: Annotated[
        bool, typer.Option("--service", help="For all projects and the service itself, its metrics among it.")
    ] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Make a key, and print it this once.

    \b
    Example:
      sufficiency keys add ci --scope write --days 365
      sufficiency keys add prometheus --service
    """
    with client_of(url) as client:
        _show(client.add_key(name, scope, expires_in_days=days, service=of_service), as_json)


def _show(key: Any, as_json: bool) -> None:
    if as_json:
        return print_json(key)
    until = f"until {time_text(key['expires_at'])}" if key["expires_at"] else "without end"
    whose = f"project {key['project']}" if key["project"] else "the service"
    typer.echo(f"{key['scope']} in {whose}, {until}; it is shown this once:", err=True)
    typer.echo(key["key"])
    return None


@keys.command("list")
def list_keys(url: Url = None, as_json: Json = False) -> None:
    """List the keys of the project.

    \b
    Example:
      sufficiency keys list
    """
    with client_of(url) as client:
        items = client.keys()

    def row(one: Mapping[str, Any]) -> Sequence[str]:
        named = (one["id"], one["name"], one["hint"], one["scope"], one["project"] or "(all)")
        return [*named, time_text(one["last_used_at"]), _state(one)]

    columns = ("id", "name", "ends in", "scope", "project", "last used", "state")
    _list(items, as_json, columns, row, "There is no key yet: see `sufficiency keys add --help`.")


def _state(key: Any) -> str:
    if key["revoked_at"]:
        return "revoked"
    if not key["expires_at"]:
        return "taken"
    expires = datetime.fromisoformat(key["expires_at"])
    return "expired" if expires <= datetime.now(expires.tzinfo) else f"until {time_text(key['expires_at'])}"


@keys.command("rotate")
def rotate(
    key_id: KeyId,
    grace_hours: Annotated[float, typer.Option("--grace-hours", help="How long the old one is taken yet.")] = 24.0,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Make a key like this one with another secret, and print it this once.

    \b
    Example:
      sufficiency keys rotate 019ab0c4-2222-7cc2-9d2e-0f6a1b2c3d4e
    """
    with client_of(url) as client:
        _show(client.rotate_key(key_id, grace_hours=grace_hours), as_json)


@keys.command("revoke")
def revoke(key_id: KeyId, url: Url = None, as_json: Json = False) -> None:
    """End a key now.

    \b
    Example:
      sufficiency keys revoke 019ab0c4-2222-7cc2-9d2e-0f6a1b2c3d4e
    """
    with client_of(url) as client:
        key = client.revoke_key(key_id)
    print_json(key) if as_json else typer.echo(f"Key {key['name']} ({key['hint']}) is revoked.")


@projects.command("add")
def add_project(
    name: ProjectName,
    description: Annotated[str, typer.Option("--description", help="What it is about.")] = "",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Make a project: nobody outside of it sees its jobs, datasets and webhooks.

    \b
    Example:
      sufficiency projects add radiology --description "Chest X-rays"
    """
    with client_of(url) as client:
        project = client.add_project(name, description)
    print_json(project) if as_json else typer.echo(
        f"Project {name} is made; `sufficiency --project {name} keys add NAME` makes a key of it."
    )


@projects.command("list")
def list_projects(url: Url = None, as_json: Json = False) -> None:
    """List the projects in which you may do something.

    \b
    Example:
      sufficiency projects list
    """
    with client_of(url) as client:
        items = client.projects()

    def row(one: Mapping[str, Any]) -> Sequence[str]:
        return [one["name"], one["description"], time_text(one["created_at"])]

    _list(items, as_json, ("name", "description", "made"), row, "There is no project in which you may do something.")


@projects.command("show")
def show_project(name: ProjectName, url: Url = None, as_json: Json = False) -> None:
    """Say how much a project has of each, and how much it may have.

    \b
    Example:
      sufficiency projects show radiology
    """
    with client_of(url) as client:
        _show_project(client.project_detail(name), as_json)


def _show_project(project: Any, as_json: bool) -> None:
    from sufficiency.cli.terminal import table

    if as_json:
        return print_json(project)
    made = table("of", "has", "may have", right=["has", "may have"])
    for name, limit in project["quotas"].items():
        has = project["usage"].get(name)
        made.add_row(name, "" if has is None else f"{has:,.0f}", "" if limit is None else f"{limit:,.0f}")
    print_table(made)
    if (weight := project["weight"]) != 1:
        typer.echo(f"While several projects want the slots, it is owed {weight:g} times what one of weight 1 is.")
    return None


@projects.command("limit")
def limit_project(
    name: ProjectName,
    quota: Annotated[
        list[str],
        typer.Option("--quota", metavar="OF=NUMBER", help="As `projects show` names it; OF=none takes it away."),
    ],
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Limit how much a project may have; takes a key of the service.

    \b
    Example:
      sufficiency projects limit radiology --quota open_jobs=20 --quota slot_seconds=3600000
    """
    with client_of(url) as client:
        _show_project(client.change_project(name, quotas=dict(map(_quota, quota))), as_json)


def _quota(text: str) -> tuple[str, float | None]:
    of, _, number = text.partition("=")
    try:
        return of, None if number == "none" else float(number) if "." in number else int(number)
    except ValueError:
        raise CommandError(f"{text!r} is no quota", "--quota", "write it like open_jobs=20", MISUSED) from None


@projects.command("share")
def share_project(
    name: ProjectName,
    weight: Annotated[
        float,
        typer.Argument(
            metavar="WEIGHT", min=0.01, max=100, help="Of its share in the slots; of all others 1.", show_default=False
        ),
    ],
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Give a project a larger or a smaller share in the slots; takes a key of the service.

    \b
    Example:
      sufficiency projects share radiology 2
    """
    with client_of(url) as client:
        _show_project(client.change_project(name, weight=weight), as_json)


@projects.command("remove")
def remove_project(name: ProjectName, url: Url = None) -> None:
    """Remove a project that nothing is left in, with its keys and members.

    \b
    Example:
      sufficiency projects remove radiology
    """
    with client_of(url) as client:
        client.remove_project(name)
    typer.echo(f"Project {name} is removed.")


@members.command("list")
def list_members(url: Url = None, as_json: Json = False) -> None:
    """List who is in the project, and what each may do there.

    \b
    Example:
      sufficiency members list
    """
    with client_of(url) as client:
        items = client.members()

    def row(one: Mapping[str, Any]) -> Sequence[str]:
        return [one["subject"], one["role"], time_text(one["created_at"])]

    none = "Nobody is in it by name: see `sufficiency members put --help`."
    _list(items, as_json, ("subject", "role", "since"), row, none)


@members.command("put")
def put_member(subject: Subject, role: Role = "read", url: Url = None, as_json: Json = False) -> None:
    """Take a person into the project, or change what the person may do there.

    \b
    Example:
      sufficiency members put ada@example.org --role write
      sufficiency --project radiology members put ada@example.org
    """
    with client_of(url) as client:
        member = client.put_member(subject, role)
    print_json(member) if as_json else typer.echo(f"{subject} may {role}.")


@members.command("remove")
def remove_member(subject: Subject, url: Url = None) -> None:
    """Take a person out of the project.

    \b
    Example:
      sufficiency members remove ada@example.org
    """
    with client_of(url) as client:
        client.remove_member(subject)
    typer.echo(f"{subject} is no longer in the project.")


@commands.command()
def audit(
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="Of all projects; takes a key of the service.")] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Say who did what to what, and when.

    \b
    Example:
      sufficiency audit --limit 20
    """
    with client_of(url) as client:
        items = client.audit(limit=limit, everything=everything)

    def row(one: Mapping[str, Any]) -> Sequence[str]:
        target = ", ".join(f"{kind} {name}" for kind, name in one["target"].items())
        return [time_text(one["at"]), one["project"] or "", one["actor"], one["action"], target]

    _list(items, as_json, ("at", "project", "who", "what", "to what"), row, "Nothing has been changed yet.")


@commands.command()
def whoami(url: Url = None, as_json: Json = False) -> None:
    """Say who you are to the service.

    And which project it is about, and what you may do there.

    \b
    Example:
      sufficiency whoami
    """
    with client_of(url) as client:
        caller = client.caller()
    if as_json:
        return print_json(caller)
    typer.echo(f"{caller['actor']}: {caller['scope']} in project {caller['project']}")
    others = [name for name in caller["projects"] or [] if name != caller["project"]]
    if caller["service"]:
        typer.echo("and in all others, and on the service itself")
    elif others:
        typer.echo(f"others of yours, for --project: {', '.join(others)}")
    return None
