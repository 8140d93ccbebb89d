"""What every answer tells a browser: run nothing, guess nothing, show it in no frame, hand it to no other page."""

from collections.abc import Mapping

# Answers of the API are data: whoever opens one in a tab gets nothing to run. The page and pictures say more of theirs.
DATA_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# Scripts and styles of our own only, none inline: a metric's name could at worst be shown, never run.
PAGE_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
# A picture brings its own style and nothing else.
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

GUARDS: Mapping[str, str] = {
    "Content-Security-Policy": DATA_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


# As they are sent
_SENT = tuple((name.lower().encode(), value.encode()) for name, value in GUARDS.items())


def guard(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer with the guards; what it says itself stays."""
    said = {name.lower() for name, _ in headers}
    return [*headers, *(one for one in _SENT if one[0] not in said)]
