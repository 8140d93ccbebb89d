"""What the user is told of an error of the client's: what is wrong, where, and what to do about just that."""

import shlex
from urllib.parse import unquote, urlsplit

from sufficiency.cli.remedy_table import BY_CODE
from sufficiency.client.errors import ApiError, BadUrl, ClientError, ServiceUnreachable, Unsendable, WaitTimeout
from sufficiency.exits import MISUSED, UNREACHABLE, CommandError
from sufficiency.running import running_standalones
from sufficiency.study.errors import InvalidStudy

LISTS = {"jobs": "jobs", "datasets": "datasets list", "plugins": "plugins", "workers": "workers"}


def explain(error: Exception) -> CommandError | None:
    """Return a client's error as what the user is told, or None for an error that is not the client's."""
    if isinstance(error, ServiceUnreachable):
        # That of the user's own may listen on another port.
        elsewhere = [one.url for one in running_standalones() if one.url != error.url]
        another = f"name another with --url or SUFFICIENCY_URL{f': {elsewhere[0]} answers' if elsewhere else ''}"
        return CommandError(
            f"no answer from the service ({error.reason})",
            error.url,
            f"start it with `sufficiency standalone`, or {another}",
            UNREACHABLE,
        )
    if isinstance(error, BadUrl):
        return CommandError(str(error), "--url or SUFFICIENCY_URL", "name one like http://127.0.0.1:8000", MISUSED)
    if isinstance(error, ApiError):
        where = [error.request]
        for field in error.errors:
            line = f"{field['pointer']}: {field['detail']}"
            if line not in error.detail:  # a single bad field is told in the detail already
                where.append(field["pointer"] if field["detail"] in error.detail else line)
        what = ": ".join(part for part in (error.title, error.detail) if part)
        return CommandError(what, "\n".join(where), remedy(error))
    if isinstance(error, WaitTimeout):
        return CommandError(str(error), do="wait on, or see `sufficiency workers`")
    if isinstance(error, InvalidStudy):
        places = "\n".join(f"{one['pointer']}: {one['detail']}" for one in error.errors)
        return CommandError("the measurements make no study", places, "correct what is named above", MISUSED)
    if isinstance(error, Unsendable):
        return CommandError(str(error), "what was to be sent", "correct what is named above", MISUSED)
    if isinstance(error, ClientError):
        return CommandError(str(error))
    return None


def remedy(error: ApiError) -> str:
    """Return what to do about what the API said no to, in terms of what was asked about."""
    subject, name = _subject(error)
    if error.code in BY_CODE:
        id = name if subject == "jobs" else "ID"
        about = (name if subject == "datasets" else "") or _quoted(error.detail)
        return BY_CODE[error.code].format(id=id or "ID", name=shlex.quote(about) if about else "NAME")
    if error.status == 404 and subject in LISTS:
        return f"see what there is with `sufficiency {LISTS[subject]}`"
    if error.status == 422:
        return "correct what is named above; `--help` of the command shows an example"
    if error.status == 409 and subject == "jobs":
        return "see the state of the job with `sufficiency jobs`, or wait for it with `sufficiency watch ID`"
    if error.status == 409 and subject == "datasets":
        return "see the state of the dataset with `sufficiency datasets list`"
    if error.status >= 500:
        return "look into the service's log, then try again"
    return ""


def _subject(error: ApiError) -> tuple[str, str]:
    """Return what a request was about: the first part of its path, and the name or id after it."""
    parts = urlsplit(error.request.partition(" ")[2]).path.strip("/").split("/")
    at = next((index for index, part in enumerate(parts) if part in LISTS), None)
    if at is None:
        return "", ""
    return parts[at], unquote(parts[at + 1]) if len(parts) > at + 1 else ""


def _quoted(detail: str) -> str:
    """Return the name that a sentence has in quotes, as in "Dataset 'digits' is invalid"."""
    return detail.split("'")[1] if detail.count("'") >= 2 else ""
