"""Whether a service that asks nobody who they are may listen where it is told to."""

import ipaddress
from functools import lru_cache

HOW = (
    "Give it keys: write what `sufficiency keys new` prints into a file, name that in SUFFICIENCY_BOOTSTRAP_KEY_FILE, "
    "and set SUFFICIENCY_ACCESS=keys (docs/access.md). Or listen on 127.0.0.1"
)


@lru_cache(16)  # asked with each request, of the few addresses that a machine has
def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def why_exposed(access: str, host: str) -> str | None:
    """Return why a service must not listen on an address, or None where it may."""
    if access != "open" or is_loopback(host):
        return None
    return (
        f"whoever reaches {host or 'this machine'} could read, change and delete everything: it asks nobody for a key"
    )
