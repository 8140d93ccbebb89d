"""The house rules that no linter knows: who imports what, and that packaging, docs and code name the same things."""

import ast
import json
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from compose_spec import PyCompose

from app.settings import Settings
from tests.support.packaging import COMPOSE, DOCKERFILE, ROOT, SETTINGS, python

# Images of others, whose command is not ours
FOREIGN = {"postgres", "redis"}
OURS = sorted(set(COMPOSE["services"]) - FOREIGN)
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = PYPROJECT["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
PACKAGES = [name.removesuffix("*") for name in PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"]]


@pytest.mark.parametrize("module", ["app.main", "app.commands", "sufficiency.cli.commands", "app.standalone.service"])
def test_what_the_api_s_image_runs_leaves_torch_and_worker_alone_and_starts_fast(module: str) -> None:
    loaded = python("-c", f"import sys, {module}; print(*sys.modules)").split()
    assert module in loaded
    assert not {"torch", "worker", "dataeval"} & set(loaded)
    assert not {"matplotlib", "scipy.stats"} & set(loaded), "each takes a second of every start"


def imports(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_only_tests_and_benchmarks_import_dataeval() -> None:
    sources = [path for room in PACKAGES for path in (ROOT / room).rglob("*.py")]
    assert len(sources) > 20
    assert [path for path in sources if "dataeval" in imports(path)] == []


def documents() -> list[Path]:
    named = [ROOT / name for name in ("README.md", "Makefile", "Dockerfile", "docker-compose.yml", ".ci/run")]
    return [path for path in [*named, *sorted((ROOT / "docs").rglob("*.md"))] if path.exists()]


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_setting_that_is_named_exists(path: Path) -> None:
    assert set(re.findall(r"\bSUFFICIENCY_[A-Z_]*[A-Z]\b", path.read_text())) <= SETTINGS


def test_compose_takes_the_file() -> None:
    # As compose reads it: merge keys are YAML's, and resolved; variables have their defaults.
    resolved = re.sub(r"\$\{\w+(?::-([^}]*))?\}", r"\1", json.dumps(COMPOSE))
    assert PyCompose.from_json(resolved).service_names() == list(COMPOSE["services"])


def test_every_setting_stands_in_the_operations_guide() -> None:
    """With the default and the words that the code has."""
    table = (ROOT / "docs" / "operations.md").read_text()
    rows = dict(re.findall(r"^\| `(SUFFICIENCY_\w+)` \| (.*) \|$", table, re.MULTILINE))
    assert list(rows) == [f"SUFFICIENCY_{name.upper()}" for name in Settings.model_fields]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = {None: "unset", (): "none"}.get(
            default, f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
        )
        assert rows[f"SUFFICIENCY_{name.upper()}"] == f"{shown} | {field.description}"


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_compose_services_refer_to_what_the_file_has(name: str) -> None:
    service = COMPOSE["services"][name]
    assert set(service) <= {
        *("build", "command", "depends_on", "deploy", "environment", "healthcheck", "image", "ports", "profiles"),
        *("restart", "secrets", "stop_grace_period", "volumes", "read_only", "tmpfs", "cap_drop", "security_opt"),
    }
    for other, need in service.get("depends_on", {}).items():
        assert other in COMPOSE["services"]
        if need["condition"] == "service_healthy":
            assert "test" in COMPOSE["services"][other]["healthcheck"]
    for volume in service.get("volumes", []):
        source = re.sub(r"\$\{[^}]*\}", "./", volume).split(":")[0]
        assert source.startswith((".", "/")) or source in COMPOSE["volumes"]
    for secret in service.get("secrets", []):
        source = secret if isinstance(secret, str) else secret["source"]
        assert source in COMPOSE["secrets"]
        target = f"/run/secrets/{source}" if isinstance(secret, str) else secret.get("target", f"/run/secrets/{source}")
        assert target in service["environment"].values()
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")
    if "build" in service:
        assert re.search(rf"^FROM .* AS {service['build']['target']}$", DOCKERFILE, re.MULTILINE)
        assert (ROOT / service["build"]["context"] / "Dockerfile").exists()
        for argument in service["build"].get("args", {}):
            assert f"ARG {argument}=" in DOCKERFILE


@pytest.mark.parametrize("name", OURS)
def test_compose_runs_the_command_line_that_a_native_installation_has(name: str) -> None:
    service = COMPOSE["services"][name]
    assert set(service["environment"]) <= SETTINGS
    assert python("-m", "sufficiency.cli", *service["command"], "--help")


def test_compose_settings_are_valid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    password = tmp_path / "postgres-password"
    password.write_text("secret\n")
    for name in OURS:
        with monkeypatch.context() as patch:
            for variable, value in COMPOSE["services"][name]["environment"].items():
                if value is not None:
                    told = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
                    patch.setenv(variable, told.replace("/run/secrets/postgres-password", str(password)))
            assert Settings().database_url == "postgresql+psycopg://sufficiency:secret@postgres/sufficiency"


def test_images_do_not_run_as_root_and_the_api_s_has_no_torch() -> None:
    base = DOCKERFILE.split(" AS base\n")[1].split("\nFROM ")[0]
    assert re.search(r"^USER (?!root|0)\w+$", base, re.MULTILINE)
    for target in ("api", "worker"):
        stage = DOCKERFILE.split(f" AS {target}\n")[1].split("\nFROM ")[0]
        assert "HEALTHCHECK" in stage
        assert "USER" not in stage
        assert stage.startswith(f"COPY --from=build-{target} ")
    for extra in installed("api"):
        assert not {"torch", "scikit-learn", "pyarrow"} & {named(one) for one in EXTRAS[extra]}


def named(requirement: str) -> str:
    """Return the name of what is required, as an index has it."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def installed(target: str) -> list[str]:
    """Return the extras that an image is built with."""
    stage = DOCKERFILE.split(f" AS build-{target}\n")[1].split("\nFROM ")[0]
    [extras] = re.findall(r'^RUN pip install -c constraints\.txt .*"\.\[([a-z,]+)\]"$', stage, re.MULTILINE)
    return list(extras.split(","))


def test_the_images_are_built_of_all_that_the_wheel_is_built_of() -> None:
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    files = {"pyproject.toml", "constraints.txt", PROJECT["readme"], *PROJECT["license-files"]}
    assert copied == files | set(PACKAGES)
    assert set(PACKAGES) == {place.parent.name for place in ROOT.glob("*/__init__.py")} - {"tests", "bench"}


def test_the_images_have_what_their_programs_need() -> None:
    """With the extras by whose names a program without them would ask."""
    assert (installed("api"), installed("worker")) == (["service", "plot"], ["worker"])


def test_every_pip_line_names_extras_that_there_are() -> None:
    lines = [path.read_text() for path in [*documents(), ROOT / "Dockerfile"]]
    named_in_docs = {
        extra
        for text in lines
        for found in re.findall(r"pip install [^\n]*?(?:\.|sufficiency)\[([a-z,]+)\]", text)
        for extra in found.split(",")
    }
    assert {"standalone", "worker", "service", "plot"} <= named_in_docs
    assert named_in_docs <= set(EXTRAS)
    stamps = set(re.findall(r"^[a-z]+:.*\$\(VENV\)/\.([a-z,]+)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {extra for stamp in stamps for extra in stamp.split(",")} <= set(EXTRAS)
    assert "standalone" in stamps


def test_the_images_health_checks_are_programs() -> None:
    checks = re.findall(r"HEALTHCHECK [^\n]*\n\s+CMD (\[.*\])\n", DOCKERFILE)
    assert len(checks) == 2
    for check in checks:
        command = json.loads(check)
        assert command[:2] == ["python", "-I"], "not with what PYTHONPATH may hold"
        if command[2] == "-m":
            modules = [command[3]]
        else:
            names = ast.walk(ast.parse(command[3]))
            modules = [str(node.module) for node in names if isinstance(node, ast.ImportFrom) and node.module]
        for module in modules:
            assert (ROOT / f"{module.replace('.', '/')}.py").exists()


def test_constraints_pin_every_dependency_to_a_version_that_any_index_has() -> None:
    wanted = {named(one) for one in [*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)]}
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    pins = [re.fullmatch(r"([a-z0-9.-]+)==([0-9][0-9a-z.]*)", line) for line in lines]
    assert all(pins), "a pin is a name and a version, without a local build or a path"
    pinned = {pin[1] for pin in pins if pin}
    assert wanted - {PROJECT["name"]} <= pinned


def test_ci_is_runnable() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize(("folder", "pattern"), [("docs/decisions", "0*.md"), ("bench", "**/[!_]*.py")])
def test_a_list_names_every_file_that_it_is_of(folder: str, pattern: str) -> None:
    listed = (ROOT / folder / "README.md").read_text()
    files = [path.relative_to(ROOT / folder) for path in (ROOT / folder).glob(pattern)]
    assert files
    assert [path for path in files if str(path) not in listed] == []
