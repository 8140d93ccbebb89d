"""What a check of a plugin finds."""

from dataclasses import dataclass
from typing import Literal


class Broken(AssertionError):
    """A rule that a plugin breaks; the message says what was seen and what to do."""


class Advice(Exception):
    """Something that is allowed and still worth changing."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    plugin : str
        As ``kind:attribute``.
    rule : str
        What was checked.
    outcome : {"ok", "advice", "failed"}
    detail : str
        What was seen, and what to do; empty where all is well.
    """

    plugin: str
    rule: str
    outcome: Literal["ok", "advice", "failed"]
    detail: str = ""

    @property
    def failed(self) -> bool:
        """It must be mended before the service can rely on the plugin."""
        return self.outcome == "failed"

    def __str__(self) -> str:
        mark = {"ok": "ok    ", "advice": "advice", "failed": "FAILED"}[self.outcome]
        return f"{mark} {self.plugin}: {self.rule}" + (f"\n       {self.detail}" if self.detail else "")
