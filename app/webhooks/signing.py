"""Signatures of Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over id, time and body."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
KEY_BYTES = (24, 64)  # what the specification allows


def new_secret() -> str:
    """Return a secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """Return the key in a secret.

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
    return key


def signed_headers(keys: Sequence[str], id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that prove where a message comes from: one signature a secret, so that secrets can rotate."""
    content = f"{id}.{timestamp}.".encode() + body
    signatures = [base64.b64encode(hmac.new(key_of(one), content, hashlib.sha256).digest()).decode() for one in keys]
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
