"""`pip install sufficiency` brings the client and the command line; what needs more says how to get it."""

import json
import re
from pathlib import Path

import pytest

from tests.packaging.environments import PIP, ROOT, Environment, finish, needed, succeed

SERVICE = {"alembic", "celery", "fastapi", "kombu", "psycopg", "redis", "sqlalchemy", "starlette", "uvicorn"}
NUMBERS = {"matplotlib", "numpy", "pandas", "scikit-learn", "scipy", "torch"}
# What a command needs beyond the base install
EXTRAS = {
    "standalone": ("standalone",),
    "demo": ("standalone",),
    "serve": ("service",),
    "migrate": ("service",),
    "doctor": ("service",),
    "prune": ("service", "--older-than", "30d"),
    "worker": ("worker",),
    "plugins check": ("worker", "mystudy"),
    "export": ("mlflow", "019a0000-0000-7000-8000-000000000000", "--to-mlflow", "http://127.0.0.1:9"),
}


def asks_for(extra: str, words: str) -> bool:
    """Return whether the words have the command that installs the extra, alone or among others."""
    return re.search(rf"pip install 'sufficiency\[([a-z]+,)*{extra}(,[a-z]+)*\]'", " ".join(words.split())) is not None


def base_requirements(environment: Environment) -> set[str]:
    """Return the names of all that is needed where no extra is asked for."""
    return set(needed(environment.distribution("sufficiency").requires or ()))


def test_it_has_neither_the_service_nor_numerical_libraries(base: Environment) -> None:
    needs = base_requirements(base)
    assert {"httpx", "pydantic", "typer"} <= needs
    assert needs & (SERVICE | NUMBERS) == set()
    assert base.places(["numpy", "fastapi"]) == {}


def test_a_client_is_made(base: Environment, place: Path) -> None:
    program = "from sufficiency import Client; print(Client('http://127.0.0.1:9').url)"
    assert succeed([base.python, "-c", program], base.terminal(), place) == "http://127.0.0.1:9\n"


def test_every_public_name_is_there_or_says_what_it_needs(base: Environment, place: Path) -> None:
    program = (
        "import json, sufficiency\n"
        "missing = {}\n"
        "for name in sufficiency.__all__:\n"
        "    try:\n"
        "        getattr(sufficiency, name)\n"
        "    except ImportError as error:\n"
        "        missing[name] = str(error)\n"
        "print(json.dumps([sufficiency.__all__, missing]))\n"
    )
    names, missing = json.loads(succeed([base.python, "-c", program], base.terminal(), place))
    assert "Client" in set(names) - set(missing)
    assert "EstimatorModel" in missing
    for name, words in missing.items():
        assert any(asks_for(extra, words) for extra in ("local", "study", "worker")), f"{name}: {words}"


def test_help_lists_all_commands(base: Environment, place: Path) -> None:
    told = succeed([base.command("sufficiency"), "--help"], base.terminal(), place)
    for command in EXTRAS:
        assert re.search(rf"^ +{command.split()[0]} ", told, re.MULTILINE), command


@pytest.mark.parametrize("command", EXTRAS)
def test_a_command_that_needs_more_says_how_to_get_it(base: Environment, place: Path, command: str) -> None:
    extra, *arguments = EXTRAS[command]
    done = finish([base.command("sufficiency"), *command.split(), *arguments], base.terminal(), place)
    assert done.returncode != 0
    assert asks_for(extra, done.stderr), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_pip_installs_what_the_base_environment_has(wheel: Path, base: Environment, tmp_path: Path) -> None:
    """From the package index, into an empty environment."""
    fresh = Environment.make(tmp_path / "fresh")
    install: list[str | Path] = ["install", "--constraint", ROOT / "constraints.txt", wheel]
    succeed([*PIP, "--python", fresh.python, *install], seconds=270)
    assert fresh.names() == base.names() == base_requirements(base) | {"sufficiency"}
    program = "from sufficiency import Client; Client('http://127.0.0.1:9')"
    succeed([fresh.python, "-c", program], fresh.terminal(), tmp_path)
    succeed([fresh.command("sufficiency"), "--help"], fresh.terminal(), tmp_path)
