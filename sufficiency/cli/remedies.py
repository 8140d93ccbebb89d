"""What the user is told of an error of the client's: what is wrong, where, and what to do about just that."""

import shlex
from urllib.parse import unquote, urlsplit

from sufficiency.client.errors import ApiError, BadUrl, ClientError, ServiceUnreachable, WaitTimeout
from sufficiency.exits import MISUSED, UNREACHABLE, CommandError
from sufficiency.running import running_standalones
from sufficiency.study.errors import InvalidStudy

# By the problem's code; `{name}` and `{id}` are of the dataset or job that was asked about.
BY_CODE = {
    "dataset_exists": "choose another name; or see what is there with `sufficiency datasets show {name}`, and make "
    "room with `sufficiency datasets remove {name}`",
    "dataset_in_use": "list them with `sufficiency jobs --dataset {name}`, and delete those that are not needed",
    "dataset_continued": "see the versions with `sufficiency datasets versions {name}`, and remove the latest first",
    "dataset_full": "register what there is now as a dataset of its own with `sufficiency datasets add`",
    "version_taken": "see the versions with `sufficiency datasets versions {name}`",
    "version_not_possible": "register the larger set as a dataset of its own with `sufficiency datasets add`",
    "dataset_gone": "see what there is with `sufficiency datasets list`, and add it again",
    "dataset_not_ready": "see what it waits for with `sufficiency datasets show {name}`",
    "dataset_invalid": "see why with `sufficiency datasets show {name}`; after a correction, "
    "`sufficiency datasets verify {name}` reads it anew",
    **dict.fromkeys(
        ("plugin_changed", "dataset_changed"),
        "add --start-anew to the command to measure all of it again, or bring back what was there before",
    ),
    "job_completed": "add runs or steps with `sufficiency extend {id}`, or measure all of it again with --start-anew",
    "job_not_ended": "wait for it with `sufficiency watch {id}`, or end it with `sufficiency cancel {id}`",
    "job_ended": "see what it measured with `sufficiency measurements {id}`",
    "measured_elsewhere": "measure more where it was measured, and send all of it as another job",
    "job_unplanned": "queue it again with `sufficiency retry {id}`",
    "not_enough_data": "see what is measured with `sufficiency measurements {id}`; while it runs, more comes",
    "unknown_metric": "see what is measured with `sufficiency measurements {id}`",
    "job_not_completed": "wait for it with `sufficiency watch {id}`",
    "unknown_method_version": "leave it out, or see which there is with `sufficiency curves {id} --json`",
    "unknown_class": "see what is measured with `sufficiency measurements {id} --view cells`",
    "no_uploads": "put it into one of the service's data roots, and name its path",
    "upload_exists": "send it under another --name, or delete the other with `sufficiency datasets uploads --delete`",
    "upload_in_use": "see what is registered with `sufficiency datasets list`, and remove what is read from it",
    "upload_not_found": "see what there is with `sufficiency datasets uploads`",
    "upload_too_large": "put it into one of the service's data roots, or have SUFFICIENCY_UPLOAD_BYTES raised",
    "uploads_busy": "try again in a moment",
    "wrong_kind": "send a file that is what its name says",
    "no_room": "delete what is not needed, or make room on the service's disk",
    "overloaded": "wait a moment, and try again; more processes of the API serve more at a time",
    "host_not_allowed": "name it by its address; or by a name that whoever runs it puts into SUFFICIENCY_ALLOWED_HOSTS",
    "foreign_origin": "open the service's own page, and do it there",
    **dict.fromkeys(
        ("unauthenticated", "key_expired", "key_revoked"),
        "put a key that is taken into SUFFICIENCY_API_KEY; an administrator of the project makes one with "
        "`sufficiency keys add`",
    ),
    "open_to_loopback_only": "start the service with keys (docs/access.md), or ask it on 127.0.0.1",
    "forbidden": "see what you may do with `sufficiency whoami`, and ask an administrator of the project for more",
    "service_only": "ask with a key of the service, which `sufficiency keys add --service` makes",
    **dict.fromkeys(
        ("project_not_found", "project_unnamed"),
        "see which are yours with `sufficiency projects list`, and name one with --project or SUFFICIENCY_PROJECT",
    ),
    "too_many_requests": "wait as long as it says; `sufficiency watch ID` waits for a job with one request",
    "quota_exceeded": "see what the project has with `sufficiency projects show NAME`, and delete what is not needed",
    "issuer_unavailable": "try again once the identity provider answers, or ask with a key",
    "project_exists": "see what there is with `sufficiency projects list`",
    "project_not_empty": "delete its jobs, datasets, webhooks and files first",
    "key_not_found": "see what there is with `sufficiency keys list`",
    "member_not_found": "see who is there with `sufficiency members list`",
    "conflict": "look at it, and try again",
    "extra_missing": "install it there, and start the API again",
}
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
