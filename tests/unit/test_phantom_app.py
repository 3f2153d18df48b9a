"""What the app Phantom makes of its parameters, and how a change is asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from prefect_phantom import ActionFailure, ActionResult, playbook
from prefect_phantom.apps import phantom
from prefect_phantom.flows import case
from prefect_phantom.flows.container import Container
from prefect_phantom.flows.inside.body import in_scope
from prefect_phantom.flows.inside.runtime.client import Attempt, Claim, Superseded
from prefect_phantom.flows.inside.secrets.secret import BlockSecrets
from prefect_phantom.flows.inside.task import perform_in_prefect
from prefect_phantom.flows.run import PlaybookRun, in_hand

CONTAINER = Container(
    id=7, name="n", label="events", status="new", severity="low", sensitivity="amber",
    source_data_identifier="s",
)  # fmt: skip


class Door(ThreadingHTTPServer):
    """A runtime API that keeps what it is asked for, and loses as many answers as it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.lost = 0
        self.answer: tuple[int, dict[str, Any]] = (200, {"id": 5})
        super().__init__(("127.0.0.1", 0), Answers)


class Answers(BaseHTTPRequestHandler):
    server: Door

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, self.headers["authorization"], body))
        if self.server.lost:
            self.server.lost -= 1
            self.close_connection = True
            return
        status, content = self.server.answer
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def door() -> Iterator[Door]:
    """The door of a run that is in hand."""
    with Door() as door:
        serving = threading.Thread(target=door.serve_forever, args=[0.01])
        serving.start()
        claim = Claim(
            playbook_run_id=1, playbook="local/p", attempt=1, token="of the attempt",
            container=CONTAINER, artifacts=[], inputs={},
        )  # fmt: skip
        with httpx.Client(base_url=f"http://127.0.0.1:{door.server_port}") as client:
            run = PlaybookRun(
                id=1, playbook="local/p", container=CONTAINER, artifacts=in_scope([], "all"),
                inputs={}, recorder=Attempt(client, claim), perform=perform_in_prefect,
                secrets=BlockSecrets(),
            )  # fmt: skip
            with in_hand(run):
                yield door
        door.shutdown()
        serving.join()


def only(door: Door) -> tuple[str, dict[str, Any]]:
    ((path, token, body),) = door.asked
    assert token == "Bearer of the attempt"
    assert len(body.pop("key")) == 36
    return path, body


CHANGES: list[tuple[Callable[..., ActionResult], dict[str, Any], str, dict[str, Any]]] = [
    (
        phantom.add_artifact.function,
        {"name": "n", "source_data_identifier": "s", "severity": "low", "container_id": 9,
         "cef_name": "a", "cef_value": "b", "contains": "ip, host", "cef_dictionary": '{"c": 1}'},
        "artifacts",
        {"container_id": 9, "artifact": {
            "name": "n", "label": "event", "source_data_identifier": "s", "severity": "low",
            "cef": {"a": "b", "c": 1}, "cef_types": {"a": ["ip", "host"]},
            "run_automation": False}},
    ),
    (
        phantom.add_artifact.function,
        {"source_data_identifier": "s", "cef_dictionary": {"c": 1}, "contains": '{"c": ["ip"]}',
         "run_automation": True},
        "artifacts",
        {"artifact": {
            "name": "User created artifact", "label": "event", "source_data_identifier": "s",
            "cef": {"c": 1}, "cef_types": {"c": ["ip"]}, "severity": None,
            "run_automation": True}},
    ),
    (
        phantom.update_artifact.function,
        {"artifact_id": 3, "tags": "[a, 'b']", "cef_json": {"x": 1}, "overwrite": True,
         "artifact_json": '{"description": "d"}'},
        "artifacts/3",
        {"overwrite": True, "artifact": {
            "tags": ["a", "b"], "cef": {"x": 1}, "description": "d"}},
    ),
    (
        phantom.add_listitem.function,
        {"list": "l", "new_row": "['a', 1, None]"},
        "list_rows",
        {"name": "l", "row": ["a", 1, None], "create": False},
    ),
    (
        phantom.add_listitem.function,
        {"list": "l", "new_row": "plain (text", "create": True},
        "list_rows",
        {"name": "l", "row": ["plain (text"], "create": True},
    ),
    (
        phantom.add_listitem.function,
        {"list": "l", "new_row": "{'a': [1]}"},
        "list_rows",
        {"name": "l", "row": ["{'a': [1]}"], "create": False},
    ),
    (phantom.set_status.function, {"status": "open"}, "containers", {"status": "open"}),
    (
        phantom.set_severity.function,
        {"severity": "low", "container_id": 9},
        "containers",
        {"severity": "low", "container_id": 9},
    ),
    (
        phantom.add_note.function,
        {"title": "t", "content": "c", "artifact_id": 4},
        "notes",
        {"entry": {"title": "t", "content": "c", "note_type": "general",
                   "note_format": "markdown", "artifact_id": 4}},
    ),
    (
        phantom.add_comment.function,
        {"comment": "c"},
        "comments",
        {"entry": {"comment": "c"}},
    ),
    (
        phantom.pin.function,
        {"message": "m", "pin_style": "red"},
        "pins",
        {"entry": {"message": "m", "pin_style": "red"}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("action", "parameters", "path", "body"), CHANGES)
def test_an_action_asks_for_its_change(door: Door, action, parameters, path, body) -> None:
    result = action(**parameters)
    assert only(door) == (f"/runtime/{path}", body)
    assert isinstance(result, ActionResult)


def test_an_artifact_without_an_identifier_gets_one_of_its_own(door: Door) -> None:
    for _ in range(2):
        phantom.add_artifact.function()
    identifiers = {body["artifact"]["source_data_identifier"] for _, _, body in door.asked}
    assert len(identifiers) == 2


def test_a_change_whose_answer_was_lost_is_asked_for_again_by_the_same_key(door: Door) -> None:
    door.lost = 2
    assert case.add_comment("c") == 5
    assert len(door.asked) == 3
    assert len({body["key"] for _, _, body in door.asked}) == 1
    case.add_comment("c")
    assert len({body["key"] for _, _, body in door.asked}) == 2


def test_what_the_gateway_refuses_fails_the_action_with_its_sentence(door: Door) -> None:
    door.answer = (404, {"failed": True, "message": 'Container "9" not found'})
    with pytest.raises(ActionFailure, match='Container "9" not found'):
        phantom.set_status.function("open", container_id=9)


def test_a_cancelled_run_is_stopped_rather_than_failed(door: Door) -> None:
    door.answer = (409, {"message": "cancelled", "held_elsewhere": False})
    with pytest.raises(Superseded):
        phantom.set_status.function("open")


@pytest.mark.parametrize(
    ("action", "parameters", "sentence"),
    [
        (phantom.add_artifact, {"cef_dictionary": "{x"}, "cef_dictionary is not JSON"),
        (phantom.add_artifact, {"cef_dictionary": "[1]"}, "must be an object"),
        (phantom.add_artifact, {"contains": "ip"}, "contains is not JSON"),
        (phantom.update_artifact, {"artifact_id": 1}, "Nothing is named"),
        (phantom.update_artifact, {"artifact_id": 1, "cef_json": "1"}, "must be an object"),
        (phantom.add_listitem, {"list": "l", "new_row": [[1]]}, "A row has texts"),
    ],
)
def test_what_makes_no_sense_is_never_sent(door: Door, action, parameters, sentence) -> None:
    with pytest.raises(ActionFailure, match=sentence):
        action.function(**parameters)
    assert door.asked == []


def test_a_trial_shows_what_would_be_changed(trial) -> None:
    @playbook
    def closes(run: PlaybookRun) -> None:
        phantom.add_comment(comment=f"done by {run.playbook}")
        phantom.set_status(status="closed")

    run = trial.run(closes)
    assert (run.status, run.message) == ("success", "")
    assert run.changes == [
        ("comments", {"entry": {"comment": "done by local/closes"}}),
        ("containers", {"status": "closed"}),
    ]


def test_no_op_says_how_long_it_slept() -> None:
    assert phantom.no_op.function(0.01).message == "Slept for 0.01 seconds"
    assert phantom.no_op.function(0).message == "Slept for 0 seconds"
