"""What the shapes are made of: bounded names and sizes, times in UTC, and words that a newer service may add to."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from sufficiency.schemas.limits import NAME_CHARACTERS
from sufficiency.schemas.words import ClassLabel

W = TypeVar("W")
Model = TypeVar("Model", bound=BaseModel)

Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS)]
Size = Annotated[int, Field(strict=True, ge=1, le=2**53)]
# No price list has more or less: what is beyond it is a slip of the keyboard, and quotients of two stay finite.
MOST_MONEY, LEAST_MONEY = 1e15, 1e-9
Money = Annotated[float, Field(ge=0, le=MOST_MONEY, allow_inf_nan=False)]
Price = Annotated[float, Field(ge=LEAST_MONEY, le=MOST_MONEY, allow_inf_nan=False)]
Timestamp = Annotated[datetime, AfterValidator(lambda at: at.astimezone(UTC))]
# A field `class_`, which is `class` in JSON.
ClassField = Annotated[ClassLabel, Field(validation_alias=AliasChoices("class", "class_"), serialization_alias="class")]


class Strict(BaseModel):
    """A shape of a request: unknown fields are refused, and nothing is taken for what it is not, as "2" for 2."""

    model_config = ConfigDict(extra="forbid", strict=True)


# Words of answers

_READ = "reads an answer"


class _Open:
    """Lets a word that this version does not know through, but only where an answer is read."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def known_or_new(value: Any, known: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
            try:
                return known(value)
            except ValidationError:
                if isinstance(value, str) and info.context is _READ:
                    return value
                raise

        return core_schema.with_info_wrap_validator_function(
            known_or_new, handler(source), serialization=core_schema.simple_ser_schema("any")
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        assert schema["type"] == "function-wrap", "as made above"
        return handler(schema["schema"])


Word = Annotated[W, _Open()]


def read(model: type[Model], answer: Mapping[str, Any]) -> Model:
    """Return an answer of the API as its model.

    Parameters
    ----------
    model : type of BaseModel
        The shape that this version knows.
    answer : mapping
        The JSON; of a service that may be newer. Fields that `model` lacks are left out, a `Word` that it does not
        know is taken as it is.

    Raises
    ------
    pydantic.ValidationError
        When the answer is of another shape.
    """
    return model.model_validate(answer, context=_READ)
