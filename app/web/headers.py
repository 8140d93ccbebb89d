"""What every answer tells a browser: run nothing, guess nothing, show it in no frame, hand it to no other page."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders

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


def guard(headers: MutableHeaders) -> None:
    """Put the guards on an answer; what it says itself stays."""
    for name, value in GUARDS.items():
        headers.setdefault(name, value)
