"""What a standalone refuses with."""


class StandaloneError(Exception):
    """Why the service cannot run here, in a sentence that says what to do."""
