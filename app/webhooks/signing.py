"""Secrets and signatures of Standard Webhooks (https://www.standardwebhooks.com)."""

import base64
import binascii
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"
KEY_BYTES = (24, 64)  # what the specification allows, and the library does not ask


def new_secret() -> str:
    """Return a secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def check_secret(secret: str) -> None:
    """Refuse a secret that is none, or one that signs badly.

    Raises
    ------
    ValueError
        When it is not ``whsec_`` and 24 to 64 bytes in base64.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not KEY_BYTES[0] <= len(key) <= KEY_BYTES[1]:
        raise ValueError(f"a secret is {PREFIX} followed by {KEY_BYTES[0]} to {KEY_BYTES[1]} random bytes in base64")


def signed_headers(keys: Sequence[str], id: str, timestamp: int, body: str) -> dict[str, str]:
    """Return the headers that prove where a message comes from: one signature a secret, so that secrets can rotate."""
    at = datetime.fromtimestamp(timestamp, UTC)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(Webhook(one).sign(id, at, body) for one in keys),
    }
