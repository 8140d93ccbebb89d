"""How the processes log: a line an event, as JSON where a machine reads it."""

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from json.encoder import encode_basestring
from typing import Any, TextIO

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


class AccessLog:
    """A line for each request, as the server would write it, without the machinery of `logging` where it can.

    A record, its caller looked for on the stack, an encoder made for it, an address quoted once more: that was a third
    of what the server itself takes for a request.
    """

    def __init__(self) -> None:
        self._logger = logging.getLogger("uvicorn.access")
        self._name = encode_basestring(self._logger.name)

    def tell(self, scope: Mapping[str, Any], status: int) -> None:
        """Log a request as its answer begins."""
        host, port = scope["client"] or ("", 0)
        asked = scope.get("raw_path", b"").decode("latin-1")
        if query := scope["query_string"]:
            asked += f"?{query.decode('latin-1')}"
        told = f'{host}:{port} - "{scope["method"]} {asked} HTTP/{scope["http_version"]}" {status}'
        handler = self._handler()
        if handler is None or not self._logger.isEnabledFor(logging.INFO):
            self._logger.info("%s", told)
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = f'{{"time": "{now}", "level": "info", "logger": {self._name}, "message": {encode_basestring(told)}'
        if (id := request_id.get()) is not None:
            line += f', "request_id": {encode_basestring(id)}'
        try:
            with handler.lock:  # type: ignore[union-attr]  # each handler that is used has one
                handler.stream.write(line + "}\n")
        except (OSError, ValueError):
            self._logger.info("%s", told)  # it knows what to do about a stream that takes nothing

    def _handler(self) -> logging.StreamHandler[TextIO] | None:
        """Return the one that writes lines of JSON; None where there are others, or it does something else."""
        handlers = logging.root.handlers
        if len(handlers) != 1 or self._logger.handlers:
            return None
        return handlers[0] if type(handlers[0]) is JsonLines and handlers[0].stream is not None else None


class JsonLines(logging.StreamHandler[TextIO]):
    """Writes records as JSON to standard error, which ends with each line what it holds back."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(JsonFormatter())


def configure_logging(level: str = "INFO", *, as_json: bool | None = None) -> None:
    """Send the process's log to standard error.

    Parameters
    ----------
    level : str
        Least level that is logged.
    as_json : bool, optional
        Default: unless standard error is a terminal.
    """
    if as_json is None:
        as_json = sys.stderr is None or not sys.stderr.isatty()  # None where the process was started without one
    handler = JsonLines() if as_json else _text_lines()
    handler.addFilter(name_request)
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _text_lines() -> logging.StreamHandler[TextIO]:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    return handler
