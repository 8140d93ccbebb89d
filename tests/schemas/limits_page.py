"""Writes docs/limits.md from the limits that the code has: ``python -m tests.schemas.limits_page``."""

from pathlib import Path

from sufficiency.schemas.limits import LIMITS

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
TITLES = {
    "requests": "Requests",
    "files": "Files",
    "plugins": "Plugins and trainers",
    "answers": "Answers",
}
HEAD = """# Limits

How much of everything there may be, and what follows beyond it. `sufficiency/schemas/limits.py` has them, this page is
written from it, and the specification has them as `x-limits` beside each field's own. Where a setting says how many,
[operations.md](operations.md#settings) has its default. Why: [decision 23](decisions/0023-limits-in-one-place.md).
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for of, title in TITLES.items():
        parts.append(f"\n## {title}\n\n| of | most | beyond it |\n|---|---|---|\n")
        for one in LIMITS:
            if one.of == of:
                most = f"{one.most:,}" if isinstance(one.most, int) else one.most
                parts.append(f"| {one.what} | {most}{' ' + one.unit if one.unit else ''} | {one.beyond} |\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
