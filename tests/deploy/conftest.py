"""The running API, on a database of the test's own."""

from tests.support.service import service

__all__ = ["service"]
