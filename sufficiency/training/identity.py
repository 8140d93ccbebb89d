"""By what a job's cells are known again: a digest of all that decides their values beside run, step and size.

Two cells of the same digest, run, step and size are the same measurement, whichever job they are of; see
docs/decisions/0032-no-cell-twice.md. Where anything that decides cannot be told, there is no digest.
"""

import json
import logging
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from sufficiency.schemas.spec import JobSpec, PluginRef
from sufficiency.settings import get_settings
from sufficiency.training.registry import Registry
from sufficiency.training.state.reading import Unreadable, file_digest, source_digest

logger = logging.getLogger(__name__)

# Counts up when what decides a cell's values is told in another way.
RULE = 1
_PROGRAM = Path(__file__).parents[1]
# The parts of this program that measure: the rest may change without a value's changing.
_MEASURES = ("data", "plugins", "training", "method/sampling.py", "schemas/spec.py")
_INFO = (".dist-info", ".egg-info")
_LONGEST_PATH = 4_096


def identity_of(registry: Registry, spec: JobSpec, device: str, fingerprint: str) -> str | None:
    """Return by what the cells of a job are known again; None where no other job's are the same for certain.

    Parameters
    ----------
    device : {"cpu", "cuda"}
        On which they are measured.
    fingerprint : str
        Of the version of the dataset that they are measured on.
    """
    if fingerprint.startswith("structure:") or not fingerprint:
        return None  # known by its sizes and labels: its items may be others
    parts = ("model", "training", "evaluation", "reset")
    try:
        told = {
            "rule": RULE,
            "data": [fingerprint, spec.grown],
            "drawn": [spec.protocol, spec.sampling or 1, spec.seed],
            "measured": spec.measure_train,
            "device": _kind_of(device),
            "engine": spec.model_dump(mode="json", include={"engine"}),
            "plugins": {kind: _of_plugin(registry, kind, getattr(spec, kind)) for kind in parts},
            "program": _program(),
            "around": [platform.python_version(), platform.machine(), *_installed()],
        }
    except Unreadable as why:
        logger.info("its cells are not shared with other jobs: %s", why)
        return None
    return sha256(json.dumps(told, sort_keys=True, allow_nan=True).encode()).hexdigest()[:32]


def _of_plugin(registry: Registry, kind: str, ref: PluginRef | None) -> list[Any] | None:
    if ref is None:
        return None
    plugin = registry.plugin(kind, ref.name)
    if plugin is None or not plugin.attribute:
        raise Unreadable(f"{kind}:{ref.name} is no plugin of a module")
    version = registry.version(kind, ref.name)
    # What the built-in ones are made of, the program's own digest tells.
    source = "" if registry.is_ours(kind, ref.name) else source_digest(plugin.module)
    files = {text: file_digest(str(path)) for text, path in sorted(_files(ref.params))}
    return [ref.name, plugin.module, plugin.attribute, version, source, ref.params, files]


def _files(params: Any) -> Iterator[tuple[str, Path]]:
    """Yield the files that parameters name, such as one of weights, which decide as much as a parameter's value.

    Raises
    ------
    Unreadable
        Where a folder is named: what is read of it is not known.
    """
    if isinstance(params, Mapping):
        params = list(params.values())
    if isinstance(params, list | tuple):
        for one in params:
            yield from _files(one)
    elif isinstance(params, str) and 0 < len(params) < _LONGEST_PATH and "\0" not in params:
        for root in (Path(), *get_settings().data_roots):
            path = root / params
            try:
                if path.is_file():
                    yield params, path
                elif path.is_dir():
                    raise Unreadable(f"a parameter names the folder {params}")
            except OSError:
                continue


def _kind_of(device: str) -> str:
    if device == "cuda" and torch.cuda.is_available():
        return f"cuda {torch.cuda.get_device_name()} {torch.version.cuda}"
    return f"{device} {torch.backends.cpu.get_cpu_capability()}"  # other instructions add up in another order


@lru_cache(maxsize=1)
def _program() -> str:
    """Return a digest of this program's own source, of the parts that measure."""
    roots = [_PROGRAM / name for name in _MEASURES]
    files = sorted(file for root in roots for file in ([root] if root.is_file() else root.rglob("*.py")))
    if not files:
        raise Unreadable("this program was installed without its source")
    told = [(str(file.relative_to(_PROGRAM)), file_digest(str(file))) for file in files]
    return sha256(repr(told).encode()).hexdigest()


@lru_cache(maxsize=1)
def _installed() -> Sequence[str]:
    """Return the installed distributions with their versions, as the names of their folders tell them."""
    found: set[str] = set()
    for place in sys.path:
        try:
            found |= {entry.name for entry in Path(place or ".").iterdir() if entry.name.endswith(_INFO)}
        except OSError:
            continue
    return sorted(found)
