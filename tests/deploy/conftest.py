"""The running API: on a database of the test's own, or on a free port for all tests of the module."""

from tests.support.listening import settings, url
from tests.support.service import service

__all__ = ["service", "settings", "url"]
