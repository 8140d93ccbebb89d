"""Finds what somebody else has installed under the names of the service's packages, beside it or over it."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from urllib.parse import unquote, urlsplit

import sufficiency
from sufficiency.exits import CommandError

OURS = ("sufficiency", "app", "worker", "migrations")


@dataclass(frozen=True)
class Stranger:
    """A package that has one of our names.

    Attributes
    ----------
    name : str
        Which.
    owner : str
        The distribution that it belongs to; empty where none is known.
    place : Path
        Where it lies.
    """

    name: str
    owner: str
    place: Path


def refuse_strangers() -> None:
    """Refuse to go on where a package of somebody else's has one of our names: either would get the other's modules.

    Raises
    ------
    CommandError
        Names it, and says how the two are kept apart.
    """
    found = list(strangers(_installed_on()))
    if not found:
        return
    owner = next((one.owner for one in found if one.owner), "")
    names = ", ".join(f"{one.name!r}" for one in found)
    raise CommandError(
        f"{owner or 'somebody else'} has installed here what is called like a package of this service: {names}",
        "\n".join(f"{one.place}" + (f" ({one.owner})" if one.owner else "") for one in found),
        "keep the two apart: install sufficiency into an environment of its own, and set SUFFICIENCY_TRAINER_PYTHON to "
        f"the interpreter of the one with {owner or 'that package'}, which needs sufficiency[worker] too",
    )


def strangers(places: Sequence[str]) -> Iterator[Stranger]:
    """Yield the packages with our names that others have installed in those places (entries of `sys.path`)."""
    installed = [one for one in distributions(path=list(places)) if _claims(one)]
    named: set[str] = set()
    for one in installed:
        owner = f"{one.metadata['Name']} {one.version}"
        if one.metadata["Name"] == sufficiency.__name__:
            continue
        place = _source(one) or Path(str(one.locate_file("")))
        for name in _claims(one):
            named.add(name)
            yield Stranger(name, owner, place / name)
    ours = _home()
    for place in map(Path, places):
        for name in () if place == ours else OURS:
            if name not in named and ((place / name / "__init__.py").exists() or (place / f"{name}.py").exists()):
                yield Stranger(name, "", place / name)


def _home() -> Path:
    """Return where our own packages lie, however they were installed."""
    return Path(sufficiency.__file__).resolve().parents[1]


def _installed_on() -> list[str]:
    """Return where this interpreter finds what is installed: not what PYTHONPATH or the place of the start adds."""
    added = {Path(entry or os.curdir).resolve() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep)}
    added |= {Path.cwd(), Path(sys.argv[0]).resolve().parent}
    return [entry for entry in sys.path if entry and Path(entry).resolve() not in added - {_home()}]


def _claims(one: Distribution) -> list[str]:
    """Return which of our names a distribution has, by what it has installed and by what it says."""
    files = "\n" + (one.read_text("RECORD") or "")
    said = (one.read_text("top_level.txt") or "").split()
    return [name for name in OURS if name in said or f"\n{name}/" in files]


def _source(one: Distribution) -> Path | None:
    """Return the folder that a distribution is installed from in place; None for one that was copied."""
    origin = json.loads(one.read_text("direct_url.json") or "{}")
    editable = origin.get("dir_info", {}).get("editable", False)
    return Path(unquote(urlsplit(origin["url"]).path)) if editable else None
