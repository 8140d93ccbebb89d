"""``python -m worker`` in this folder means this."""

raise SystemExit("the user's own worker has been started")
