"""The runtime API over HTTP: who is let in, and what a refusal looks like."""

from __future__ import annotations

import json
from uuid import uuid4

import httpx
import pytest

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.rest.runtime.runtime import create_runtime_application
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.playbooks import workers
from prefect_phantom.adapters.store.runs import playbook_runs
from tests.runtime_key import KEY

ANY_RUN = {"status": "success", "message": ""}
STANDING = {
    "work_pool": "phantom", "type": "phantom", "hostname": "h", "version": "0.1.0", "slots": 4,
    "taken": 1, "start_time": "2026-11-24T10:00:00Z",
}  # fmt: skip


def action_start(**fields) -> dict:
    return {
        "start_key": str(uuid4()), "action": "whois ip", "app": "WHOIS", "type": "investigate",
        "name": "whois ip", "parameters": [{"ip": "192.0.2.1"}], "assets": None,
        "needs_asset": False,
    } | fields  # fmt: skip


def action_end(app_run_id: int, **fields) -> dict:
    result = {"parameter": {}, "status": "success", "message": "found", "data": [], "summary": {}}
    return {
        "status": "success", "message": "1 actions succeeded",
        "app_runs": [
            {"id": app_run_id, "status": "success", "message": "", "exception_occured": False,
             "results": [result | fields]},
        ],
    }  # fmt: skip


PATHS_WITH_KEY = ["claim", "refused", *(f"workers/w1/{event}" for event in (
    "started", "stopping", "stopped", "exited", "held", "lease", "gone"))]  # fmt: skip
PATHS_WITH_TOKEN = {"action_runs": action_start(), "action_runs/1/end": action_end(1),
                    "end": ANY_RUN}  # fmt: skip


@pytest.mark.parametrize("path", [*PATHS_WITH_KEY, *PATHS_WITH_TOKEN])
async def test_nobody_is_let_in_without_a_key_or_token(ask, path):
    answer = await ask(path, None, PATHS_WITH_TOKEN.get(path, {}))
    assert answer.status_code == 401
    assert answer.json()["failed"] is True


@pytest.mark.parametrize("path", PATHS_WITH_KEY)
@pytest.mark.parametrize("key", ["wrong", KEY[:-1], KEY + "x", "\u00e9".encode()])
async def test_a_wrong_key_is_refused(runtime, path, key):
    value = key if isinstance(key, bytes) else key.encode()
    headers = {"authorization": b"Bearer " + value}
    answer = await runtime.post(f"/runtime/{path}", json={}, headers=headers)
    assert answer.status_code == 401


async def test_no_key_opens_a_gateway_that_has_none(database, dispatch, reconcile):
    application = create_runtime_application(
        database=database,
        settings=Settings(),
        dispatch=dispatch,
        reconcile=reconcile,
        hints=Hints(lambda _: None),
    )
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://runtime") as client:
        for header in ("Bearer ", "Bearer", "Bearer x", ""):
            answer = await client.post("/runtime/claim", headers={"authorization": header})
            assert answer.status_code == 401


@pytest.mark.parametrize("path", PATHS_WITH_TOKEN)
async def test_the_key_is_no_token_of_an_attempt(ask, path):
    assert (await ask(path, KEY, PATHS_WITH_TOKEN[path])).status_code == 409


async def test_the_token_of_an_attempt_is_no_key(ask, claim, hand_over):
    token = (await claim())["token"]
    assert (await ask("claim", token, await hand_over())).status_code == 401


async def test_a_claim_is_answered_with_the_run_and_wakes_the_dispatcher(ask, hand_over, dispatch):
    await dispatch.wait(0)
    message = await hand_over()
    answer = (await ask("claim", KEY, message)).json()
    assert answer["playbook_run_id"] == message["playbook_run_id"]
    assert (answer["playbook"], answer["attempt"]) == ("local/my_playbook", 1)
    assert answer["container"]["name"] == "incident"
    assert await dispatch.wait(0)


async def test_an_action_is_started_and_ended_and_the_run_too(ask, claim, read):
    run = await claim()
    started = (await ask("action_runs", run["token"], action_start())).json()
    (app_run,) = started["app_runs"]
    assert app_run["asset"] is None
    path = f"action_runs/{started['action_run_id']}/end"
    assert (await ask(path, run["token"], action_end(app_run["id"]))).status_code == 200
    assert (await ask("end", run["token"], ANY_RUN)).status_code == 200
    seen = await read(run["playbook_run_id"])
    assert seen["status"] == "success"
    (result,) = json.loads(seen["message"])["result"]
    assert (result["status"], result["app_runs"][0]["app_message"]) == ("success", "found")


async def test_the_token_of_one_run_is_worth_nothing_for_another(ask, claim, database, read):
    mine, other = await claim(), await claim()
    started = (await ask("action_runs", other["token"], action_start())).json()
    end = action_end(started["app_runs"][0]["id"])
    await ask(f"action_runs/{started['action_run_id']}/end", mine["token"], end)
    assert (await playbook_runs.read(database, other["playbook_run_id"])).actions() == []
    await ask("end", mine["token"], ANY_RUN)
    assert (await read(other["playbook_run_id"]))["status"] == "running"


async def test_a_second_process_is_told_that_the_run_is_held_elsewhere(ask, hand_over):
    message = await hand_over()
    assert (await ask("claim", KEY, message)).status_code == 200
    answer = await ask("claim", KEY, message | {"claim_id": str(uuid4())})
    assert answer.status_code == 409
    assert answer.json() == {
        "failed": True,
        "message": f"Playbook run {message['playbook_run_id']} is held by another process",
        "held_elsewhere": True,
    }


async def test_a_cancelled_run_refuses_the_start_of_an_action(ask, claim, client):
    run = await claim()
    await client.post(f"/rest/playbook_run/{run['playbook_run_id']}", json={"cancel": True})
    answer = await ask("action_runs", run["token"], action_start())
    assert answer.status_code == 409
    assert answer.json() == {
        "failed": True,
        "message": f"Playbook run {run['playbook_run_id']} was cancelled",
        "held_elsewhere": False,
    }


async def test_an_action_may_be_tried_again_until_its_run_is_cancelled(ask, claim, client):
    run = await claim()
    assert (await ask("leave", run["token"], {})).status_code == 200
    await client.post(f"/rest/playbook_run/{run['playbook_run_id']}", json={"cancel": True})
    answer = await ask("leave", run["token"], {})
    assert answer.status_code == 409
    assert answer.json()["message"] == f"Playbook run {run['playbook_run_id']} was cancelled"


async def test_a_process_that_is_too_early_is_told_to_come_again(ask, hand_over, change):
    message = await hand_over()
    await change(message["playbook_run_id"], flow_run_id=None)
    answer = await ask("claim", KEY, message)
    assert answer.status_code == 503
    assert "prefect-phantom-outage" not in answer.headers
    assert "still being handed over" in answer.json()["message"]


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (b"", "is not JSON"), (b"{", "is not JSON"), (b"\xff", "is not UTF-8"),
        (b"[]", "must be a JSON object"), (b"[" * 10000, "is nested deeper"),
        (ANY_RUN | {"status": "running"}, "status"), ({"status": "success"}, "message"),
        (ANY_RUN | {"further": 1}, "further"), (ANY_RUN | {"message": 1}, "message"),
        (b'{"status": "failed", "message": "\\ud800"}', "U+D800"),
    ],
    ids=str,
)  # fmt: skip
async def test_a_message_that_does_not_fit_is_refused_with_a_sentence(ask, claim, message, place):
    answer = await ask("end", (await claim())["token"], message)
    assert answer.status_code == 400
    sentence = answer.json()["message"]
    assert sentence.startswith("The request body ")
    assert place in sentence


async def test_a_zero_character_that_a_run_did_not_replace_is_refused(ask, claim):
    """`flows.plain` replaces it on the side of the run."""
    answer = await ask("end", (await claim())["token"], {"status": "failed", "message": "a\0b"})
    assert answer.status_code == 400
    assert "U+0000" in answer.json()["message"]


async def test_a_text_that_only_looks_like_an_escape_is_kept(ask, claim, read):
    run = await claim()
    await ask("end", run["token"], {"status": "failed", "message": r"bad escape \u0000"})
    message = json.loads((await read(run["playbook_run_id"]))["message"])
    assert message["message"] == r"bad escape \u0000"


@pytest.mark.parametrize("number", [b"NaN", b"Infinity"])
async def test_a_number_that_json_does_not_know_is_refused_with_a_sentence(ask, claim, number):
    run = await claim()
    started = (await ask("action_runs", run["token"], action_start())).json()
    end = json.dumps(action_end(started["app_runs"][0]["id"], data=[{"x": "?"}])).encode()
    path = f"action_runs/{started['action_run_id']}/end"
    answer = await ask(path, run["token"], end.replace(b'"?"', number))
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"playbook_run_id": 2**70},
        {"playbook_run_id": 2**62},
        {"playbook_run_id": 0},
        {"playbook_run_id": -1},
        {"process_id": 2**70},
        {"process_id": 2**40},
    ],
    ids=str,
)
async def test_an_id_that_cannot_be_is_refused_with_a_sentence(ask, hand_over, fields):
    answer = await ask("claim", KEY, await hand_over() | fields)
    assert answer.status_code in {400, 409}


@pytest.mark.parametrize(
    ("assets", "sentence"),
    [
        (None, "No asset of app WHOIS is configured, so whois ip cannot run"),
        (["whois_2"], 'Asset "whois_2" of app WHOIS not found'),
    ],
)
async def test_an_action_without_its_asset_is_refused_and_not_recorded(
    ask, claim, database, assets, sentence
):
    run = await claim()
    start = action_start(needs_asset=True, assets=assets)
    answer = await ask("action_runs", run["token"], start)
    assert answer.status_code == 400
    assert answer.json()["message"] == sentence
    await ask("end", run["token"], ANY_RUN)
    assert (await playbook_runs.read(database, run["playbook_run_id"])).actions() == []


async def test_what_a_stopped_worker_held_ends_and_wakes_the_reconciler(
    ask, hand_over, read, reconcile, holder
):
    message = await hand_over() | {"worker": "w one", "machine": "boot pid"}
    await ask("claim", KEY, message)
    own = await holder("w one", "boot pid")
    await ask("workers/w%20one/stopping", KEY, own)
    await reconcile.wait(0)
    answer = await ask("workers/w%20one/stopped", KEY, own)
    assert answer.json() == {"ended": [message["playbook_run_id"]]}
    assert await reconcile.wait(0)
    run = await read(message["playbook_run_id"])
    assert (run["status"], json.loads(run["message"])["message"]) == (
        "failed",
        "Stopped with the system",
    )


@pytest.mark.parametrize("events", [["started"], ["stopping", "stopped"]], ids=str)
async def test_what_a_worker_of_the_name_holds_on_another_machine_is_left_to_its_lease(
    ask, hand_over, read, holder, events
):
    machines = ["boot one", "boot two", None]
    there, here, unknown = [
        await hand_over() | {"worker": "moved", "machine": machine} for machine in machines
    ]
    for message in (there, here, unknown):
        assert (await ask("claim", KEY, message)).status_code == 200
    own = await holder("moved", "boot two")
    answers = [await ask(f"workers/moved/{event}", KEY, own) for event in events]
    assert answers[-1].json() == {"ended": [here["playbook_run_id"]]}
    for message in (there, unknown):
        run = await read(message["playbook_run_id"])
        assert (run["status"], json.loads(run["message"])["message"]) == ("running", "")


@pytest.mark.parametrize("event", ["started", "stopping", "stopped"])
@pytest.mark.attack(
    "a worker that has lost its name, or that never asked for one, says that its runs are gone",
    "refused; the runs of the worker that has the name go on",
)
async def test_who_does_not_hold_a_name_ends_no_run_of_who_does(
    ask, hand_over, read, holder, event
):
    message = await hand_over() | {"worker": "mine", "machine": "boot pid"}
    await ask("claim", KEY, message)
    earlier = await holder("mine", "boot pid")
    await holder("mine", "boot pid")
    assert (await ask(f"workers/mine/{event}", KEY, earlier)).status_code == 409
    assert (await ask(f"workers/mine/{event}", KEY, {})).status_code == 400
    run = await read(message["playbook_run_id"])
    assert (run["status"], json.loads(run["message"])["message"]) == ("running", "")


async def test_only_a_cancelled_run_may_not_go_on(ask, hand_over, client):
    messages = [await hand_over() for _ in range(2)]
    for message in messages:
        await ask("claim", KEY, message)
    _, cancelled = messages
    await client.post(f"/rest/playbook_run/{cancelled['playbook_run_id']}", json={"cancel": True})
    ids = {"flow_run_ids": [message["flow_run_id"] for message in messages]}
    for path, further in (("refused", {}), ("workers/w1/held", STANDING)):
        answer = await ask(path, KEY, ids | further)
        assert answer.json() == {"stop": [cancelled["flow_run_id"]]}


async def test_what_a_worker_says_of_itself_is_kept_until_it_says_otherwise(ask, database):
    for taken in (0, 3):
        await ask("workers/w%20one/held", KEY, STANDING | {"flow_run_ids": [], "taken": taken})
    async with database.read() as connection:
        known = {worker.name: worker for worker in await workers.read_all(connection)}
    worker = known["w one"]
    assert (worker.slots, worker.taken, worker.online) == (4, 3, True)
    assert (worker.work_pool, worker.hostname, worker.version) == ("phantom", "h", "0.1.0")


@pytest.mark.parametrize("wrong", [{"slots": -1}, {"start_time": "2026-01-01T00:00:00"}, {"x": 1}])
async def test_a_worker_that_says_what_makes_no_sense_is_refused(ask, wrong):
    answer = await ask("workers/w1/held", KEY, STANDING | {"flow_run_ids": []} | wrong)
    assert answer.status_code == 400
    assert next(iter(wrong)) in answer.json()["message"]


def _line(place: int, message: str = "m") -> dict:
    time = f"2026-11-24T10:00:{place % 60:02}Z"
    return {"place": place, "time": time, "message_type": 1, "message": message}


async def _log(client, run) -> list[str]:
    answer = await client.get(f"/rest/playbook_run/{run['playbook_run_id']}/log?page_size=0")
    return [line["message"] for line in answer.json()["data"]]


async def test_lines_of_a_log_that_are_sent_again_are_kept_once(ask, claim, client):
    run = await claim()
    first, second = _line(1, "one"), _line(2, "two")
    for lines in ([first], [first, second], [second]):
        assert (await ask("log", run["token"], {"lines": lines})).status_code == 200
    end = ANY_RUN | {"log": [second, _line(3, "three")]}
    for _ in range(2):
        assert (await ask("end", run["token"], end)).status_code == 200
    assert await _log(client, run) == ["one", "two", "three"]


async def test_only_the_process_that_holds_a_run_writes_its_log(ask, claim, client):
    run, other = await claim(), await claim()
    await client.post(f"/rest/playbook_run/{run['playbook_run_id']}", json={"cancel": True})
    assert (await ask("log", run["token"], {"lines": [_line(1)]})).status_code == 409
    assert (await ask("log", KEY, {"lines": [_line(1)]})).status_code == 409
    assert (await ask("log", None, {"lines": [_line(1)]})).status_code == 401
    await ask("end", other["token"], ANY_RUN)
    assert (await ask("log", other["token"], {"lines": [_line(1)]})).status_code == 409
    assert await _log(client, run) == await _log(client, other) == []


async def test_a_log_does_not_grow_for_ever(ask, claim, client, monkeypatch):
    monkeypatch.setattr("prefect_phantom.adapters.store.runs.run_log.MOST_LINES", 4)
    run = await claim()
    for first in (1, 4, 7):
        lines = [_line(first + n) for n in range(3)]
        assert (await ask("log", run["token"], {"lines": lines})).status_code == 200
    assert len(await _log(client, run)) == 6


@pytest.mark.parametrize(
    "wrong",
    [{"message_type": 2}, {"message": "x" * 10_001}, {"place": -1}, {"time": "10:00"}, {"x": 1}],
)
async def test_a_line_that_makes_no_sense_is_refused(ask, claim, wrong):
    run = await claim()
    answer = await ask("log", run["token"], {"lines": [_line(1) | wrong]})
    assert answer.status_code == 400
    assert next(iter(wrong)) in answer.json()["message"]
