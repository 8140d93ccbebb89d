"""The commands of the command line, and what they print and end with."""

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.golden.service_answers import NOBODY, anonymous, read_csv
from tests.golden.service_studies import BASE, Service
from tests.golden.service_subjects import forget_settings, main

ERRNO = re.compile(r"\[Errno \d+\] ")
LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
FILES: dict[str, Any] = {
    "job.json": {**BASE, "schedule": [40, 80]},
    "bad.json": {**BASE, "runs": 0, "modle": {}},
    "list.json": [],
}
# Those that ask the service, and change nothing. ``{completed}`` is the id of the job of that name.
ANSWERED = (
    *("jobs", "jobs --state running --limit 1", "jobs --model linear --json", "jobs --dataset none"),
    *("workers", "workers --json", "datasets list", "datasets show pets", "datasets show stays"),
    *(
        "datasets show pets --json",
        "plugins",
        "plugins mlp",
        "plugins --kind evaluation",
        "plugins show classification",
    ),
    "datasets add pets --train npz:path=pets.npz --test npz:path=test.npz",
    *("submit job.json --dry-run", "submit job.json --dry-run --json"),
    *("watch {completed}", "watch {cancelled}", "watch {failed}"),
    *("measurements {completed}", "measurements {holes} --view cells", "measurements {running} --csv"),
    *("measurements {queued}", "measurements {holes} --json"),
    *(
        "project {completed} 1000 5000 100000",
        "project {completed} 5000 --of one_training --level 0.8 --metric Accuracy",
    ),
    *("project {running} 5000 --method power_law", "project {completed} 5000 --csv", "project {numbers} 5000 --json"),
    *("inv-project {completed} 0.9 Accuracy:0.99", "inv-project {rival} 0.95 --level 0.5"),
    *("inv-project {completed} 0.99 --method power_law --csv", "inv-project {running} Accuracy:0.95 --json"),
    *("verdict {completed}", "verdict {holes}", "verdict {rival} --metric Accuracy --min-gain Accuracy:0.02"),
    *("verdict {numbers} --metric MAE --json",),
    *("curves {completed}", "curves {holes} --method power_law", "curves {sequence} --metric Accuracy --json"),
    *("plot {completed} --metric Accuracy --target 0.95", "plot {numbers}", "plot {completed} --metric Nothing"),
    *("export {sequence}", "export {holes} --format csv", "export {running}"),
    *("extend {completed} --runs 5 --step 700 --dry-run", "extend {sequence} --step 800 --dry-run --json"),
    *("prune --older-than 30d --dry-run", "prune --older-than 30d --dry-run --json", "migrate"),
)
REFUSED = (
    *("project {nobody} 5000", "project {queued} 5000", "project {completed} 5000 --metric Acuracy"),
    *("inv-project {completed} Accuracy:2", "cancel {completed}", "retry {completed}", "delete {running}"),
    *("extend {completed} --runs 2", "extend {sequence} --step 300", "submit bad.json", "submit bad.json --dry-run"),
    *("datasets show none", "datasets show broken", "datasets remove pets", "plugins nothing"),
    "datasets add pets --train npz:path=other.npz --test npz:path=test.npz",
)
MISUSED = (
    *("", "nope", "jobs --nope", "jobs --limit 0", "jobs --url localhost:8000", "project {completed}"),
    *("project {completed} many", "project {completed} 0", "submit none.json", "submit list.json"),
    *("datasets add x --train npz:path --test digits", "datasets add x --train { --test digits"),
    *("plot {completed} -o curve.gif", "export {completed} --experiment e", "prune --older-than 3y", "datasets"),
)
UNREACHABLE = ("jobs", "migrate", "prune --older-than 1d")


@dataclass(frozen=True)
class CommandLine:
    """Runs commands in this process, as the console script does, in an environment of their own."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    folder: Path

    @classmethod
    def at(cls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> "CommandLine":
        """Return the command line in a folder with the files that the commands name."""
        for name, content in FILES.items():
            (folder / name).write_text(json.dumps(content))
        monkeypatch.chdir(folder)
        for name, value in {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}.items():
            monkeypatch.setenv(name, value)
        return cls(monkeypatch, capsys, folder)

    def settings(self, **values: str) -> None:
        """Set settings by their names."""
        for name, value in values.items():
            self.monkeypatch.setenv(f"SUFFICIENCY_{name.upper()}", value)
        forget_settings()

    def run(self, *arguments: str) -> dict[str, Any]:
        """Return what a command prints, line by line, and its exit code."""
        self.monkeypatch.setattr(sys, "argv", ["sufficiency", *arguments])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = self.capsys.readouterr()
        return {"exit": ended.value.code, "out": captured.out.splitlines(), "err": captured.err.splitlines()}

    def answers(self, service: Service, commands: tuple[str, ...]) -> dict[str, Any]:
        """Return what each command prints and ends with, with ids by name."""
        self.settings(url=service.url, database_url=service.database_url)
        ids = {f"{{{name}}}": id for name, id in {**service.jobs, "nobody": NOBODY}.items()}
        told = {}
        for command in commands:
            answer = self.run(*(ids.get(word, word) for word in shlex.split(command)))
            answer["out"] = _read(answer["out"], command)
            told[f"sufficiency {command}".strip()] = self._neutral(anonymous(answer, service))
        return told

    def _neutral(self, told: Any) -> Any:
        text = json.dumps(told, ensure_ascii=False).replace(str(self.folder), "<folder>")
        return json.loads(ERRNO.sub("", LOCAL_TIME.sub("<local time>", text)))


def _read(lines: list[str], command: str) -> Any:
    """Return what was printed for programs as they read it, so that numbers are compared as numbers."""
    if "csv" in command:
        return read_csv("\n".join(lines))
    return json.loads("\n".join(lines)) if lines[:1] and lines[0].startswith("{") else lines


def helps(run: Callable[..., dict[str, Any]], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every command with its help: those that the help of a group lists, one by one."""
    told = run(*path, "--help")
    assert (told["exit"], told["err"]) == (0, [])
    yield " ".join(["sufficiency", *path, "--help"]), told["out"]
    if "Commands:" in told["out"]:
        for line in told["out"][told["out"].index("Commands:") + 1 :]:
            if name := re.match(r"  ([\w-]+)", line):
                yield from helps(run, (*path, name[1]))
