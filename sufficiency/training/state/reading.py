"""The source that a plugin is made of: its module, and all that it imports of the same owner, without importing it."""

import ast
import sys
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

import psutil

from sufficiency.training.plugin import distributions
from sufficiency.training.state.owners import owner_of

# A plugin that loads code by these is made of more than its imports tell.
_LOADING = frozenset({"import_module", "__import__", "exec", "eval", "spec_from_file_location", "exec_module"})
_LOADING_METHODS = frozenset({"import_module", "spec_from_file_location", "exec_module", "run_path", "run_module"})
MOST_FILES = 2_000


class Unreadable(Exception):
    """What something is made of cannot be told."""


def source_digest(module: str) -> str:
    """Return a digest of the source of a module and of all that it imports, also within its functions.

    What libraries are made of is not in it, but where one holds the module itself: then what its installation has noted
    of its files is.

    Raises
    ------
    Unreadable
        Where there is no source, or where it loads what its imports do not tell.
    """
    whose = module.split(".", maxsplit=1)[0]
    found: dict[str, str] = {}
    seen, todo = {module}, [module]
    while todo:
        for spec in _located(todo.pop()):
            if spec.name in found or spec.origin is None:  # a folder without code of its own
                continue
            is_plugins = owner_of(spec.name, spec.origin) == "plugins"
            if not is_plugins and spec.name.split(".", maxsplit=1)[0] != whose:
                continue
            if len(found) >= MOST_FILES:
                raise Unreadable(f"{module} imports more than {MOST_FILES} modules")
            digest, imported = _read(spec, is_plugins)
            found[spec.name] = digest
            if not is_plugins and (noted := _noted(whose)) is not None:
                found["RECORD"] = noted
            todo += [name for name in imported if name not in seen]
            seen |= imported
    if not found:
        raise Unreadable(f"{module} has no source")
    return sha256(repr(sorted(found.items())).encode()).hexdigest()


def file_digest(path: str) -> str:
    """Return a digest of a file's bytes, read again only when it has been written.

    Raises
    ------
    Unreadable
    """
    try:
        about = Path(path).stat()
        return _file_digest(path, (about.st_size, about.st_mtime_ns, about.st_ino))
    except OSError as error:
        raise Unreadable(f"{path}: {error}") from error


@lru_cache(maxsize=4096)
def _file_digest(path: str, _stamp: tuple[int, int, int]) -> str:
    with Path(path).open("rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()


def _located(name: str) -> Iterator[ModuleSpec]:
    """Yield where a module is and the packages that it is in; of an attribute of a module, that module."""
    parts = name.split(".")
    if parts[0] in sys.stdlib_module_names:
        return
    try:
        spec = find_spec(parts[0])
    except (ImportError, ValueError):  # one that was made by hand
        spec = None
    for length in range(1, len(parts) + 1):
        if spec is None:
            return
        yield spec
        if length < len(parts):
            inside = spec.submodule_search_locations
            spec = None if inside is None else PathFinder.find_spec(".".join(parts[: length + 1]), list(inside))


def _read(spec: ModuleSpec, is_plugins: bool) -> tuple[str, set[str]]:
    """Return a digest of a module's source, and the names that it imports."""
    origin = str(spec.origin)
    if not origin.endswith(".py"):
        raise Unreadable(f"{spec.name} has no readable source: {origin}")
    digest = file_digest(origin)
    # The guard looks after the plugins' own files; one of a library may have been written anew since it was imported.
    if not is_plugins:
        if Path(origin).stat().st_mtime > _started():
            raise Unreadable(f"{origin} has changed since it was imported")
        if _noted(spec.name.split(".", maxsplit=1)[0]) is not None:
            return digest, set()
    imported, loads = _imported(origin, digest, spec.name, spec.submodule_search_locations is not None)
    if loads is not None and is_plugins:
        raise Unreadable(f"{spec.name} loads code by {loads}")
    return digest, set(imported)


@lru_cache(maxsize=64)
def _noted(package: str) -> str | None:
    """Return a digest of the files that a package was installed with, each with its hash; None where it was not."""
    records = [metadata.distribution(name).read_text("RECORD") for name in distributions().get(package, ())]
    texts = [text for text in records if text and f"\n{package}" in f"\n{text}"]
    return sha256("".join(texts).encode()).hexdigest() if texts else None


@lru_cache(maxsize=4096)
def _imported(origin: str, _digest: str, name: str, is_package: bool) -> tuple[frozenset[str], str | None]:
    """Return the names that a file imports, and by what it loads code beside them, if it does."""
    try:
        tree = ast.parse(Path(origin).read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise Unreadable(f"{origin}: {error}") from error
    names: set[str] = set()
    loads = None
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, name, is_package)
            names |= {f"{base}.{alias.name}" if base else alias.name for alias in node.names} | ({base} - {""})
        elif isinstance(node, ast.Call):
            loads = _loading(node.func) or loads
    return frozenset(names), loads


def _base(node: ast.ImportFrom, name: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    within = parts[: len(parts) - node.level + is_package]
    return ".".join([*within, *([node.module] if node.module else [])])


def _loading(called: ast.expr) -> str | None:
    if isinstance(called, ast.Name) and called.id in _LOADING:
        return called.id
    if isinstance(called, ast.Attribute) and called.attr in _LOADING_METHODS:
        return called.attr
    return None


@lru_cache(maxsize=1)
def _started() -> float:
    return psutil.Process().create_time()
