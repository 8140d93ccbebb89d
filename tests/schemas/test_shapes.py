"""The shapes are the API's and the client's: read back from their own JSON, also from a service that is newer."""

import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

import sufficiency.schemas
from sufficiency.schemas import webhooks, words
from sufficiency.schemas.fields import Strict, Word, read
from sufficiency.schemas.jobs import JobView

OPEN = get_args(Word[str])[1]
SENT_TO_RECEIVERS = (webhooks.Message, webhooks.JobData, webhooks.TestData)


def answers() -> list[type[BaseModel]]:
    """Return every model of the schemas that is of an answer."""
    found: dict[str, type[BaseModel]] = {}
    for info in pkgutil.iter_modules(sufficiency.schemas.__path__, "sufficiency.schemas."):
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == info.name:
                found[f"{info.name}.{value.__name__}"] = value
    return [model for model in found.values() if not issubclass(model, (Strict, *SENT_TO_RECEIVERS))]


def examples() -> list[Any]:
    return [
        pytest.param(model, example, id=model.__name__)
        for model in answers()
        for example in dict(model.model_config.get("json_schema_extra") or {}).get("examples", [])
    ]


def bare_words(annotation: Any) -> Iterator[Any]:
    """Yield the literals in an annotation that no `Word` is around."""
    if get_origin(annotation) is Literal:
        yield annotation
    elif get_origin(annotation) is not Annotated or not any(type(mark) is type(OPEN) for mark in get_args(annotation)):
        for part in get_args(annotation):
            yield from bare_words(part)


@pytest.mark.parametrize("model", answers(), ids=lambda model: model.__name__)
def test_every_word_of_an_answer_may_be_new_to_the_reader(model: type[BaseModel]) -> None:
    bare = {
        name: field.annotation
        for name, field in model.model_fields.items()
        if not any(type(mark) is type(OPEN) for mark in field.metadata) and list(bare_words(field.annotation))
    }
    assert bare == {}


@pytest.mark.parametrize(("model", "example"), examples())
def test_an_answer_is_read_as_it_was_written(model: type[BaseModel], example: dict[str, Any]) -> None:
    seen = read(model, {**example, "said_by_a_newer_service": 1})
    assert model.model_validate_json(seen.model_dump_json()) == seen
    written = seen.model_dump(mode="json", by_alias=True)
    assert {key: written[key] for key in example} == example


def test_a_word_that_is_new_is_read_and_written_but_not_answered() -> None:
    example = {**JobView.model_config["json_schema_extra"]["examples"][0], "state": "paused", "device": "tpu"}  # type: ignore[index,call-overload]
    job = read(JobView, example)
    assert (job.state, job.device) == ("paused", "tpu")
    assert '"state":"paused"' in job.model_dump_json()
    with pytest.raises(ValidationError, match="state"):
        JobView.model_validate(example)
    with pytest.raises(ValidationError, match="state"):
        read(JobView, {**example, "state": 7})


def test_the_words_fit_one_another() -> None:
    assert set(words.JOB_STATES) > words.ENDED
    assert {event.removeprefix("job.") for event in words.WEBHOOK_EVENTS} == set(words.JOB_STATES)
    assert set(get_args(words.DeviceChoice)) == {"auto", *get_args(words.Device)}


def test_the_schemas_import_nothing_else_of_the_project() -> None:
    modules = [info.name for info in pkgutil.iter_modules(sufficiency.schemas.__path__, "sufficiency.schemas.")]
    script = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300)
    loaded = done.stdout.split()
    ours = [name for name in loaded if name.split(".")[0] in ("sufficiency", "app", "worker")]
    package = {"sufficiency", "sufficiency.extras"}  # what the package itself begins with
    assert [name for name in ours if name not in package and not name.startswith("sufficiency.schemas")] == []
    assert not {"numpy", "scipy", "fastapi", "sqlalchemy"} & set(loaded)
