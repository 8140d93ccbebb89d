"""A worker process, until SIGTERM."""

import logging

from app.db.engine import Database
from app.interpreter import NoTrainer, check_trainer_python
from app.observability.logging import configure_logging
from app.settings import get_settings
from worker.celery_app import make_worker, serve, start_anew
from worker.confinement import check_account
from worker.deaths import TrainerLost
from worker.slots import NoSuchDevice
from worker.supervisor import Supervisor

logger = logging.getLogger("worker")


def run() -> int:
    """Run a worker; return its exit status."""
    configure_logging()
    logging.getLogger("celery").setLevel(logging.WARNING)
    settings = get_settings()
    try:
        check_trainer_python(settings)
        check_account(settings)
    except NoTrainer as error:
        logger.error("%s", error)
        return 1
    database = Database(settings.database_url, silence_seconds=settings.lease_seconds)
    supervisor = Supervisor(settings, database)
    starts_anew = False
    try:
        supervisor.start()
        starts_anew = serve(make_worker(settings, supervisor), supervisor)
    except NoSuchDevice as error:
        logger.error("%s", error)
        return 1
    except TrainerLost as lost:
        logger.error("%s", lost.error({"phase": "start"})["detail"])
        return 1
    finally:
        supervisor.close()
        database.dispose()
    if starts_anew:
        start_anew()
    return 0
