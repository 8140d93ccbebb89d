"""What the service takes from its surroundings and what it is made of: settings, plugins, the wheel."""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path, PurePosixPath

from tests.golden.golden import check
from tests.golden.service_subjects import GROUPS, described_plugins, settings_defaults

ROOT = Path(__file__).resolve().parents[2]
NOT_BUILT_FROM = (".*", "*.egg-info", "__pycache__", "build", "dist", "docs", "tests")


def test_settings() -> None:
    check("service/settings", settings_defaults())


def test_entry_point_groups() -> None:
    check("service/entry_points", GROUPS)


def test_built_in_plugins() -> None:
    plugins = described_plugins()
    for plugin in plugins:  # of what happens not to be installed
        plugin["capabilities"].pop("missing", None)
    check("service/plugins", {f"{plugin['kind']}:{plugin['name']}": plugin for plugin in plugins})


def test_wheel(tmp_path: Path) -> None:
    # Of a copy: building leaves its traces in the folder that it builds from.
    shutil.copytree(ROOT, tmp_path / "source", ignore=shutil.ignore_patterns(*NOT_BUILT_FROM))
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    built = subprocess.run(
        [*pip, "--wheel-dir", str(tmp_path), str(tmp_path / "source")], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    [file] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(file) as wheel:
        paths = [PurePosixPath(name) for name in wheel.namelist() if not name.endswith((".py", "/"))]
        content = {path.name: wheel.read(str(path)) for path in paths}
    scripts = ConfigParser()
    scripts.read_string(content["entry_points.txt"].decode())
    metadata = Parser().parsestr(content["METADATA"].decode())
    # By name, wherever they lie.
    check(
        "service/wheel",
        {
            "files": sorted(f"{name} × {times}" for name, times in Counter(path.name for path in paths).items()),
            "calibration.npz": hashlib.sha256(content["calibration.npz"]).hexdigest(),
            "console scripts": list(scripts["console_scripts"]),
            "extras": metadata.get_all("Provides-Extra"),
            "Requires-Python": metadata["Requires-Python"],
        },
    )
