"""All that is wrong with a file, said at once, each with the way out."""

from sufficiency.data.errors import DatasetError
from sufficiency.schemas.limits import ERRORS


class Faults:
    """Collects what is wrong with a table.

    Parameters
    ----------
    path : str
        What the error calls it.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._said: list[str] = []

    def add(self, fault: str) -> None:
        """Keep one more fault; a sentence that goes on after the file's name."""
        self._said.append(fault)

    def raise_any(self) -> None:
        """Raise all of them as one error, if there are any.

        Raises
        ------
        DatasetError
            For one fault or more.
        """
        if len(self._said) == 1:
            raise DatasetError(f"{self._path}: {self._said[0]}")
        if self._said:
            listed = "; ".join(f"({k}) {fault}" for k, fault in enumerate(self._said[:ERRORS], 1))
            more = f"; and {len(self._said) - ERRORS} more" if len(self._said) > ERRORS else ""
            raise DatasetError(f"{self._path} has {len(self._said)} faults: {listed}{more}")
