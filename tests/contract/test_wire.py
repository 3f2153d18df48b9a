"""Contract 1.1: what real clients put on the wire, answered by a real server."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest

from adapters.settings import Settings

pytestmark = pytest.mark.anyio

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


async def test_the_vendors_three_curl_lines(curl, container, shelf):
    start = f"""{{
\t"container_id": {container},
\t"playbook_id": "my_playbook",
\t"scope": "new",
\t"run": true
}}"""
    code, answer = await curl("/rest/playbook_run", "-d", start)
    assert (code, answer["received"]) == (200, True)
    path = f"/rest/playbook_run/{answer['playbook_run_id']}"
    code, run = await curl(path, "-G", "-X", "GET")
    assert (code, run["status"], run["playbook"]) == (200, "running", shelf.my_playbook)
    assert run["ip_address"] == "127.0.0.1"
    code, answer = await curl(
        path,
        "-d",
        """{
    "cancel": true
}""",
    )
    assert (code, answer["cancelled"]) == (200, True)
    code, run = await curl(path)
    assert (code, run["status"], run["cancelled"]) == (200, "failed", "Cancelled by admin")


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-H", "Content-Type:"],
        ["-H", "Content-Type: application/json"],
        ["-H", "Content-Type: text/plain"],
        ["-H", "Content-Type: multipart/form-data"],
        ["-H", "Transfer-Encoding: chunked"],
        ["-H", "Expect: 100-continue"],
        ["--http1.0"],
    ],
)
async def test_a_start_however_it_is_sent(curl, container, shelf, options):
    body = {"container_id": str(container), "playbook_id": str(shelf.my_playbook), "run": "true"}
    code, answer = await curl("/rest/playbook_run/", *options, "-d", json.dumps(body))
    assert (code, answer["received"]) == (200, True)


@pytest.mark.parametrize("options", [[], ["-H", "Transfer-Encoding: chunked"]])
async def test_a_body_over_the_limit_gets_its_answer(curl, options):
    body = b'{"a": "' + b"x" * (20 * LIMIT) + b'"}'
    code, answer = await curl("/rest/playbook_run", *options, "-d", "@-", stdin=body)
    assert code == 413
    assert answer == {
        "failed": True,
        "message": f"The request body is larger than the limit of {LIMIT} bytes",
    }


async def test_a_get_with_a_body_is_answered(curl, run_id):
    code, run = await curl(f"/rest/playbook_run/{run_id}", "-X", "GET", "--json", "{}")
    assert (code, run["id"]) == (200, run_id)


async def test_the_token_as_the_password_of_an_empty_user(curl, run_id, credentials):
    code, run = await curl(f"/rest/playbook_run/{run_id}", "-u", f":{credentials.token}")
    assert (code, run["id"]) == (200, run_id)


async def test_wrong_credentials_get_the_recorded_text(curl, run_id):
    code, answer = await curl(f"/rest/playbook_run/{run_id}", "-u", ":wrong")
    assert (code, answer) == (401, {"failed": True, "message": "Invalid automation token"})


async def test_an_unknown_path_and_a_wrong_method_get_the_envelope(curl):
    code, answer = await curl("/rest/no_such")
    assert (code, answer["failed"]) == (404, True)
    code, answer = await curl("/rest/playbook_run", "-X", "PUT", "-d", "{}")
    assert (code, answer["failed"]) == (405, True)


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


async def test_lists_as_command_lines_and_clients_ask_for_them(curl, container, shelf):
    body = f'{{"container_id": {container}, "playbook_id": {shelf.my_playbook}, "run": true}}'
    run_id = int((await curl("/rest/playbook_run", "-d", body))[1]["playbook_run_id"])
    mine = f"_filter_container={container}"
    for path, options in [
        (f'/rest/playbook_run?{mine}&_filter_status="running"', []),
        (f"/rest/playbook_run/?_filter_container='{container}'&page_size='5'&pretty", []),
        (f"/rest/playbook_run?_filter_container__in=[{container},0]", ["-g"]),
        (
            f"/rest/playbook_run?{mine}",
            ["-X", "GET", "-H", "content-type: application/json", "-d", "{}"],
        ),
        ("/rest/playbook_run", ["-G", "-d", mine, "-d", '_filter_playbook__name="my_playbook"']),
        (f"/rest/container/{container}/playbook_runs?order=desc&sort=start_time", []),
    ]:
        code, answer = await curl(path, *options)
        assert (code, [run["id"] for run in answer["data"]]) == (200, [run_id]), path
