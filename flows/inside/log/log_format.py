"""How our processes write their log lines: as text, or as one JSON object a line."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

from prefect_phantom.flows.inside.display.visible_text import visible
from prefect_phantom.flows.inside.json_values import as_text

SETTING = "PREFECT_PHANTOM_LOG_FORMAT"
PART = "PREFECT_PHANTOM_PART"
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
OURS = "prefect_phantom"
"""The logger above all of ours."""
FIELDS = (
    "request_id",
    "playbook_run_id",
    "flow_run_id",
    "task_run_id",
    *("method", "path", "status", "milliseconds", "user"),
)
"""What a line may say besides, given as `extra`; nothing else of a record gets into a line."""

LONGEST = 20_000
"""Characters of a line, or of an exception."""
ABOUT: ContextVar[Mapping[str, object]] = ContextVar("ABOUT", default=MappingProxyType({}))
"""What the lines of this task are about, such as its request's id."""
_process: dict[str, object] = {}


def about_process(**fields: object) -> None:
    """Say what all lines of this process are about from now on, instead of what was said before."""
    _process.clear()
    _process.update({name: value for name, value in fields.items() if value is not None})


def cut(text: str) -> str:
    """`text` without the middle of what is far too long: somebody may have sent it."""
    half = LONGEST // 2
    left_out = len(text) - LONGEST
    return text if left_out <= 0 else f"{text[:half]} [... {left_out} ...] {text[-half:]}"


def message_of(record: logging.LogRecord) -> str:
    """What the line says; without its values where they do not fit it."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a wrong call of a logger ends nothing
        return as_text(record.msg)


class TextFormatter(logging.Formatter):
    """A record as one line, and its traceback; nothing that was sent can forge or hide a line."""

    def __init__(self) -> None:
        super().__init__(TEXT)
        self._second = 0, ""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return cut(visible(super().format(record)))

    def formatTime(  # noqa: N802 - logging's own name
        self, record: logging.LogRecord, datefmt: str | None = None
    ) -> str:
        """Return the time of the line. Each second is written out once only."""
        second, text = self._second
        if second != int(record.created):
            second, text = int(record.created), super().formatTime(record, datefmt)[:-4]
            self._second = second, text
        return f"{text},{int(record.msecs):03d}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return the line without its traceback."""
        return super().formatMessage(record).replace("\n", "\\n")


class JsonFormatter(logging.Formatter):
    """A record as one JSON object, in ASCII, so that nothing that was sent can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        given = {name: record.__dict__[name] for name in FIELDS if record.__dict__.get(name)}
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": cut(message_of(record)),
            "part": os.environ.get(PART),
            "process_id": os.getpid(),
            **_process,
            **ABOUT.get(),
            **given,
        }
        if record.exc_info:
            line["exception"] = cut(self.formatException(record.exc_info))
        return json.dumps(line, default=str)


def formatter() -> logging.Formatter:
    """The formatter that the setting asks for."""
    return JsonFormatter() if _is_json() else TextFormatter()


def log_ours() -> None:
    """Write our own lines plainly in a process whose logging Prefect has set up."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter())
    ours = logging.getLogger(OURS)
    ours.handlers = [handler]
    ours.setLevel(logging.INFO)
    ours.propagate = False


def format_all() -> None:
    """Have every line that Prefect writes to the standard streams be JSON, if the setting says so.

    Its own handler would show words between colons as pictures.
    """
    if not _is_json():
        return
    for logger in (logging.root, *map(logging.getLogger, logging.root.manager.loggerDict)):
        for handler in list(logger.handlers):
            if isinstance(handler, logging.StreamHandler):
                plain = logging.StreamHandler(handler.stream)
                plain.setLevel(handler.level)
                plain.setFormatter(JsonFormatter())
                logger.removeHandler(handler)
                logger.addHandler(plain)


def _is_json() -> bool:
    return os.environ.get(SETTING) == "json"
