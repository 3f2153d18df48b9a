"""The client, against answers in the contract's form."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from prefect_phantom.client import (
    AsyncPhantom,
    Container,
    Phantom,
    PhantomConnectionError,
    PhantomRequestError,
    PlaybookRun,
)

URL = "https://soar.example:8443"
APP_RUN = {
    "action": "whois ip",
    "action_run_id": 46,
    "app_message": "Registry: arin",
    "app_name": "WHOIS",
    "app_run_id": 55,
    "asset_name": "whois",
    "parameter": '{"ip": "192.0.2.1"}',
    "per_parameter_status": "success",
}
MESSAGE = {
    "message": "",
    "playbook_run_id": 46,
    "result": [
        {
            "action": "whois ip",
            "app_runs": [APP_RUN],
            "close_time": "2016-01-15T22:15:58.05319+00:00",
            "create_time": "2016-01-15T22:15:55.252+00:00",
            "id": 46,
            "message": "1 actions succeeded",
            "status": "success",
            "type": "investigate",
        }
    ],
    "status": "success",
}
RUN = {
    "action_exec": [],
    "cancelled": "",
    "container": 24,
    "id": 46,
    "last_artifact": 160,
    "log_level": 1,
    "message": json.dumps(MESSAGE) + "\n",
    "owner": 4,
    "playbook": 42,
    "start_time": "2016-01-15T22:15:55.171000Z",
    "status": "success",
    "test_mode": False,
    "update_time": "2016-01-15T22:16:00.813027Z",
    "version": 1,
}


class Gateway:
    """Answers what it is given, in turn, and remembers what was asked."""

    def __init__(self, *answers: dict[str, object] | httpx.Response | Exception) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = list(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        # The last answer is given again and again.
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def body(self) -> object:
        return json.loads(self.requests[-1].content)


def phantom(gateway: Gateway) -> Phantom:
    return Phantom(URL, token="secret", transport=httpx.MockTransport(gateway))


def test_start_returns_an_integer_and_sends_the_body_of_the_contract() -> None:
    gateway = Gateway({"playbook_run_id": "7", "received": True})
    with phantom(gateway) as client:
        assert client.run("my_playbook", 42, scope="new") == 7
    assert str(gateway.requests[0].url) == f"{URL}/rest/playbook_run"
    assert gateway.requests[0].headers["ph-auth-token"] == "secret"
    assert gateway.body() == {
        "container_id": 42,
        "playbook_id": "my_playbook",
        "scope": "new",
        "run": True,
    }


def test_start_with_artifact_ids_and_inputs() -> None:
    gateway = Gateway({"playbook_run_id": "7", "received": True})
    with phantom(gateway) as client:
        client.run(3, 42, scope=(1, 2), inputs={"seconds": 5})
    assert gateway.body() == {
        "container_id": 42,
        "playbook_id": 3,
        "scope": [1, 2],
        "run": True,
        "inputs": {"seconds": 5},
    }


def test_user_and_password_are_sent_as_basic() -> None:
    gateway = Gateway(RUN)
    transport = httpx.MockTransport(gateway)
    with Phantom(URL, username="admin", password="changeme", transport=transport) as client:
        client.get(PlaybookRun, 46)
    assert gateway.requests[0].headers["authorization"] == "Basic YWRtaW46Y2hhbmdlbWU="


@pytest.mark.parametrize(
    "credentials",
    [{}, {"username": "admin"}, {"token": "t", "username": "admin", "password": "p"}],
)
def test_one_way_to_log_in_is_needed(credentials: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="either a token"):
        Phantom(URL, **credentials)


def test_the_vendors_example_is_parsed() -> None:
    with phantom(Gateway(RUN)) as client:
        run = client.get(PlaybookRun, 46)
    assert (run.id, run.playbook, run.container, run.status) == (46, 42, 24, "success")
    assert run.succeeded
    assert not run.running
    assert not run.was_cancelled
    assert run.start_time is not None
    assert run.start_time.isoformat() == "2016-01-15T22:15:55.171000+00:00"
    [action] = run.results
    assert (action.action, action.status) == ("whois ip", "success")
    assert action.app_runs[0].parameter == {"ip": "192.0.2.1"}
    assert action.app_runs[0].app_message == "Registry: arin"


def test_newer_parameters_and_unknown_fields_are_kept() -> None:
    newer = {
        "playbook": "local/x",
        "new": 1,
        "result": [{"app_runs": [{"parameter": {"ip": "a"}}]}],
    }
    run = PlaybookRun.model_validate({**RUN, "later": [1], "message": json.dumps(newer)})
    assert run.report.playbook == "local/x"
    assert run.results[0].app_runs[0].parameter == {"ip": "a"}
    assert run.model_dump()["later"] == [1]


def test_a_message_that_is_plain_text_is_the_reason() -> None:
    run = PlaybookRun.model_validate({**RUN, "status": "failed", "message": "system/daemon start"})
    assert run.results == []
    assert run.report.message == "system/daemon start"


def test_cancelled_is_a_failed_run_with_a_reason() -> None:
    under_way = PlaybookRun.model_validate({**RUN, "status": "running", "cancelled": "by admin"})
    ended = PlaybookRun.model_validate({**RUN, "status": "failed", "cancelled": "by admin"})
    assert not under_way.was_cancelled
    assert ended.was_cancelled
    assert not ended.succeeded


def test_wait_asks_until_the_run_has_ended() -> None:
    running = {**RUN, "status": "running"}
    gateway = Gateway(running, running, RUN)
    with phantom(gateway) as client:
        assert client.wait(46, poll=0.01).succeeded
    assert len(gateway.requests) == 3


def test_wait_gives_up_after_its_timeout() -> None:
    with (
        phantom(Gateway({**RUN, "status": "running"})) as client,
        pytest.raises(TimeoutError, match=r"within 0\.2 seconds"),
    ):
        client.wait(46, poll=0.01, timeout=0.2)


def test_cancel_returns_the_sentence() -> None:
    gateway = Gateway({"cancelled": True, "message": "Cancelling"})
    with phantom(gateway) as client:
        assert client.cancel(46) == "Cancelling"
    assert gateway.body() == {"cancel": True}


@pytest.mark.parametrize("status", [200, 400, 404])
def test_a_refusal_raises_whatever_its_status(status: int) -> None:
    envelope = {"failed": True, "message": 'Playbook "999" not found'}
    gateway = Gateway(httpx.Response(status, json=envelope))
    with phantom(gateway) as client, pytest.raises(PhantomRequestError) as caught:
        client.run("999", 42)
    assert caught.value.status_code == status
    assert caught.value.message == 'Playbook "999" not found'


def test_a_duplicate_names_the_existing_container() -> None:
    envelope = {"existing_container_id": 3, "failed": True, "message": "duplicate"}
    gateway = Gateway(httpx.Response(400, json=envelope))
    with phantom(gateway) as client, pytest.raises(PhantomRequestError) as caught:
        client.create_container("case", source_data_identifier="x")
    assert caught.value.answer["existing_container_id"] == 3


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        httpx.Response(200, json=["a"]),
        httpx.Response(200, json={"received": True}),
        httpx.Response(302, headers={"location": "https://elsewhere.example"}),
    ],
)
def test_an_answer_that_is_not_of_the_contract_raises(answer: httpx.Response) -> None:
    with phantom(Gateway(answer)) as client, pytest.raises(PhantomRequestError):
        client.run("my_playbook", 42)


LOST = [
    httpx.ConnectError("refused"),
    httpx.ReadError("cut"),
    httpx.RemoteProtocolError("cut"),
    httpx.ReadTimeout("late"),
    httpx.Response(503, json={"failed": True, "message": "The database does not answer"}),
]
HERE = {"name": "prefect-phantom"}
STARTED = {"playbook_run_id": "7", "received": True}


def keys(gateway: Gateway) -> list[str]:
    """What came as the key of each start."""
    starts = [request for request in gateway.requests if request.method == "POST"]
    return [request.headers["idempotency-key"] for request in starts]


@pytest.mark.parametrize("lost", LOST, ids=repr)
def test_a_start_without_an_answer_is_sent_again_with_its_key(
    lost: Exception | httpx.Response,
) -> None:
    gateway = Gateway(lost, lost, HERE, lost, STARTED)
    with phantom(gateway) as client:
        assert client.run("my_playbook", 42) == 7
    first, second, third = keys(gateway)
    assert first == second == third
    assert [request.url.path for request in gateway.requests[1:3]] == ["/", "/"]


def test_each_start_has_a_key_of_its_own() -> None:
    gateway = Gateway(STARTED)
    with phantom(gateway) as client:
        client.run("my_playbook", 42)
        client.run("my_playbook", 42)
    assert len(set(keys(gateway))) == 2


@pytest.mark.parametrize(
    "front",
    [
        httpx.Response(200, text="<html>Splunk SOAR</html>"),
        httpx.Response(302, headers={"location": "https://soar.example/login"}),
        {"name": "something else"},
    ],
)
@pytest.mark.parametrize("lost", LOST, ids=repr)
def test_what_does_not_know_keys_is_never_sent_a_start_twice(
    lost: Exception | httpx.Response, front: dict[str, object] | httpx.Response
) -> None:
    gateway = Gateway(lost, front)
    with (
        phantom(gateway) as client,
        pytest.raises((PhantomConnectionError, PhantomRequestError), match=r"No answer|database"),
    ):
        client.run("my_playbook", 42)
    assert len(keys(gateway)) == 1


def test_a_refused_start_is_not_sent_again() -> None:
    gateway = Gateway(httpx.Response(409, json={"failed": True, "message": "Key"}))
    with phantom(gateway) as client, pytest.raises(PhantomRequestError, match="Key"):
        client.run("my_playbook", 42)
    assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    "ask",
    [lambda client: client.get(PlaybookRun, 46), lambda client: client.wait(46)],
    ids=["get", "wait"],
)
def test_reading_is_repeated(ask: Callable[[Phantom], PlaybookRun]) -> None:
    gateway = Gateway(httpx.ConnectError("refused"), httpx.ReadError("cut"), RUN)
    with phantom(gateway) as client:
        assert ask(client).id == 46
    assert len(gateway.requests) == 3


def test_reading_is_repeated_while_the_database_is_away() -> None:
    gateway = Gateway(httpx.Response(503, json={"failed": True, "message": "later"}), RUN)
    with phantom(gateway) as client:
        assert client.get(PlaybookRun, 46).id == 46


def test_cancel_is_repeated() -> None:
    gateway = Gateway(httpx.ReadError("cut"), {"cancelled": True, "message": "Cancelling"})
    with phantom(gateway) as client:
        assert client.cancel(46, reason="wrong host") == "Cancelling"
    assert len(gateway.requests) == 2


def test_repeating_ends() -> None:
    gateway = Gateway(httpx.ConnectError("refused"))
    with phantom(gateway) as client, pytest.raises(PhantomConnectionError, match="refused"):
        client.get(PlaybookRun, 46)
    assert 2 < len(gateway.requests) < 20


def test_containers_and_artifacts() -> None:
    gateway = Gateway(
        {"success": True, "id": 5}, {"success": True, "id": 6}, {"id": 5, "name": "c"}
    )
    with phantom(gateway) as client:
        assert client.create_container("c", severity="high") == 5
        assert client.create_artifact(5, "a", {"sourceAddress": "192.0.2.1"}) == 6
        assert gateway.body() == {
            "container_id": 5,
            "name": "a",
            "cef": {"sourceAddress": "192.0.2.1"},
        }
        assert client.get(Container, 5).name == "c"


async def test_the_async_client_does_the_same() -> None:
    running = {**RUN, "status": "running"}
    gateway = Gateway(
        {"playbook_run_id": "46", "received": True}, httpx.ReadError("cut"), running, RUN
    )
    transport = httpx.MockTransport(gateway)
    async with AsyncPhantom(URL, token="secret", transport=transport) as client:
        assert (await client.wait(await client.run("my_playbook", 42), poll=0.01)).succeeded
    assert len(gateway.requests) == 4


async def test_the_async_client_starts_again_where_that_is_safe() -> None:
    gateway = Gateway(httpx.ReadError("cut"), HERE, STARTED)
    async with AsyncPhantom(URL, token="secret", transport=httpx.MockTransport(gateway)) as client:
        assert await client.run("my_playbook", 42) == 7
    first, second = keys(gateway)
    assert first == second


async def test_the_async_client_never_starts_twice_elsewhere() -> None:
    gateway = Gateway(httpx.ReadError("cut"), {"name": "something else"})
    async with AsyncPhantom(URL, token="secret", transport=httpx.MockTransport(gateway)) as client:
        with pytest.raises(PhantomConnectionError):
            await client.run("my_playbook", 42)
    assert len(keys(gateway)) == 1
