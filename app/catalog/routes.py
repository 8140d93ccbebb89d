"""Plugins, datasets and workers over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import BeforeValidator, TypeAdapter

from app.catalog import datasets, plugins, uploads, verification, versions, workers
from app.catalog.workers import LiveWorkers
from app.db.tables import Dataset, Plugin
from app.web.limits import plain_json
from app.web.pagination import Cursor, decode_cursor, page_of
from app.web.problem import documented
from app.web.session import SessionDep, SettingsDep
from sufficiency.schemas.datasets import DatasetView, NewDataset, NewVersion
from sufficiency.schemas.limits import NAME_CHARACTERS, PAGE
from sufficiency.schemas.paging import Page
from sufficiency.schemas.plugins import PluginView
from sufficiency.schemas.words import PluginKind
from sufficiency.schemas.workers import WorkerView

router = APIRouter(responses=documented(422, 503))

PLUGIN_KEY = TypeAdapter(tuple[str, str])
DATASET_KEY = TypeAdapter(str)
DATASET_EXAMPLES = {
    "mnist": {
        "summary": "Part of MNIST",
        "value": {
            "name": "mnist-2500",
            "train": {"loader": "idx", "params": {"path": "mnist", "split": "t10k", "start": 0, "limit": 2500}},
            "test": {"loader": "idx", "params": {"path": "mnist", "split": "t10k", "start": 8000, "limit": 500}},
        },
    },
    "source": {
        "summary": "A table, split by patient",
        "value": {
            "name": "stays",
            "source": {
                "loader": "tabular",
                "params": {"path": "stays.csv", "target": "days", "task": "regression", "metadata": ["patient"]},
            },
            "split": {"test_fraction": 0.25, "group_by": "patient"},
            "standardise": True,
        },
    },
}

VERSION_EXAMPLES = {
    "appended": {
        "summary": "A thousand items more, in a file of their own",
        "value": {"appended": {"loader": "npz", "params": {"path": "labelled-in-march.npz"}}},
    },
    "train": {
        "summary": "The same file, which has grown at its end",
        "value": {"train": {"loader": "tabular", "params": {"path": "stays.csv", "target": "days"}}},
    },
}

Limit = Annotated[int, Query(ge=1, le=PAGE, description="size of a page")]
DatasetName = Annotated[str, Path(max_length=NAME_CHARACTERS)]


def _view(plugin: Plugin, live: LiveWorkers) -> PluginView:
    stated = set(PluginView.model_fields) - {"available", "unavailable_reason"}
    fields: dict[str, Any] = {name: getattr(plugin, name) for name in stated}
    fields["capabilities"] = {key: value for key, value in plugin.capabilities.items() if key != "missing"}
    reason = live.why_waiting([f"{plugin.kind}:{plugin.name}"], "cpu")
    available = live.offers(f"{plugin.kind}:{plugin.name}")
    return PluginView(**fields, available=available, unavailable_reason=None if available else reason)


@router.get("/plugins", tags=["plugins"])
def list_plugins(
    session: SessionDep,
    settings: SettingsDep,
    kind: Annotated[PluginKind | None, Query(description="only this kind")] = None,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> Page[PluginView]:
    """List what workers offer or have offered: models, strategies, loaders and schedules, with their parameters."""
    after = decode_cursor(cursor, PLUGIN_KEY) if cursor else None
    rows, following = page_of(
        plugins.find_plugins(session, kind, after=after, limit=limit + 1), limit, lambda p: (p.kind, p.name)
    )
    live = workers.live_workers(session, settings)
    return Page(items=[_view(plugin, live) for plugin in rows], next_cursor=following)


@router.get("/plugins/{kind}/{name:path}", tags=["plugins"], responses=documented(404))
def get_plugin(
    session: SessionDep, settings: SettingsDep, kind: PluginKind, name: Annotated[str, Path()]
) -> PluginView:
    """Return one plugin with the schema of its parameters."""
    return _view(plugins.get_plugin(session, kind, name), workers.live_workers(session, settings))


def _dataset_view(dataset: Dataset, live: LiveWorkers) -> DatasetView:
    view = DatasetView.model_validate(dataset)
    if dataset.version > 1:
        root = dataset.name.partition(versions.MARK)[0]
        view.continues = root if dataset.version == 2 else f"{root}{versions.MARK}{dataset.version - 1}"
    if dataset.status == "verifying":
        view.queued_reason = verification.why_verifying(dataset, live)
    return view


@router.post(
    "/datasets",
    tags=["datasets"],
    status_code=201,
    responses={
        200: {"model": DatasetView, "description": "The same dataset was registered already"},
        201: {"headers": {"Location": {"schema": {"type": "string"}, "description": "address of the dataset"}}},
        **documented(400, 409, 413),
    },
)
def create_dataset(
    request: Request,
    response: Response,
    session: SessionDep,
    settings: SettingsDep,
    body: Annotated[NewDataset, BeforeValidator(plain_json), Body(openapi_examples=DATASET_EXAMPLES)],
) -> DatasetView:
    """Register a named pair of splits. A worker verifies it: `status` goes from verifying to ready or invalid."""
    uploads.require_own(session, settings.upload_dir, body)
    dataset, created = datasets.register_dataset(session, body)
    response.status_code = 201 if created else 200
    response.headers["Location"] = request.url_for("get_dataset", name=dataset.name).path
    return _dataset_view(dataset, workers.live_workers(session, settings))


@router.get("/datasets", tags=["datasets"])
def list_datasets(
    session: SessionDep, settings: SettingsDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[DatasetView]:
    """List the registered datasets by name."""
    after = decode_cursor(cursor, DATASET_KEY) if cursor else None
    rows, following = page_of(datasets.find_datasets(session, after=after, limit=limit + 1), limit, lambda d: d.name)
    live = workers.live_workers(session, settings)
    return Page(items=[_dataset_view(dataset, live) for dataset in rows], next_cursor=following)


@router.get("/datasets/{name}", tags=["datasets"], responses=documented(404))
def get_dataset(session: SessionDep, settings: SettingsDep, name: DatasetName) -> DatasetView:
    """Return one dataset: whether it is ready, what is in it, or why it is invalid."""
    return _dataset_view(datasets.get_dataset(session, name), workers.live_workers(session, settings))


@router.post(
    "/datasets/{name}/versions",
    tags=["datasets"],
    status_code=201,
    responses={
        200: {"model": DatasetView, "description": "The latest version adds just this already"},
        201: {"headers": {"Location": {"schema": {"type": "string"}, "description": "address of the version"}}},
        **documented(400, 404, 409, 413),
    },
)
def create_dataset_version(
    request: Request,
    response: Response,
    session: SessionDep,
    settings: SettingsDep,
    name: DatasetName,
    body: Annotated[NewVersion, BeforeValidator(plain_json), Body(openapi_examples=VERSION_EXAMPLES)],
) -> DatasetView:
    """Append items to a dataset: a version `name@2`, `name@3`, … that keeps the items before, and the test split.

    A worker verifies it, the old items included. `POST /jobs/{id}/extend` with its name has a job go on with it: what
    is measured stays, and only larger sizes are measured.
    """
    uploads.require_own(session, settings.upload_dir, body)
    version, created = versions.add_version(session, name, body)
    response.status_code = 201 if created else 200
    response.headers["Location"] = request.url_for("get_dataset", name=version.name).path
    return _dataset_view(version, workers.live_workers(session, settings))


@router.get("/datasets/{name}/versions", tags=["datasets"], responses=documented(404))
def list_dataset_versions(session: SessionDep, settings: SettingsDep, name: DatasetName) -> Page[DatasetView]:
    """List a dataset's versions, the first first."""
    live = workers.live_workers(session, settings)
    found = versions.versions_of(session, name)
    return Page(items=[_dataset_view(dataset, live) for dataset in found], next_cursor=None)


@router.post("/datasets/{name}/verify", tags=["datasets"], status_code=202, responses=documented(404, 409))
def verify_dataset(session: SessionDep, settings: SettingsDep, name: DatasetName) -> DatasetView:
    """Have a worker read a dataset anew, after its files have changed.

    Jobs that were measured on what was there before are not mixed with it: they refuse `retry` and `extend`, except
    with `start_anew`.
    """
    return _dataset_view(datasets.verify_again(session, name), workers.live_workers(session, settings))


@router.get(
    "/datasets/{name}/preview.png",
    tags=["datasets"],
    response_class=Response,
    responses={
        200: {
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}, "example": "<PNG …>"}},
            "description": "some items of each class",
        },
        **documented(404),
    },
)
def get_dataset_preview(session: SessionDep, name: DatasetName) -> Response:
    """Return a picture of some training items of each class, as a worker made it when it verified the dataset."""
    picture, fingerprint = datasets.dataset_preview(session, name)
    headers = {"ETag": f'"{fingerprint}"', "Cache-Control": "max-age=60", "X-Content-Type-Options": "nosniff"}
    return Response(picture, media_type="image/png", headers=headers)


@router.delete("/datasets/{name}", tags=["datasets"], status_code=204, responses=documented(404, 409))
def delete_dataset(session: SessionDep, name: DatasetName) -> None:
    """Remove a dataset's registration; its files stay. Refused while jobs are on it."""
    datasets.delete_dataset(session, name)


@router.get("/workers", tags=["service"])
def list_workers(session: SessionDep, settings: SettingsDep) -> Page[WorkerView]:
    """List the workers: their devices, slots, plugins and last heartbeat."""
    window = workers.live_window(settings).total_seconds()
    items = []
    for worker, silence in workers.find_workers(session):
        fields: dict[str, Any] = {name: getattr(worker, name) for name in WorkerView.model_fields if name != "live"}
        items.append(WorkerView(**fields, live=silence <= window))
    return Page(items=items, next_cursor=None)
