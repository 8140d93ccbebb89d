"""What a supervisor asks of its trainer and what that answers: one JSON object a message. Torch-free.

Each answer names the subject and the attempt of the request that it belongs to, and the process that says it. A plugin
may fork and let both processes go on; without these names its leftovers would be taken for the answer to whatever is
asked next.
"""

import json
import re
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import PydanticSerializationError

from sufficiency.schemas.plain import plain_answer
from sufficiency.schemas.spec import JobSpec, PluginRef
from sufficiency.schemas.work import CellFailure, CellResult, PluginDescription, PluginFailure, SplitSource, UnitCell
from sufficiency.training.faults import clean_text

# Whatever `plain` may write out, as it stands in a line of JSON: escaped, or in UTF-8.
_SUSPICIOUS = re.compile(rb"\\[ubfr]|\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]")


class Message(BaseModel):
    """A message; a number that JSON cannot hold is sent as a missing one, and a text as `clean_text` leaves it."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    def encoded(self) -> bytes:
        """Return the message as one line of JSON, without its end."""
        # Names of classes, metrics and files come from anywhere, and the database would refuse the whole message.
        try:
            text = self.model_dump_json()
            if "\\u0000" not in text:
                return text.encode()
        except PydanticSerializationError:  # half of a surrogate pair
            pass
        return type(self).model_validate(_clean(self.model_dump())).model_dump_json().encode()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {_clean(key): _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value


class _Request(Message):
    """What is asked.

    Attributes
    ----------
    subject : UUID
        The unit to run, or the dataset or the job that is asked about.
    attempt : int
        Which try at it this is; no two requests have the same subject and attempt.
    """

    subject: UUID
    attempt: int


class RunUnit(_Request):
    """Measure the cells of a unit that are open; answered cell by cell, and by `Done` or `Failed`."""

    type: Literal["run"] = "run"
    job: UUID
    spec: JobSpec
    device: str
    train: SplitSource
    test: SplitSource
    fingerprint: str
    cells: tuple[UnitCell, ...]


class Identify(_Request):
    """Say by what the cells of a job are known again; answered by `Identified` or `Failed`."""

    type: Literal["identify"] = "identify"
    job: UUID
    spec: JobSpec
    device: str
    fingerprint: str


class VerifyDataset(_Request):
    """Read both splits of a dataset as they are now; answered by `Verified` or `Failed`."""

    type: Literal["verify"] = "verify"
    train: SplitSource
    test: SplitSource


class AskSchedule(_Request):
    """Name the steps for a training split of `size` items; answered by `Steps` or `Failed`."""

    type: Literal["schedule"] = "schedule"
    plugin: PluginRef
    size: int


class Introduction(Message):
    """What a trainer offers, said once, when it has loaded its plugins."""

    type: Literal["ready"] = "ready"
    pid: int
    plugins: tuple[PluginDescription, ...]
    errors: tuple[PluginFailure, ...]
    devices: tuple[str, ...]
    gpus: int


class _Answer(Message):
    """What is answered: the request's subject and attempt, and who says so."""

    is_last: ClassVar[bool] = True  # whether the request is seen to with it

    subject: UUID
    attempt: int
    pid: int


class Started(_Answer):
    """A cell is in hand from now on."""

    is_last = False

    type: Literal["started"] = "started"
    cell: UnitCell


class Measured(_Answer):
    """A cell is finished."""

    is_last = False

    type: Literal["measured"] = "measured"
    result: CellResult


class NotMeasurable(_Answer):
    """Each try at a cell failed: it ends without a value, and the unit goes on."""

    is_last = False

    type: Literal["not_measurable"] = "not_measurable"
    failure: CellFailure


class Done(_Answer):
    """All cells of the unit have ended."""

    type: Literal["done"] = "done"


class Failed(_Answer):
    """The request cannot be carried out; the error is as `faults.fault` makes it."""

    type: Literal["failed"] = "failed"
    error: dict[str, Any]


class Identified(_Answer):
    """By what the cells of a job are known again; None: there are no others that are the same."""

    type: Literal["identified"] = "identified"
    identity: str | None


class Worn(_Answer):
    """Nothing has been done about the request: a new process must be asked.

    Attributes
    ----------
    why : str
        What earlier requests have left behind, or which plugin's file has changed.
    """

    type: Literal["worn"] = "worn"
    why: str


class Verified(_Answer):
    """What was found in a dataset that can be used.

    Attributes
    ----------
    info : dict
        As `data.pairing.verify_splits` returns it.
    preview : bytes or None
        A PNG of some of its items.
    """

    type: Literal["verified"] = "verified"
    info: dict[str, Any]
    fingerprint: str
    preview: bytes | None = None


class Steps(_Answer):
    """The training-set sizes that a schedule plugin names."""

    type: Literal["steps"] = "steps"
    steps: list[int]


Request = RunUnit | Identify | VerifyDataset | AskSchedule
Answer = Started | Measured | NotMeasurable | Done | Failed | Identified | Worn | Verified | Steps

_request: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="type")])
_from_trainer: TypeAdapter[Introduction | Answer] = TypeAdapter(
    Annotated[Introduction | Answer, Field(discriminator="type")]
)


def cell_mark(about: RunUnit | Started, cell: UnitCell) -> bytes:
    """Return the line by which a trainer says, in what it writes, that what follows is of a cell.

    It names the try at the unit: no line of another one is taken for it.
    """
    return f"\x1e{about.subject}/{about.attempt}: run {cell.run}, step {cell.step}\x1e".encode()


def read_request(line: bytes) -> Request:
    """Return the request that a line holds.

    Raises
    ------
    ValueError
        When it holds none.
    """
    return _request.validate_json(line)


def read_answer(line: bytes) -> Introduction | Answer:
    """Return what a trainer says in a line, with whatever is not for a reader's eyes written out.

    All text of plugins comes this way: what is kept, told in events and shown is plain, whoever has put it in. Only an
    introduction is taken as it is, since a parameter's default is a value and no text.

    Raises
    ------
    ValueError
        When that is no message, such as where two processes wrote into each other's.
    """
    message = _from_trainer.validate_json(line)
    if isinstance(message, Introduction) or not _SUSPICIOUS.search(line):
        return message
    return _from_trainer.validate_json(json.dumps(plain_answer(json.loads(line))))
