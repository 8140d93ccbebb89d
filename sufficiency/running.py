"""Which standalones run on this machine: each leaves a note in the user's state directory while it does.

So a command that is told nothing finds the service that its user started, wherever that keeps its data and on whatever
port it listens.
"""

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunningStandalone:
    """A standalone of this user that runs.

    Attributes
    ----------
    data_dir : Path
        Where it keeps its data.
    url : str
        Where its API answers.
    """

    data_dir: Path
    url: str


def state_dir() -> Path:
    """Return where this user's programs keep what outlives one of them and is not worth a backup (XDG)."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "sufficiency"


def note(data_dir: Path, url: str) -> None:
    """Write down that this process runs a standalone.

    Raises
    ------
    OSError
        When the state directory cannot be written.
    """
    file = _file(data_dir)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.{os.getpid()}")
    new.write_text(json.dumps({"pid": os.getpid(), "data_dir": str(data_dir.resolve()), "url": url}))
    new.replace(file)


def forget(data_dir: Path) -> None:
    """Take back what `note` wrote, if anything."""
    with suppress(OSError):
        _file(data_dir).unlink(missing_ok=True)


def running_standalones() -> list[RunningStandalone]:
    """Return the standalones of this user that run, the longest first; notes that killed ones left are removed."""
    found: list[tuple[float, RunningStandalone]] = []
    for file in (state_dir() / "standalones").glob("*.json"):
        try:
            told = json.loads(file.read_text())
            one = RunningStandalone(Path(told["data_dir"]), str(told["url"]))
            if _holds(int(told["pid"]), one.data_dir):
                found.append((file.stat().st_mtime, one))
            else:
                file.unlink(missing_ok=True)
        except (OSError, ValueError, KeyError, TypeError):
            continue  # half written, of another version, or gone meanwhile
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], str(pair[1].data_dir)))]


def _file(data_dir: Path) -> Path:
    name = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    return state_dir() / "standalones" / f"{name}.json"


def _holds(pid: int, data_dir: Path) -> bool:
    """Return whether a process lives and is the one that a data directory's lock names.

    The lock itself is not tried: to hold it for a moment could turn away a standalone that starts just then.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    with suppress(OSError):
        return (data_dir / "lock").read_text().strip() == str(pid)
    return False
