"""What a person calls a job, and writes beside it: told with it, and no part of what it measures."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from sufficiency.schemas.fields import Strict
from sufficiency.schemas.limits import JOB_NAME_CHARACTERS, JOB_NOTE_CHARACTERS

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def _one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("a name is one line, without control characters")
    return text.strip()


def _lines(text: str) -> str:
    text = text.replace("\r\n", "\n")
    if _CONTROL_BUT_LINES.search(text):
        raise ValueError("a note has lines, and no other control characters")
    return text.strip()


JobName = Annotated[str, Field(max_length=JOB_NAME_CHARACTERS), AfterValidator(_one_line)]
JobNote = Annotated[str, Field(max_length=JOB_NOTE_CHARACTERS), AfterValidator(_lines)]


class JobChange(Strict):
    """What is to be changed about a job: what it is called, never what it has measured."""

    name: JobName | None = Field(None, description="another name; empty: none")
    note: JobNote | None = Field(None, description="another note; empty: none")

    @model_validator(mode="after")
    def _something(self) -> "JobChange":
        if self.name is None and self.note is None:
            raise ValueError("say what to change: name or note")
        return self
