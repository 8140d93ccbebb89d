"""What can be put on a service although nothing of it was measured there."""

from collections.abc import Mapping
from typing import Any, Protocol


class Publishable(Protocol):
    """A study with its values."""

    def handed_in(self) -> Mapping[str, Any]:
        """Return the job, with its values in place of what would measure them."""
        ...

    def imprint(self) -> str:
        """Return what is the same for the same study with the same values, and for no other."""
        ...
