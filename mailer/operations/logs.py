"""Log records for people on a terminal and as JSON elsewhere, with a last defence against addresses and tokens."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from mailer.mail.addresses import redact

#: of our links: `links` and `mailed_links` write them alike
_TOKEN = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])", re.IGNORECASE | re.ASCII)
_OWN_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


def configure(*, json: bool) -> None:
    """Send this process's log to standard error. Only edges call it, once.

    :param json: one JSON object a line instead of text; what is not a terminal should get that.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if json else _Text())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("alembic", "rq", "flask-limiter"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    for server in ("gunicorn.error", "gunicorn.access"):
        # It has given them handlers of its own, which would write around the redaction.
        logging.getLogger(server).handlers.clear()
        logging.getLogger(server).propagate = True
    logging.getLogger("gunicorn.error").addFilter(_without_visitor)


def _without_visitor(record: logging.LogRecord) -> bool:
    """Take out what gunicorn quotes of a request: the visitor's address, and the page's, with a token in it."""
    for beginning, words in _QUOTING.items():
        if str(record.msg).startswith(beginning):
            record.msg, record.args = words, ()
    return True


_QUOTING = {"Invalid request from": "an invalid request was refused", "Error handling request": "a request failed"}


class _Text(logging.Formatter):
    """`12:30:05 mailer.delivery claimed campaign=7 rows=20`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s %(message)s", datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name it has in logging
        fields = "".join(f" {name}={value}" for name, value in record.__dict__.items() if name not in _OWN_FIELDS)
        return super().formatMessage(record) + fields

    def format(self, record: logging.LogRecord) -> str:
        return _clean(super().format(record))


class _Json(JsonFormatter):
    """One object a line: time, level, logger, message, and the record's own fields."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
            json_ensure_ascii=False,
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        # Before it becomes JSON: a replacement in the finished line could cut an escape sequence in two.
        return {name: _redacted(value) for name, value in super().process_log_record(log_data).items()}


def _redacted(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {_clean(str(key)): _redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(item) for item in value]
    return _clean(str(value))


def _clean(text: str) -> str:
    return _TOKEN.sub("[token]", redact(text))
