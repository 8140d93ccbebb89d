"""The guides as a reader has them before them: their blocks, and the files that these are to be written into."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.external import ROOT

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w.-]+\.(?:py|json))`")
GUIDES = ("data.md", "plugins.md", "tutorial.md")


def blocks(guide: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield each fenced block: its language, its text, and the file that the prose before it calls it."""
    text = (ROOT / ("README.md" if guide == "README.md" else f"docs/{guide}")).read_text()
    end = 0
    for found in FENCE.finditer(text):
        named = FILE.findall(text[end : found.start()])
        yield found[1], found[2], named[-1] if named else None
        end = found.end()


def commands(guide: str) -> list[str]:
    """Return what a guide's shell blocks run, but for settings and service, which the fixtures take from them."""
    lines = [line for language, text, _ in blocks(guide) if language == "bash" for line in text.splitlines() if line]
    return [line for line in lines if not line.startswith("export ") and "sufficiency standalone" not in line]


def write_files(folder: Path) -> None:
    """Write all files of the guides into a folder."""
    for guide in GUIDES:
        for language, text, file in blocks(guide):
            if language in ("python", "json") and file is not None:
                (folder / file).write_text(text)


def guides_plugins() -> tuple[str, ...]:
    """Return the specs of the plugins that the guides have a reader set."""
    shell = "\n".join(text for guide in GUIDES for language, text, _ in blocks(guide) if language == "bash")
    settings = re.findall(r"^export SUFFICIENCY_PLUGINS='(.+)'$", shell, re.MULTILINE)
    return tuple(spec for one in settings for spec in one.split(";"))
