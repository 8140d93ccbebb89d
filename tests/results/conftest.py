"""The running API, on a database of the test's own or of the module's."""

from tests.support.service import service, standing

__all__ = ["service", "standing"]
