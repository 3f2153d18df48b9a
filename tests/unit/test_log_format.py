"""Lines of the logs as JSON: what they say, and what they leave out."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from prefect.logging.handlers import PrefectConsoleHandler

from prefect_phantom.flows.inside.log.log_format import (
    ABOUT,
    LONGEST,
    PART,
    SETTING,
    JsonFormatter,
    TextFormatter,
    about_process,
    format_all,
)
from prefect_phantom.flows.process.guardian.guardian import say


@pytest.fixture(autouse=True)
def _json(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(SETTING, "json")
    monkeypatch.setenv(PART, "gateway")
    yield
    about_process()


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What a logger writes whose handler is Prefect's, after ours has taken its place."""
    stream = io.StringIO()
    logger = logging.getLogger("test_log_format")
    logger.addHandler(PrefectConsoleHandler(stream))
    logger.propagate = False
    before = {each: [*each.handlers] for each in (logging.root, *_loggers())}
    format_all()
    yield stream
    for each, handlers in before.items():
        each.handlers = handlers
    logger.handlers = []


def _loggers() -> list[logging.Logger]:
    return [each for each in logging.root.manager.loggerDict.values() if hasattr(each, "handlers")]


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_what_it_is_about_and_nothing_else_of_the_record(stream: io.StringIO) -> None:
    about_process(playbook_run_id=7, request_id=None)
    ABOUT.set({"request_id": "r-1"})
    logging.getLogger("test_log_format").warning(
        "It :bug: said [bold]%s[/bold]", "two\nlines", extra={"status": 200, "token": "secret"}
    )
    (line,) = _lines(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "logger": "test_log_format",
        "message": "It :bug: said [bold]two\nlines[/bold]",
        "part": "gateway",
        "process_id": line["process_id"],
        "playbook_run_id": 7,
        "request_id": "r-1",
        "status": 200,
    }


def test_what_a_process_was_about_is_forgotten_when_it_is_about_something_else() -> None:
    about_process(playbook_run_id=7, request_id="r-1")
    about_process(flow_run_id="f-2")
    record = logging.makeLogRecord({"msg": "begins"})
    line = json.loads(JsonFormatter().format(record))
    assert line["flow_run_id"] == "f-2"
    assert "playbook_run_id" not in line


def test_an_exception_is_in_its_line(stream: io.StringIO) -> None:
    try:
        sys.exit("over")
    except SystemExit:
        logging.getLogger("test_log_format").exception("It failed")
    (line,) = _lines(stream)
    assert line["exception"].endswith("SystemExit: over")


def test_the_guardian_writes_such_lines_too(capfd: pytest.CaptureFixture[str]) -> None:
    say("The lease was not renewed: it is late")
    line = json.loads(capfd.readouterr().err)
    assert (line["logger"], line["level"]) == ("guardian", "WARNING")
    assert line["message"] == "The lease was not renewed: it is late"


@pytest.mark.parametrize("form", [JsonFormatter(), TextFormatter()])
def test_a_line_is_cut_in_its_middle(form: logging.Formatter) -> None:
    text = "begin " + "x" * 1_000_000 + " end"
    error = ValueError(text)
    record = logging.makeLogRecord({"msg": text, "exc_info": (ValueError, error, None)})
    line = form.format(record)
    assert len(line) < 3 * LONGEST
    assert "begin xxx" in line
    assert "xxx end" in line
