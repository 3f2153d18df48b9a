"""What is kept of a run's log, and when it is sent."""

from __future__ import annotations

import logging
import sys
import threading

import pytest

from prefect_phantom.flows.inside.execution import sentence
from prefect_phantom.flows.inside.json_values import plain
from prefect_phantom.flows.inside.log import run_log as flows_log
from prefect_phantom.flows.inside.log.run_log import Line, RunLog
from prefect_phantom.flows.inside.secrets.redaction import Redaction

LOGGERS = ("tests.flow_runs", "tests.task_runs")
FLOW, TASK = (logging.getLogger(name) for name in LOGGERS)


@pytest.fixture(autouse=True)
def loggers_of_our_own(monkeypatch):
    """Prefect's own warn of what is logged outside a run."""
    monkeypatch.setattr(flows_log, "LOGGERS", LOGGERS)


class Gateway:
    """Takes lines, or does not."""

    def __init__(self) -> None:
        self.batches: list[list[Line]] = []
        self.answers = True
        self.asked = threading.Event()

    def take(self, lines: list[Line]) -> bool:
        self.batches.append(list(lines))
        self.asked.set()
        return self.answers


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def log(gateway, monkeypatch):
    # A short run is over long before lines are sent for themselves.
    monkeypatch.setattr(flows_log, "SECONDS", 600)
    log = RunLog(gateway.take)
    with log.listen():
        yield log
    log.rest()


@pytest.fixture
def prompt_log(gateway, monkeypatch):
    monkeypatch.setattr(flows_log, "SECONDS", 0.01)
    log = RunLog(gateway.take)
    with log.listen():
        yield log
    log.rest()


def _messages(lines: list[Line]) -> list[tuple[int, str]]:
    return [(line["message_type"], line["message"]) for line in lines]


def test_a_short_run_keeps_its_lines_for_its_end(log, gateway):
    FLOW.warning("said %s", "this")
    FLOW.error("wrong")
    TASK.error("an action's own trouble")
    rest = log.rest()
    assert _messages(rest) == [(1, "said this"), (0, "wrong"), (1, "an action's own trouble")]
    assert [line["place"] for line in rest] == [1, 2, 3]
    assert gateway.batches == []


def test_what_the_engine_says_of_states_is_left_out(log):
    record = logging.LogRecord(
        LOGGERS[1], logging.ERROR, "/x/task_engine.py", 1, "Failed", (), None
    )
    TASK.handle(record)
    assert log.rest() == []


def test_nothing_is_kept_after_the_block_or_the_end(log):
    log.rest()
    FLOW.warning("late")
    assert log.rest() == []
    other = RunLog(lambda _: True)
    with other.listen():
        pass
    FLOW.warning("outside")
    assert other.rest() == []


def test_a_long_run_sends_its_lines_and_keeps_what_was_not_taken(prompt_log, gateway):
    gateway.answers = False
    FLOW.warning("one")
    assert gateway.asked.wait(30)
    gateway.asked.clear()
    assert gateway.asked.wait(30)  # it asks again
    assert _messages(gateway.batches[-1]) == [(1, "one")]
    assert _messages(prompt_log.rest()) == [(1, "one")]


def test_what_was_taken_is_not_sent_again(prompt_log, gateway):
    FLOW.warning("one")
    assert gateway.asked.wait(30)
    prompt_log._timer.join(30) if prompt_log._timer else None
    FLOW.warning("two")
    sent = [line["place"] for batch in gateway.batches for line in batch]
    rest = [line["place"] for line in prompt_log.rest()]
    assert set(sent) | set(rest) == {1, 2}
    assert sent.count(1) == 1


def test_the_exception_that_ends_a_run_is_its_last_line_and_an_error(log):
    FLOW.warning("before")
    log.add_exception(ValueError("why it failed " + "x" * 20_000))
    [_, (message_type, message)] = _messages(log.rest())
    assert message_type == 0
    assert len(message) == flows_log.LONGEST_LINE
    assert message.startswith("...")


@pytest.mark.parametrize(("length", "kept"), [(1, 5), (10, 3)])
def test_a_log_without_end_is_cut_and_says_so(log, monkeypatch, length, kept):
    monkeypatch.setattr(flows_log, "MOST_LINES", 4)
    monkeypatch.setattr(flows_log, "MOST_CHARACTERS", 25)
    for _ in range(100):
        FLOW.warning("x" * length)
    log.add_exception(ValueError("why"))
    lines = log.rest()
    assert len(lines) == kept + 1
    assert lines[-2]["message"] == flows_log.TOO_MUCH
    assert "ValueError: why" in lines[-1]["message"]
    assert [line["place"] for line in lines] == list(range(1, kept + 2))


def test_a_line_tells_no_secret_to_prefect_or_the_gateway(gateway, caplog, monkeypatch):
    monkeypatch.setattr(flows_log, "SECONDS", 600)
    log = RunLog(gateway.take, lambda: Redaction(["kept-secret"]))
    logger = logging.getLogger(LOGGERS[1])
    with caplog.at_level(logging.INFO), log.listen():
        logger.info("the key is %s", "kept-secr\\u0065t")
        try:
            int("kept-secret")
        except ValueError:
            logger.exception("it failed")
    log.add_exception(ValueError("kept-secret"))
    said = [line["message"] for line in log.rest()]
    assert said[0] == "the key is ********"
    assert said[1].startswith("it failed\nTraceback")
    assert said[1].endswith("base 10: '********'\n")
    assert said[2] == "ValueError: ********\n"
    assert "kept" not in caplog.text


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_a_wrong_call_of_a_logger_says_what_it_can_and_ends_nothing(log, capsys):
    handler = logging.StreamHandler(sys.stdout)
    FLOW.addHandler(handler)
    FLOW.warning("%d of them", "many")
    FLOW.warning(Unspeakable())
    FLOW.warning("%s", Unspeakable())
    FLOW.removeHandler(handler)
    said = ["%d of them", "<Unspeakable>", "%s"]
    assert _messages(log.rest()) == [(1, each) for each in said]
    assert capsys.readouterr() == ("\n".join([*said, ""]), "")


def test_what_cannot_be_written_down_does_not_hide_how_a_run_ended():
    assert sentence(ValueError(Unspeakable())) == "ValueError: <ValueError>"
    assert plain({"a": Unspeakable()}) == {"a": "<Unspeakable>"}
