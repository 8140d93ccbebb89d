"""How much of everything there may be: one place for the limits of requests, files, plugins and answers.

`docs/limits.md` is written from it, and so is what the specification says.
"""

from dataclasses import dataclass
from typing import Literal

# Requests
NAME_CHARACTERS = 200
NOTE_CHARACTERS = 500
JOB_NAME_CHARACTERS = 100
JOB_NOTE_CHARACTERS = 2_000
SEARCH_CHARACTERS = 200
COUNTED = 1_000
LABELS = 50
STEPS = 10_000
GROWN = 1_000
DECLARED_METRICS = 1_000
HANDED_IN_VALUES = 200_000
CLASSES = 100_000
DEPTH = 32
QUESTIONS = 1_000
CHOSEN = 1_000
COMPARED = 10
PAGE = 1_000
JOBS_PAGE = 100
CELLS_PAGE = 10_000
CURSOR_CHARACTERS = 2_000
KEY_CHARACTERS = 255
URL_CHARACTERS = 2_000
# Of one process of the API; as many as can talk to the database at a time, see `app.web.session`
AT_ONCE = 16
RECKONED_AT_ONCE = 4
WAITING = 256
WAIT_SECONDS = 10
BODY_SECONDS = 30
UPLOADS_AT_ONCE = 4
UPLOAD_SECONDS = 30
# Of what the HTTP server itself reads; of an address the parser below it says how much
ADDRESS_BYTES = 65_535
HEAD_BYTES = 131_072
HEAD_SECONDS = 20

# Files
COLUMNS = 50_000
CATEGORIES = 1_000
CLASS_NAME_CHARACTERS = 200

# Plugins
METRICS = 1_000
CLASSES_MEASURED = 10_000
VALUES = 100_000
MARKED_ITEMS = 1_000_000
MARKED_METRICS = 4
MESSAGE_BYTES = 64 * 2**20

# Answers
ERRORS = 20
POINTER_CHARACTERS = 300
DETAIL_CHARACTERS = 2_000
ANSWERED_VALUES = 100_000
VERDICTS = 1_000

Of = Literal["requests", "files", "plugins", "answers"]


@dataclass(frozen=True)
class Limit:
    """One limit: of what, how many of which unit, and what follows beyond it."""

    of: Of
    what: str
    most: int | str
    unit: str
    beyond: str


def _setting(name: str) -> str:
    return f"`SUFFICIENCY_{name.upper()}`"


# A string is the setting that says how many.
LIMITS: tuple[Limit, ...] = (
    Limit("requests", "a request's body", _setting("max_body_bytes"), "bytes", "413 `body_too_large`"),
    Limit("requests", "a request's address", ADDRESS_BYTES, "bytes", "400 `malformed_request`"),
    Limit("requests", "a request's address and headers", HEAD_BYTES, "bytes", "400 `malformed_request`"),
    Limit("requests", "the coming of a request's address and headers", HEAD_SECONDS, "seconds", "it is closed"),
    Limit("requests", "objects and lists in each other", DEPTH, "deep", "422"),
    Limit("requests", "a whole number", "64", "bits", "422"),
    Limit("requests", "a name", NAME_CHARACTERS, "characters", "422"),
    Limit("requests", "a note: a label's value, a source, a description", NOTE_CHARACTERS, "characters", "422"),
    Limit("requests", "a job's name", JOB_NAME_CHARACTERS, "characters", "422"),
    Limit("requests", "a job's note", JOB_NOTE_CHARACTERS, "characters", "422"),
    Limit("requests", "what jobs are searched by", SEARCH_CHARACTERS, "characters", "422"),
    Limit("requests", "labels of a job", LABELS, "", "422"),
    Limit("requests", "steps of a schedule", STEPS, "", "422"),
    Limit("requests", "times that a job's data grows", GROWN, "", "422"),
    Limit("requests", "runs × steps of a job", _setting("max_cells"), "cells", "422"),
    Limit("requests", "metrics that a job declares", DECLARED_METRICS, "", "422"),
    Limit("requests", "values handed in with a job", HANDED_IN_VALUES, "", "422"),
    Limit("requests", "classes handed in with a job", CLASSES, "", "422"),
    Limit("requests", "sizes, targets or gains in one question", QUESTIONS, "", "422"),
    Limit("requests", "metrics or classes named in one question", CHOSEN, "", "422"),
    Limit("requests", "jobs compared at a time", COMPARED, "", "422"),
    Limit("requests", "items of a page", PAGE, "", "422"),
    Limit("requests", "jobs or webhooks of a page", JOBS_PAGE, "", "422"),
    Limit("requests", "cells of a page", CELLS_PAGE, "", "422"),
    Limit("requests", "a cursor", CURSOR_CHARACTERS, "characters", "422"),
    Limit("requests", "an idempotency key", KEY_CHARACTERS, "characters", "422"),
    Limit("requests", "a webhook's URL", URL_CHARACTERS, "characters", "422"),
    Limit("requests", "requests that one process serves at a time", AT_ONCE, "", "they wait"),
    Limit("requests", "of them, such as take a fit", RECKONED_AT_ONCE, "", "they wait"),
    Limit("requests", "requests of either kind that wait in one process", WAITING, "", "503 `overloaded`"),
    Limit("requests", "a request's wait", WAIT_SECONDS, "seconds", "503 `overloaded`"),
    Limit("requests", "the coming of a request's body", BODY_SECONDS, "seconds", "408 `body_too_slow`"),
    Limit("files", "a file that is sent", _setting("upload_bytes"), "bytes", "413 `upload_too_large`"),
    Limit("files", "files that are sent to one process at a time", UPLOADS_AT_ONCE, "", "409 `uploads_busy`"),
    Limit("files", "the coming of more of a file", UPLOAD_SECONDS, "seconds", "408 `body_too_slow`"),
    Limit("files", "columns of a table", COLUMNS, "", "the dataset is invalid"),
    Limit("files", "categories of a column", CATEGORIES, "", "the dataset is invalid"),
    Limit("files", "classes of a dataset", CLASSES, "", "the dataset is invalid"),
    Limit("files", "a class's name", CLASS_NAME_CHARACTERS, "characters", "it is shortened, with a digest at its end"),
    Limit("plugins", "metrics that an evaluation returns", METRICS, "", "the job fails"),
    Limit("plugins", "classes of one metric", CLASSES_MEASURED, "", "the job fails"),
    Limit("plugins", "values of one cell", VALUES, "", "the job fails"),
    Limit("plugins", "test items of which is kept whether they were right", MARKED_ITEMS, "", "none is kept"),
    Limit("plugins", "metrics with such items", MARKED_METRICS, "", "the first are kept"),
    Limit("plugins", "the name of a metric", NAME_CHARACTERS, "characters", "the job fails"),
    Limit("plugins", "steps that a schedule plugin names", STEPS, "", "the job fails"),
    Limit("plugins", "a message of a trainer", MESSAGE_BYTES, "bytes", "the trainer is ended"),
    Limit("plugins", "one cell", _setting("cell_timeout_seconds"), "seconds", "the cell is not measurable"),
    Limit(
        "plugins", "a trainer with what it starts", _setting("trainer_memory"), "bytes", "the cell is not measurable"
    ),
    Limit("answers", "jobs that a list counts", COUNTED, "", "`count_complete` is false"),
    Limit("answers", "bad fields that are listed", ERRORS, "", "`errors_total` has their number"),
    Limit("answers", "a field's place in a refusal", POINTER_CHARACTERS, "characters", "it is shortened"),
    Limit("answers", "a sentence of a refusal", DETAIL_CHARACTERS, "characters", "it is shortened"),
    Limit("answers", "sizes or targets × curves of one answer", ANSWERED_VALUES, "", "422 `too_much_asked`"),
    Limit("answers", "curves of one verdict", VERDICTS, "", "422 `too_much_asked`"),
)
