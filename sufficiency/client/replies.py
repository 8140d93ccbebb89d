"""What a call returns: the JSON of the API as a dictionary, and the same as the API's own model."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sufficiency.client.errors import UnknownShape

if TYPE_CHECKING:
    from pydantic import BaseModel

M = TypeVar("M", bound="BaseModel")


class Reply(dict[str, Any], Generic[M]):
    """What the API answered: its JSON (``reply["level"]``), and in `view` the same as a model of `sufficiency.schemas`.

    Parameters
    ----------
    answer : mapping
        The JSON, as it came: also what only a newer service says is in it.
    model : type of BaseModel
        What the API answered it as.

    Examples
    --------
    >>> with Client() as client:  # doctest: +SKIP
    ...     projection = client.project(id, [5000])
    ...     projection.view.metrics["Accuracy"][0].value == projection["metrics"]["Accuracy"][0]["value"]
    True
    """

    def __init__(self, answer: Mapping[str, Any], model: type[M]) -> None:
        super().__init__(answer)
        self._model = model

    @cached_property
    def view(self) -> M:
        """The answer as the API's own model, made when it is first asked for.

        Raises
        ------
        UnknownShape
            When it lacks what this version of the client knows to be in it, or has something else in its place.
        """
        from pydantic import ValidationError

        from sufficiency.schemas.faults import worded
        from sufficiency.schemas.fields import read

        try:
            return read(self._model, self)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {worded(one)}" for one in error.errors()[:3])
            raise UnknownShape(
                f"the service answers otherwise than this client knows {self._model.__name__} ({wrong}): "
                "are they of the same version? The answer is there as a dictionary."
            ) from error
