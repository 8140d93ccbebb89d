"""The running API, as the API's own tests have it."""

from tests.api.conftest import service

__all__ = ["service"]
