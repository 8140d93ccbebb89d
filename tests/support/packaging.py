"""How the project is packaged: its images, its compose file, its settings."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from app.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {f"SUFFICIENCY_{name.upper()}" for name in Settings.model_fields}
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def python(*arguments: str) -> str:
    """Run the interpreter without settings; return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SUFFICIENCY_")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
