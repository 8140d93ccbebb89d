"""What the guides say exists: commands, options, settings; and their examples can be read."""

import ast
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

import app.commands
from app.settings import Settings
from sufficiency.cli import commands as cli
from sufficiency.cli.service import SERVICE
from sufficiency.schemas.spec import JobSpec

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("plugins", "operations", "platform", "data", "tutorial")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets(language: str) -> list[Any]:
    """Return the fenced examples in a language, each with its guide's name as id."""
    return [
        pytest.param(text, id=f"{guide.name}-{number}")
        for guide in GUIDES
        for number, (found, text) in enumerate(FENCE.findall(guide.read_text()))
        if found == language
    ]


def invocations(text: str) -> list[list[str]]:
    """Return the arguments of every `sufficiency …` in a text: in shell examples and in the prose's backticks."""
    shell = "\n".join(body for language, body in FENCE.findall(text) if language == "bash")
    lines = re.sub(r"\\\n", " ", shell).splitlines() + re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    found = []
    for line in lines:
        words = shlex.split(line, comments=True) if "sufficiency " in line else []
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words and words[0] == "sufficiency":
            found.append(words[1:])
    return found


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_the_commands_and_options_in_the_guides_exist(guide: Path) -> None:
    used = invocations(guide.read_text())
    assert used
    for words in used:
        own = bool(words) and words[0] in SERVICE
        command: Any = typer.main.get_command(app.commands.commands if own else cli.app)
        while words and hasattr(command, "commands"):
            if command.name == "plugins" and words[0] not in command.commands:
                words = ["show", *words]  # what it does unless told otherwise
            assert words[0] in command.commands, words
            command, words = command.commands[words[0]], words[1:]
        if command.name == "check":
            continue  # its options are the worker's; the guides' own test runs them
        options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= options, words


def test_the_operations_guide_has_every_setting_with_its_default() -> None:
    rows = re.findall(
        r"^\| `(SUFFICIENCY_\w+)` \| (.+?) \| (.+?) \|$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE
    )
    told = {name: (default.strip("`"), meaning) for name, default, meaning in rows}
    assert set(told) == {f"SUFFICIENCY_{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        default, meaning = told[f"SUFFICIENCY_{name.upper()}"]
        assert meaning == field.description
        if field.default is None or field.default == ():
            assert default in ("unset", "none")
        elif isinstance(field.default, float):
            assert float(default) == field.default
        else:
            assert default == str(field.default)


@pytest.mark.parametrize("text", snippets("python"))
def test_python_examples_parse_and_import_what_exists(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app."):
            module = __import__(str(node.module), fromlist=["*"])
            assert all(hasattr(module, alias.name) for alias in node.names)


def test_the_jobs_in_the_readme_are_valid_and_the_same() -> None:
    readme = GUIDES[0].read_text()
    assert all(json.loads(body) for body in re.findall(r"-d '(\{.*?\})'", readme, re.DOTALL))
    [job] = [json.loads(body) for body in re.findall(r"cat > job\.json <<'END'\n(.*?)\nEND\n", readme, re.DOTALL)]
    JobSpec.model_validate(job)
    python = [ast.parse(text).body for language, text in FENCE.findall(readme) if language == "python"]
    assigned = (one.value for lines in python for one in lines if isinstance(one, ast.Assign))
    assert [ast.literal_eval(value) for value in assigned if isinstance(value, ast.Dict)] == [job]


@pytest.mark.parametrize("text", snippets("toml"))
def test_toml_examples_name_the_groups_of_plugins(text: str) -> None:
    kinds = ("models", "training_strategies", "evaluation_strategies", "reset_strategies", "datasets", "schedules")
    groups = tomllib.loads(text)["project"]["entry-points"]
    assert set(groups) <= {f"sufficiency.{kind}" for kind in kinds}


def test_the_first_plugin_of_the_guide_is_short() -> None:
    first = next(text for language, text in FENCE.findall(GUIDES[1].read_text()) if language == "python")
    assert len(first.strip().splitlines()) <= 20


def test_the_guides_link_to_files_that_are_there() -> None:
    for guide in GUIDES:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", guide.read_text()):
            assert (guide.parent / target).exists(), target
