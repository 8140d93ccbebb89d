"""Requests that may be repeated under a key: how one is known again, and the answer to a key that is not its own."""

import hashlib
import json
from typing import Any

from app.errors import Invalid, field_error


def digest(written: dict[str, Any]) -> str:
    """Return the hash by which a request under an idempotency key is known again."""
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()


def key_reused(detail: str, owner: str) -> Invalid:
    """Return the problem of an idempotency key under which something else was asked for; `owner` says whose it is."""
    errors = [field_error("Idempotency-Key", f"belongs to {owner} with another body")]
    return Invalid(detail, code="idempotency_key_reused", errors=errors)
