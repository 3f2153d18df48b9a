"""Our decision: large JSON is parsed where it holds up nobody, and answered like any other."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import psutil
import pytest

import prefect_phantom.flows.inside.body
from prefect_phantom.adapters.errors import BadBody, BodyNotRead
from prefect_phantom.adapters.process.stop_signals import STOP_SIGNALS
from prefect_phantom.adapters.rest.request import body, body_reader
from prefect_phantom.adapters.rest.request.json_process import JsonProcess, ReaderFailed
from prefect_phantom.adapters.rest.runtime.messages.ends import LARGEST_BYTES
from prefect_phantom.adapters.rest.runtime.messages.message import RuntimeMessage, parse
from prefect_phantom.adapters.store.database.availability import is_outage
from prefect_phantom.flows.inside import record
from prefect_phantom.flows.inside.log import run_log
from tests.contract.test_runtime import action_end, action_start
from tests.runtime_key import KEY

LARGE = body_reader.PARSED_HERE_BYTES
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def process():
    process = JsonProcess()
    yield process
    process._end()


@pytest.fixture
def parsed_elsewhere(monkeypatch):
    """Nothing is parsed in this process while the block lasts."""

    def parse(*_):
        pytest.fail("JSON was parsed where everybody is served")

    @contextmanager
    def block():
        with monkeypatch.context() as patch:
            patch.setattr(body, "_parse", parse)
            yield

    return block


async def test_what_is_parsed_elsewhere_is_the_same(process):
    raw = json.dumps({"a": [1, 1.5, None, True, "ä", {"b": [[]]}]}).encode()
    assert await process.call(body.parse_object, raw, 32) == body.parse_object(raw, 32)


@pytest.mark.attack(
    "a run of the gateway's user that looks into the process in which large bodies are parsed",
    "permission denied",
)
async def test_what_parses_elsewhere_is_closed_to_others_of_its_user(process):
    dumpable = "__import__('ctypes').CDLL(None).prctl(3, 0, 0, 0, 0)"
    assert await process.call(eval, dumpable) == 0


@pytest.mark.parametrize(
    "raw",
    [b"{", b"[]", b'{"a":1,"a":2}', b'{"a":[[]]}', b'{"a":' + b"9" * 30 + b"}", b'{"a":1e999}'],
)
async def test_what_is_wrong_elsewhere_is_told_in_the_same_words(process, raw):
    with pytest.raises(BadBody) as here:
        body.parse_object(raw, 2)
    with pytest.raises(BadBody) as elsewhere:
        await process.call(body.parse_object, raw, 2)
    assert str(elsewhere.value) == str(here.value)


async def test_a_process_that_ended_is_replaced(process):
    assert await process.call(body.parse_object, b"{}", 2) == {}
    process._process.kill()
    process._process.wait()
    assert await process.call(body.parse_object, b"{}", 2) == {}


async def test_a_process_that_does_not_answer_is_killed_and_replaced(process):
    await process.call(body.parse_object, b"{}", 2)
    process._channel.settimeout(0.2)
    frozen = process._process
    frozen.send_signal(signal.SIGSTOP)
    with pytest.raises(BodyNotRead, match="could not be read just now"):
        await process.call(body.parse_object, b"{}", 2)
    assert frozen.poll() is not None
    assert await process.call(body.parse_object, b"{}", 2) == {}


async def test_a_process_that_ends_while_it_reads_is_replaced(process):
    with pytest.raises(BodyNotRead):
        await process.call(os._exit, 1)
    assert await process.call(body.parse_object, b"{}", 2) == {}


async def test_a_fault_there_is_raised_here_and_is_no_outage(process):
    await process.call(body.parse_object, b"{}", 2)
    first = process._process
    with pytest.raises(
        ReaderFailed, match=r"Traceback(.|\n)*ValueError: invalid literal"
    ) as raised:
        await process.call(int, "no number")
    assert not is_outage(raised.value)
    assert await process.call(body.parse_object, b"{}", 2) == {}
    assert process._process is first


async def test_what_is_printed_there_is_no_answer(process):
    await process.call(print, "anything")
    assert await process.call(body.parse_object, b"{}", 2) == {}


async def test_to_read_a_large_message_the_process_imports_no_more_than_that(process):
    process._end()
    large = [kind for kind in _kinds(RuntimeMessage) if kind.largest_bytes > LARGE]
    for kind in large:
        with pytest.raises(BadBody, match="does not fit the runtime API"):
            await process.call(parse, b'{"unknown": 1}', kind)
    modules = await process.call(eval, "list(__import__('sys').modules)")
    assert {kind.__module__ for kind in large} <= set(modules)
    assert not {"prefect", "sqlalchemy", "asyncpg", "httpx"} & set(modules)


async def test_signals_to_all_of_a_terminal_do_not_end_the_process(process):
    await process.call(body.parse_object, b"{}", 2)
    first = process._process
    for number in STOP_SIGNALS:
        first.send_signal(number)
    assert await process.call(body.parse_object, b"{}", 2) == {}
    assert process._process is first


async def test_a_process_that_had_much_to_parse_is_replaced(process, monkeypatch):
    await process.call(body.parse_object, b"{}", 2)
    first = process._process
    monkeypatch.setattr("prefect_phantom.adapters.rest.request.json_process.LARGEST_BYTES", 0)
    await process.call(body.parse_object, b"{}", 2)
    assert first.poll() is not None


async def test_the_process_sees_no_secret(process, monkeypatch):
    monkeypatch.setenv("PREFECT_PHANTOM_RUNTIME_KEY", "secret")
    process._end()
    await process.call(body.parse_object, b"{}", 2)
    assert "secret" not in psutil.Process(process._process.pid).environ().values()


@pytest.mark.attack("JSON of 1 MiB, on several connections at once", "parsed in another process")
async def test_a_large_body_is_not_parsed_where_everybody_is_served(client, parsed_elsewhere):
    data = {"ones": [1] * (MEBIBYTE // 2 - 100)}
    container = {"name": "n", "label": "events", "data": data}
    content = json.dumps(container, separators=(",", ":"))
    with parsed_elsewhere():
        made = await asyncio.gather(
            *(client.post("/rest/container", content=content) for _ in range(4))
        )
    assert [each.status_code for each in made] == [200] * 4
    path = f"/rest/container/{made[0].json()['id']}"
    assert (await client.get(path)).json()["data"] == data
    wrong = await client.post(path, content=b'{"a":' + b"[" * 2 * LARGE)
    assert wrong.status_code == 400


@pytest.mark.attack("an action whose server answered with 4 MB of JSON", "holds up nobody")
async def test_large_results_of_an_action_are_not_parsed_where_everybody_is_served(
    ask, claim, client, parsed_elsewhere
):
    run = await claim()
    started = (await ask("action_runs", run["token"], action_start())).json()
    app_run_id = started["app_runs"][0]["id"]
    data = [{"n": number} for number in range(4 * MEBIBYTE // 15)]
    end = json.dumps(action_end(app_run_id, data=data)).encode()
    path = f"action_runs/{started['action_run_id']}/end"
    assert len(end) > 4_000_000
    with parsed_elsewhere():
        assert (await ask(path, run["token"], end)).status_code == 200
    shown = (await client.get(f"/rest/app_run/{app_run_id}?include_expensive")).json()
    assert shown["result_data"][0]["data"] == data


def _kinds(kind: type[RuntimeMessage]) -> list[type[RuntimeMessage]]:
    return [kind, *(each for below in kind.__subclasses__() for each in _kinds(below))]


def test_only_what_a_run_gives_back_and_a_worker_finds_may_be_large():
    large = {kind.__name__ for kind in _kinds(RuntimeMessage) if kind.largest_bytes > 4 * 2**20}
    assert large == {"ActionEnd", "LogLines", "RunEnd", "PlaybookReport"}
    assert RuntimeMessage.largest_bytes == 64 * 1024


def test_what_a_run_sends_at_most_is_not_too_large():
    # Control characters take the most bytes of all.
    messages = ["\1" * (run_log.MOST_CHARACTERS // run_log.MOST_LINES)] * run_log.MOST_LINES
    messages += ["\1" * run_log.LONGEST_LINE] * 2
    time, message = datetime.now(UTC).isoformat(), "\1" * record.LONGEST_MESSAGE
    lines = [
        {"place": place, "time": time, "message_type": 1, "message": message}
        for place, message in enumerate(messages)
    ]
    end = httpx.Request(
        "POST", "http://x", json={"status": "failed", "message": message, "log": lines}
    )
    kept = LARGEST_BYTES - prefect_phantom.flows.inside.body.LARGEST_OUTPUTS_BYTES
    assert int(end.headers["content-length"]) < kept
    assert record.LARGEST_BYTES < LARGEST_BYTES < record.LARGEST_BYTES + 2**20 + 1


@pytest.mark.parametrize(
    ("path", "size"), [("workers/w1/exited", 2**17), ("refused", 2**21), ("slots", 2**21)]
)
async def test_a_message_over_its_bytes_is_refused(ask, claim, path, size):
    token = (await claim())["token"] if path == "slots" else KEY
    answer = await ask(path, token, b'{"a":"' + b"x" * size + b'"}')
    assert answer.status_code == 413
