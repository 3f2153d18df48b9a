"""Contract 1.1 and 9: bodies are JSON objects whatever their type says, within limits."""

from __future__ import annotations

import json

import httpx
import pytest

from prefect_phantom.adapters.settings import Settings

STARTS = ["/rest/playbook_run", "/rest/container", "/rest/artifact"]


def nested(depth: int) -> str:
    """A body of `depth` levels."""
    return '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "application/json; charset=latin-1",
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=x",
        "nonsense",
        "",
    ],
)
async def test_any_content_type_is_read_as_json(client, container, shelf, content_type):
    body = {"container_id": container, "playbook_id": shelf.my_playbook, "run": "true"}
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = await client.post(
        "/rest/playbook_run", content=json.dumps(body).encode(), headers=headers
    )
    assert response.status_code == 200


async def test_a_byte_order_mark_and_white_space_are_skipped(client):
    body = b'\xef\xbb\xbf \r\n\t{"name": "marked", "label": "events"}\n'
    assert (await client.post("/rest/container", content=body)).status_code == 200


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is not JSON: Expecting value at line 1 column 1"),
        (b" ", "is not JSON: Expecting value at line 1 column 2"),
        (b"run=true&container_id=42", "is not JSON: Expecting value at line 1 column 1"),
        (b"{'run': true}", "is not JSON: "),
        (b'{"run": True}', "is not JSON: Expecting value at line 1 column 9"),
        (b'{"run": true', "is not JSON: "),
        (b'{"run": true,}', "is not JSON: "),
        (b'{"run": true}{"run": true}', "is not JSON: Extra data at line 1 column 14"),
        (b'{"run": NaN}', "is not JSON: NaN is not a number"),
        (b'{"run": Infinity}', "is not JSON: Infinity is not a number"),
        (b'{"run": [-Infinity]}', "is not JSON: -Infinity is not a number"),
        (b'{"a": 1e999}', "holds a number that is too large: 1e999"),
        (b'{"a": 9223372036854775808}', "holds an integer of more than 64 bits: 9223372036854"),
        (b'{"a": -9223372036854775809}', "holds an integer of more than 64 bits: -922337203685"),
        (b'{"a": ' + b"1" * 5000 + b"}", "holds an integer of more than 64 bits: 1111111111"),
        (b'{"a": 1, "a": 1}', 'has the key "a" twice in one object'),
        (b'{"x": {"a": 1, "a": 2}}', 'has the key "a" twice in one object'),
        (b'{"a": "\xff"}', "is not UTF-8 at byte 7"),
        (b"\xff\xfe{\x00}\x00", "is not UTF-8 at byte 0"),
        (b'{"a": "\\u0000"}', "holds the character U+0000, which cannot be stored"),
        (b'{"\\u0000": 1}', "holds the character U+0000, which cannot be stored"),
        (b'{"a": ["\\ud800"]}', "holds the character U+D800, which cannot be stored"),
        (b"[]", "must be a JSON object, not an array"),
        (b"[{}]", "must be a JSON object, not an array"),
        (b'"{}"', "must be a JSON object, not a string"),
        (b"42", "must be a JSON object, not a number"),
        (b"4.2", "must be a JSON object, not a number"),
        (b"true", "must be a JSON object, not true"),
        (b"null", "must be a JSON object, not null"),
        (nested(33).encode(), "is nested deeper than 32 levels"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is nested deeper than 32 levels"),
        (b"[" * 500_000, "is nested deeper than 32 levels"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else None,
)
@pytest.mark.parametrize(
    "path", ["/rest/playbook_run", "/rest/playbook_run/1", "/rest/container/1"]
)
async def test_a_body_that_is_no_such_object_is_refused(client, path, body, reason):
    response = await client.post(path, content=body)
    assert response.status_code == 400
    assert response.json()["failed"] is True
    assert response.json()["message"].startswith(f"The request body {reason}")


async def test_a_body_at_the_limit_of_depth_is_read(client):
    response = await client.post("/rest/container", content=nested(32))
    assert response.json()["message"] == "name is required"


async def test_the_largest_integers_are_read(client, container, shelf, read):
    inputs = {"largest": 2**63 - 1, "smallest": -(2**63)}
    body = {"container_id": container, "playbook_id": shelf.my_playbook, "run": True}
    response = await client.post("/rest/playbook_run", json=body | {"inputs": inputs})
    run = await read(response.json()["playbook_run_id"])
    assert json.loads(run["inputs"][0]) == inputs


@pytest.fixture
def small(build, connect):
    """A client of a gateway that takes bodies of at most 100 bytes."""
    return connect(build(Settings(body_limit=100)))


@pytest.mark.parametrize("path", STARTS)
async def test_a_body_over_the_limit_is_too_large(small, path):
    response = await small.post(path, content=b'{"a": "' + b"x" * 92 + b'"}')
    assert response.status_code == 413
    assert response.json() == {
        "failed": True,
        "message": "The request body is larger than the limit of 100 bytes",
    }


async def test_a_body_at_the_limit_is_read(small):
    response = await small.post("/rest/container", content=b'{"a": "' + b"x" * 91 + b'"}')
    assert response.json()["message"] == "name is required"


async def test_a_body_of_unknown_length_is_measured_as_it_streams(application, credentials):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 65536
            yield b" " * 65536

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application), base_url="http://gateway"
    ) as client:
        response = await client.post(
            "/rest/playbook_run",
            content=endless(),
            headers={"ph-auth-token": credentials.token},
        )
    assert response.status_code == 413
    assert sent <= 2 * 1024 * 1024


async def test_an_announced_length_over_the_limit_is_refused_before_reading(small):
    response = await small.post("/rest/container", content=b"{}", headers={"Content-Length": "101"})
    assert response.status_code == 413
