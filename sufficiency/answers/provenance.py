"""How an output in DataEval's form came to be."""

from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from typing import Any, Self


@dataclass(frozen=True, repr=False)
class ExecutionMetadata:
    """What was executed, and when.

    Attributes
    ----------
    name : str
        Of the method.
    execution_time : datetime
        When it began.
    execution_duration : float
        Seconds.
    arguments, state : dict
        What it was given, and how whoever executed it was set.
    version : str
        Of this package.
    """

    name: str
    execution_time: datetime
    execution_duration: float
    arguments: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    version: str = field(default_factory=lambda: version("sufficiency"))

    @classmethod
    def empty(cls) -> Self:
        """Return what is said of an output that nothing is known of."""
        return cls("", datetime.min, 0.0)

    def __repr__(self) -> str:
        return (
            f"ExecutionMetadata(name={self.name!r}, execution_time={self.execution_time.isoformat()}, "
            f"execution_duration={self.execution_duration:.4f}s, version={self.version!r})"
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.execution_duration:.4f}s)"
