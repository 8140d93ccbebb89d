"""Which addresses a webhook may reach: the service must not become a way into what only the service can reach."""

import ipaddress
import socket
from collections.abc import Collection
from typing import Literal
from urllib.parse import urlsplit

from app.settings import Settings
from sufficiency.schemas.limits import URL_CHARACTERS

Reach = Literal["public", "private", "loopback"]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where clouds answer a machine's own credentials, outside of the link-local range that is refused anyway.
METADATA = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "fd00:ec2::254", "192.0.0.192")))
NAT64 = ipaddress.ip_network("64:ff9b::/96")
SETTING = "SUFFICIENCY_WEBHOOK_ADDRESSES"


def refusal(address: str, reach: Reach) -> str | None:
    """Return why an address may not be reached, or None when it may.

    Parameters
    ----------
    address : str
        An IPv4 or IPv6 address, with or without a zone.
    reach : {"public", "private", "loopback"}
        The widest kind that is allowed; each includes those before it. Link-local addresses are in none.
    """
    ip = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
    if ip in METADATA or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return f"{address} is never called: it is link-local, multicast, or a cloud's own"
    if ip.is_loopback:
        allowed = reach == "loopback"
        return None if allowed else f"{address} is this machine's loopback; {SETTING}=loopback would allow it"
    if ip.is_reserved:
        return f"{address} is never called: it is reserved"
    if not ip.is_global and reach == "public":
        return f"{address} is in a private network; {SETTING}=private would allow it"
    return None


def _unwrapped(ip: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for."""
    if isinstance(ip, ipaddress.IPv6Address):
        if inside := ip.ipv4_mapped or ip.sixtofour:
            return inside
        if ip in NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def own_ports(settings: Settings) -> frozenset[int]:
    """Return the ports on which, of this machine's, the service itself, its database and its broker listen."""
    ports = {settings.port}
    for url, usual in ((settings.database_url, 5432), (settings.redis_url, 6379)):
        parts = urlsplit(url)
        if parts.hostname:  # else it is reached through a socket's file
            ports.add(parts.port or usual)
    return frozenset(ports)


def own_refusal(address: str, port: int, own: Collection[int]) -> str | None:
    """Return why a webhook to an address would be one to the service itself, or None when it would not."""
    if port in own and _is_of_this_machine(address):
        return f"{address} port {port} is the service's own, or its database's or broker's"
    return None


def _is_of_this_machine(address: str) -> bool:
    # Only an own address can be bound to; the port does not matter, and no name is looked up.
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def check_url(url: str, reach: Reach, own: Collection[int] = ()) -> None:
    """Check what can be told of an endpoint's URL without looking its name up; that is done at each delivery.

    Raises
    ------
    ValueError
        With what is wrong, and what would be right.
    """
    if len(url) > URL_CHARACTERS:
        raise ValueError(f"a URL has at most {URL_CHARACTERS} characters")
    if not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError("write the URL in ASCII: other characters in percent-encoding, a host name in punycode")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("an endpoint is an http:// or https:// URL with a host, like https://hooks.example.org/jobs")
    if parts.username is not None or parts.password is not None:
        raise ValueError("leave user and password out of the URL: it is shown in lists; the signature tells who calls")
    if parts.fragment:
        raise ValueError("leave the #fragment out of the URL: it is never sent")
    host = parts.hostname
    if host == "localhost" or host.endswith(".localhost"):
        host = "127.0.0.1"
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return
    if reason := refusal(host, reach) or own_refusal(host, port or (443 if parts.scheme == "https" else 80), own):
        raise ValueError(reason)
