"""The whole service, as shipped, for the tests that talk to it from outside."""

from tests.support.standalone import client, service

__all__ = ["client", "service"]
