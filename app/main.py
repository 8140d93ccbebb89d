"""The API: `create_app` puts routes, error handling and the background threads together."""

import asyncio
import gc
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from types import FrameType

from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import DBAPIError

from app.access.door import Door, Gate, by_the_route
from app.access.limits import buckets_of
from app.access.operations import Operations
from app.access.routes import router as access_router
from app.access.sign_in import router as sign_in_router
from app.access.specification import with_access
from app.catalog.routes import router as catalog_router
from app.catalog.uploading import router as uploading_router
from app.catalog.uploads import tidy
from app.catalog.workers import live_window
from app.db.engine import Database
from app.jobs.following import events_after, output_after
from app.jobs.output import router as output_router
from app.jobs.routes import router as jobs_router
from app.observability.logging import AccessLog, configure_logging
from app.observability.metrics import RequestMetrics, WorkCollector
from app.page.routes import router as page_router
from app.queue.celery import make_celery
from app.queue.feed import Feed
from app.queue.relay import Relay
from app.results import (
    asked,
    cells,
    compared,
    decided,
    exported,
    foreseen,
    measured,
    pictured,
    refitted,
    reported,
)
from app.results.at_once import AtOnce
from app.results.kept import Answers, KeptAnswers
from app.results.versions import Versions
from app.settings import Settings, get_settings
from app.units.sweeper import Sweeper
from app.web import health, openapi, problem, version
from app.web.addressed import refuse_unclear
from app.web.browsers import BrowserGuard, Names
from app.web.identification import Noted
from app.web.limits import BodyLimit, refuse_nul
from app.web.load import Load
from app.web.reading import Reading
from app.web.session import SESSIONS
from app.webhooks.deliverer import Deliverer
from app.webhooks.routes import router as webhooks_router
from app.webhooks.routes import sent
from sufficiency.schemas.limits import UPLOADS_AT_ONCE

DESCRIPTION = (
    "Will more labelled data help? A job trains a model on growing subsets of a dataset and measures it; "
    "the fitted learning curve then answers what it will reach at n items, and how many items a target needs."
)

# Objects that there are more of before garbage is looked for
GARBAGE = 20_000
# Beside those of requests: for event streams, relay, sweeper, metrics and health
SPARE_CONNECTIONS = 6


def create_app(settings: Settings | None = None, *, log: AccessLog | None = None) -> FastAPI:
    """Return the API.

    Parameters
    ----------
    settings : Settings, optional
        Default: those of the environment.
    log : AccessLog, optional
        Of requests; default none, as where the server has its own.
    """
    settings = settings or get_settings()
    app = FastAPI(
        title="Sufficiency",
        summary="Learning curves as a service",
        description=DESCRIPTION,
        version=version.API,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=openapi.TAGS,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=openapi.operation_id,
        dependencies=[Depends(by_the_route), Depends(refuse_nul), Depends(refuse_unclear)],
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.database = Database(
        settings.database_url, pool_size=SESSIONS + SPARE_CONNECTIONS, silence_seconds=2 * settings.lease_seconds
    )
    app.state.celery = make_celery(settings)
    app.state.uploads_at_once = asyncio.Semaphore(UPLOADS_AT_ONCE)
    app.state.relay = Relay(app.state.database, app.state.celery)
    app.state.sweeper = Sweeper(app.state.database, app.state.celery, settings)
    app.state.deliverer = Deliverer(app.state.database, settings)
    app.state.feed = Feed(app.state.database, events_after)
    app.state.output_feed = Feed(app.state.database, output_after)
    app.state.metrics = CollectorRegistry()
    app.state.versions = Versions(settings.database_url)
    answers = Answers()
    # The innermost: behind whoever may refuse a request
    app.add_middleware(KeptAnswers, answers=answers, versions=app.state.versions)
    app.state.metrics.register(
        WorkCollector(app.state.database, live_window(settings), lambda: app.state.sweeper.broker_problem is None)
    )
    asked_for = (measured, cells, asked, decided, exported, pictured, reported, compared, foreseen, refitted)
    results = (part.router for part in asked_for)
    slices = (
        catalog_router,
        uploading_router,
        jobs_router,
        output_router,
        *results,
        webhooks_router,
        access_router,
        sign_in_router,
    )
    routers = (*slices, page_router, health.router, version.router)
    operations = Operations(routers)
    app.state.methods_at = operations.methods
    app.state.door = Door(settings, app.state.database, operations)
    app.add_middleware(Reading, methods=operations.methods)
    buckets, names = buckets_of(settings), Names(settings.allowed_hosts)
    app.add_middleware(Gate, door=app.state.door, buckets=buckets)
    app.add_middleware(Load)
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    app.add_middleware(BrowserGuard, names=names, methods=operations.methods)
    app.add_middleware(
        AtOnce, answers=answers, versions=app.state.versions, names=names, door=app.state.door, buckets=buckets
    )
    app.add_middleware(Noted, metrics=RequestMetrics(app.state.metrics), log=log)
    problem.install(app)
    for router in routers:
        app.include_router(router)
    app.webhooks.include_router(sent)
    app.openapi = with_access(openapi.describe(app))  # type: ignore[method-assign]
    return app


def serving(settings: Settings | None = None) -> FastAPI:
    """Return the API for a process that does nothing else; of the environment's settings, unless some are given."""
    configure_logging()
    api = create_app(settings, log=AccessLog())
    # What has been loaded stays: looking through all of it for garbage would hold up every answer of that moment. And
    # what a request makes is gone with it: by default each new job had it looked through thirty times.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, *gc.get_threshold()[1:])
    return api


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    feeds = app.state.feed, app.state.output_feed
    threads = (app.state.relay, app.state.sweeper, app.state.deliverer, *feeds)
    for thread in threads:
        thread.start()
    app.state.versions.open()
    if (folder := app.state.settings.upload_dir) is not None:
        with suppress(DBAPIError, OSError):  # the next start tidies up
            await asyncio.to_thread(tidy, app.state.database, folder)
    loop = asyncio.get_running_loop()
    try:
        with _on_stop_signal(lambda: [loop.call_soon_threadsafe(feed.close) for feed in feeds]):
            yield
    finally:
        for feed in feeds:
            feed.close()
        for thread in reversed(threads):
            await asyncio.to_thread(thread.stop)
        await app.state.versions.close()
        app.state.database.dispose()


@contextmanager
def _on_stop_signal(stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` as soon as the server is asked to end.

    The server itself first waits for open connections, and an event stream would keep it waiting: by the time that it
    ends the lifespan, it is too late to close the streams.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def chained(before: object) -> Callable[[int, FrameType | None], None]:
        def handler(number: int, frame: FrameType | None) -> None:
            stop()
            if callable(before):
                before(number, frame)

        return handler

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    installed = {number: chained(before[number]) for number in numbers if callable(before[number])}
    for number, handler in installed.items():
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in installed.items():
            if signal.getsignal(number) is handler:
                signal.signal(number, before[number])
