"""Contract 1.1: a start, in every form in which callers send it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.target import Target

ours = pytest.mark.ours
LEFT_OUT = object()


@pytest.fixture(scope="module")
def artifacts(target: Target, container: int) -> list[int]:
    body = {"container_id": container, "name": "a", "label": target.label}
    return [target.curl("/rest/artifact", body=body).content["id"] for _ in range(2)]


def _sent(target: Target, container: int, further: dict[str, Any]) -> dict[str, Any]:
    body = {"container_id": container, "playbook_id": target.playbook, "scope": "all", "run": True}
    body |= further
    return {name: value for name, value in body.items() if value is not LEFT_OUT}


def test_the_vendors_curl_line_is_answered_with_an_id_as_a_string(target, container):
    body = f"""{{
\t"container_id": {container},
\t"playbook_id": "{target.playbook}",
\t"scope": "new",
\t"run": true
}}"""
    answer = target.curl("/rest/playbook_run", body=body)
    assert answer.status == 200
    assert answer.content["received"] is True
    assert isinstance(answer.content["playbook_run_id"], str)
    assert answer.content["playbook_run_id"].isdecimal()


@pytest.mark.parametrize(
    "further",
    [
        {"scope": LEFT_OUT},
        {"scope": "new"},
        {"run": "true"},
        pytest.param({"run": "TRUE"}, marks=ours),
        pytest.param({"run": 1}, marks=ours),
        pytest.param({"run": "1"}, marks=ours),
        {"inputs": {"file_name": "hello.txt"}},
        {"inputs": json.dumps({"file_name": "hello.txt"})},
        pytest.param({"surplus": [1]}, marks=ours),
    ],
    ids=repr,
)
def test_a_start_is_taken_with_fields_as_callers_fill_them(target, container, further):
    answer = target.curl("/rest/playbook_run", body=_sent(target, container, further))
    assert (answer.status, answer.content.get("received")) == (200, True), answer


def test_ids_may_be_strings_of_digits(target, container, artifacts):
    for ids in (artifacts, [str(each) for each in artifacts]):
        body = _sent(target, container, {"container_id": str(container), "scope": ids})
        assert target.curl("/rest/playbook_run", body=body).status == 200


def test_a_playbook_is_named_by_its_id_or_by_its_name_alone(target, container):
    name = target.playbook.split("/")[-1]
    found = target.curl(f'/rest/playbook?_filter_name="{name}"&page_size=0'.replace(" ", "%20"))
    for reference in (found.content["data"][0]["id"], name):
        body = _sent(target, container, {"playbook_id": reference})
        assert target.curl("/rest/playbook_run", body=body).status == 200


@ours
def test_a_playbook_is_named_by_digits_or_in_a_field_of_another_name(target, container):
    name = target.playbook.split("/")[-1]
    found = target.curl(f'/rest/playbook?_filter_name="{name}"&page_size=0'.replace(" ", "%20"))
    digits = str(found.content["data"][0]["id"])
    for further in (
        {"playbook_id": digits},
        {"playbook_id": LEFT_OUT, "playbook_name": target.playbook},
        {"playbook_name": target.playbook},
    ):
        body = _sent(target, container, further)
        assert target.curl("/rest/playbook_run", body=body).status == 200, further


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/rest/playbook_run", []),
        ("/rest/playbook_run/", []),
        ("/rest/playbook_run", ["-H", "Content-Type:"]),
        ("/rest/playbook_run", ["-H", "Content-Type: application/json"]),
        ("/rest/playbook_run", ["-H", "Content-Type: application/x-www-form-urlencoded"]),
        ("/rest/playbook_run", ["-H", "server: soar.example"]),
        pytest.param("/rest/playbook_run", ["-H", "Content-Type: text/plain"], marks=ours),
        pytest.param("/rest/playbook_run", ["-H", "Content-Type: multipart/form-data"], marks=ours),
        pytest.param("/rest/playbook_run", ["-H", "Transfer-Encoding: chunked"], marks=ours),
        pytest.param("/rest/playbook_run", ["-H", "Expect: 100-continue"], marks=ours),
        pytest.param("/rest/playbook_run", ["--http1.0"], marks=ours),
    ],
    ids=repr,
)
def test_a_start_is_taken_however_it_is_sent(target, container, path, options):
    answer = target.curl(path, *options, body=_sent(target, container, {}))
    assert (answer.status, answer.content.get("received")) == (200, True), answer


def test_an_unknown_playbook_is_refused_in_the_recorded_words(target, container):
    answer = target.curl(
        "/rest/playbook_run", body=_sent(target, container, {"playbook_id": 999999999})
    )
    assert (answer.status, answer.message) == (404, 'Playbook "999999999" not found')


def test_a_start_that_cannot_be_is_a_failed_envelope(target, container):
    for body in ("{", "[]", {}, {"container_id": container}):
        assert target.curl("/rest/playbook_run", body=body).message


@ours
@pytest.mark.parametrize(
    ("further", "status", "message"),
    [
        ({"container_id": 4242424242}, 404, 'Container "4242424242" not found'),
        ({"playbook_id": "nope/nope"}, 404, 'Playbook "nope/nope" not found'),
        *(
            ({"run": run}, 400, 'The request does not ask for a run: "run": true is missing')
            for run in (LEFT_OUT, None, False, 0, 2, "yes", [True])
        ),
        ({"container_id": LEFT_OUT}, 400, "container_id is required"),
        ({"container_id": None}, 400, "container_id is required"),
        ({"playbook_id": LEFT_OUT}, 400, "playbook_id is required"),
        (
            {"container_id": "x"},
            400,
            'container_id must be an integer id, or a string of its digits, not "x"',
        ),
        (
            {"playbook_id": ["x"]},
            400,
            'playbook_id must be a playbook\'s id, its name or "repository/name", not ["x"]',
        ),
        (
            {"scope": "some"},
            400,
            'scope must be "all", "new" or a list of artifact ids, not "some"',
        ),
        ({"scope": None}, 400, 'scope must be "all", "new" or a list of artifact ids, not null'),
        ({"inputs": [1]}, 400, "inputs must be an object or a JSON text of one, not [1]"),
    ],
    ids=repr,
)
def test_what_is_wrong_with_a_start_is_said_in_our_words(
    target, container, further, status, message
):
    answer = target.curl("/rest/playbook_run", body=_sent(target, container, further))
    assert (answer.status, answer.message) == (status, message)


@ours
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "is not JSON: Expecting value at line 1 column 1"),
        ('{"a": NaN}', "is not JSON: NaN is not a number"),
        ("[]", "must be a JSON object, not an array"),
        ('{"a": 1, "a": 2}', 'has the key "a" twice in one object'),
        ('{"a": 1e999}', "holds a number that is too large: 1e999"),
        (
            '{"a": 99999999999999999999}',
            "holds an integer of more than 64 bits: 99999999999999999999",
        ),
        ('{"a": "\\u0000"}', "holds the character U+0000, which cannot be stored"),
        ('{"a":' * 40 + "1" + "}" * 40, "is nested deeper than 32 levels"),
    ],
    ids=lambda text: text[:30],
)
def test_what_is_wrong_with_a_body_is_said_in_our_words(target, body, message):
    answer = target.curl("/rest/playbook_run", "-H", "Content-Type:", body=body)
    assert (answer.status, answer.message) == (400, f"The request body {message}")
