"""How the processes log: a line an event, as JSON where a machine reads it."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


# Of the request that is being served, in whichever thread.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def name_request(record: logging.LogRecord) -> bool:
    """Put the request on a record that is logged while one is served."""
    if (id := request_id.get()) is not None:
        record.request_id = id
    return True


class TextFormatter(logging.Formatter):
    """A line for people, with the request at its end."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        text = super().format(record)
        id = getattr(record, "request_id", None)
        return text if id is None else f"{text} [request {id}]"


class JsonFormatter(logging.Formatter):
    """One JSON object a record, with whatever the caller passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{key: value for key, value in vars(record).items() if key not in _STANDARD},
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def configure_logging(level: str = "INFO", *, as_json: bool | None = None) -> None:
    """Send the process's log to standard error.

    Parameters
    ----------
    level : str
        Least level that is logged.
    as_json : bool, optional
        Default: unless standard error is a terminal.
    """
    handler = logging.StreamHandler(sys.stderr)
    if as_json is None:
        as_json = not sys.stderr.isatty()
    handler.setFormatter(
        JsonFormatter() if as_json else TextFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    handler.addFilter(name_request)
    logging.basicConfig(level=level, handlers=[handler], force=True)
