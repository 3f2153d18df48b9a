"""What is sent over a connection, beyond what tests/conformance sends."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest

from prefect_phantom.adapters.settings import Settings

LIMIT = 100_000


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings(body_limit=LIMIT)


@pytest.fixture
def curl(address, credentials):
    """Runs curl with the administrator's password; returns status code and answer."""
    program = shutil.which("curl")
    assert program is not None

    async def curl(path, *options, stdin=b""):
        login = f"admin:{credentials.password}"
        process = await asyncio.create_subprocess_exec(
            program, "-sk", "-u", login, "-w", "\n%{http_code}", *options,
            f"http://{address}{path}",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate(stdin)
        text, _, code = output.decode().rpartition("\n")
        return int(code), json.loads(text)

    return curl


@pytest.mark.parametrize("options", [[], ["-H", "Transfer-Encoding: chunked"]])
async def test_a_body_over_the_limit_gets_its_answer(curl, options):
    body = b'{"a": "' + b"x" * (20 * LIMIT) + b'"}'
    code, answer = await curl("/rest/playbook_run", *options, "-d", "@-", stdin=body)
    assert code == 413
    assert answer == {
        "failed": True,
        "message": f"The request body is larger than the limit of {LIMIT} bytes",
    }


async def test_a_head_has_no_body(address, credentials):
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(
        b"HEAD /rest/playbook_run/999999 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"ph-auth-token: " + credentials.token.encode() + b"\r\n\r\n"
    )
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b"\r\n\r\n")


async def test_many_starts_at_once_get_as_many_runs(address, credentials, container, shelf, read):
    body = json.dumps(
        {"container_id": container, "playbook_id": shelf.my_playbook, "scope": "new", "run": True}
    ).encode()
    request = (
        b"POST /rest/playbook_run HTTP/1.1\r\nHost: x\r\nConnection: close\r\nph-auth-token: "
        + credentials.token.encode()
        + f"\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )

    async def start() -> str:
        reader, writer = await asyncio.open_connection(*address.split(":"))
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        return json.loads(answer.rpartition(b"\r\n\r\n")[2])["playbook_run_id"]

    ids = await asyncio.gather(*(start() for _ in range(40)))
    assert len(set(ids)) == 40
    for run_id in ids:
        assert (await read(run_id))["status"] == "running"
