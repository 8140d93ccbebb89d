"""Prints the specification of the API: ``python -m app.openapi > docs/openapi.json``."""

import json
import sys

from app.main import create_app
from app.settings import Settings


def specification() -> str:
    """Return the specification as it is committed."""
    return json.dumps(create_app(Settings()).openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(specification())
