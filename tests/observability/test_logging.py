"""The log as machines read it."""

import json
import logging

from app.observability.logging import JsonFormatter


def test_a_record_is_a_line_of_json_with_what_was_passed_along() -> None:
    logger = logging.getLogger("tests.log")
    try:
        raise ValueError("no")
    except ValueError as error:
        record = logger.makeRecord(
            logger.name, logging.WARNING, __file__, 1, "unit %s", ("u1",), (ValueError, error, None), extra={"job": "j"}
        )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["message"], entry["job"]) == ("warning", "unit u1", "j")
    assert "ValueError: no" in entry["exception"]
    assert entry["time"].endswith("+00:00")
