"""What a value holds, as bytes, without what differs from process to process."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sufficiency.data.hosted import array_of

STAMP_BYTES = 16


def stamp(value: Any) -> bytes:
    """Return a short digest of what a value holds."""
    digest = hashlib.blake2b(digest_size=STAMP_BYTES)
    for part in plain(value):
        digest.update(part)
    return digest.digest()


def plain(value: Any) -> Iterator[bytes]:
    """Yield what a value holds."""
    if value is None or isinstance(value, str | int | float | bool | complex | bytes):
        yield repr(value).encode()
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield str(key).encode()
            yield from plain(value[key])
    elif isinstance(value, list | tuple | set | frozenset):
        yield f"{type(value).__name__}{len(value)}".encode()
        for item in sorted(value, key=str) if isinstance(value, set | frozenset) else value:
            yield from plain(item)
    elif hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
        array = array_of(value)
        yield repr((array.dtype.str, array.shape)).encode()
        yield from plain(array.tolist()) if array.dtype.hasobject else (np.ascontiguousarray(array).tobytes(),)
    else:
        yield type(value).__qualname__.encode()
        names = getattr(value, "__dict__", None) or {
            name: getattr(value, name) for name in getattr(type(value), "__slots__", ()) if hasattr(value, name)
        }
        yield from plain(dict(names))
