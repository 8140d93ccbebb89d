"""What is wrong with data."""


class DatasetError(ValueError):
    """Data that cannot be used; the message says what is wrong and where."""
