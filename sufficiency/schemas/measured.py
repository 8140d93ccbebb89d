"""Measurements that were made elsewhere, as a client hands them in."""

from typing import Annotated

from pydantic import Field, model_validator

from sufficiency.schemas.fields import ClassField, Name, Size, Strict
from sufficiency.schemas.limits import CLASSES, HANDED_IN_VALUES, NOTE_CHARACTERS

ELSEWHERE = "measured elsewhere"


class MeasuredValue(Strict):
    """One value of one metric (of one class), measured after training on `n` items."""

    n: Size
    value: float | None = Field(description="null: could not be measured", allow_inf_nan=False)
    run: int = Field(0, ge=0, lt=10_000, description="which of several repetitions")
    metric: Name = "value"
    class_: ClassField = Field(None, description="where the metric is one a class: its name or its index")


class Measured(Strict):
    """What was measured elsewhere: its values, and what is known of where they come from."""

    values: list[MeasuredValue] = Field(min_length=1, max_length=HANDED_IN_VALUES)
    model: Name = Field(ELSEWHERE, description="what to call the model in answers")
    dataset: Name = Field(ELSEWHERE, description="what to call the data in answers")
    source: Annotated[str, Field(max_length=NOTE_CHARACTERS)] | None = Field(
        None, description="a note on where they come from"
    )
    class_names: list[Name] | None = Field(None, max_length=CLASSES, description="of the classes, by their index")
    test_size: int | None = Field(
        None, ge=1, description="items in the test split: the noise that it adds is then known"
    )
    test_class_counts: list[Annotated[int, Field(ge=0)]] | None = Field(
        None, description="of them, by class", max_length=CLASSES
    )

    @model_validator(mode="after")
    def _one_count_a_class(self) -> "Measured":
        names, counts = self.class_names, self.test_class_counts
        if names is not None and len(set(names)) < len(names):
            raise ValueError("two classes have the same name")
        if names is not None and counts is not None and len(names) != len(counts):
            raise ValueError(f"there are {len(names)} class_names and {len(counts)} test_class_counts")
        return self
