"""No answer is kept by a cache that others share, nor taken for what it does not say it is."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from pydantic import SecretStr

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.rest.runtime.runtime import create_runtime_application
from prefect_phantom.adapters.settings import Settings
from tests.runtime_key import KEY


def assert_kept_by_nobody(answer: httpx.Response) -> None:
    assert answer.headers.get_list("cache-control") == ["no-store"], answer.request.url
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"], answer.request.url


@pytest.mark.attack(
    "reading another's answer from a cache that both share", "no answer may be stored"
)
@pytest.mark.parametrize(
    "path",
    [
        *("/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/rest/version"),
        *("/rest/container", "/rest/playbook_run/999999", "/rest/nothing", "/docs/nothing"),
        "/rest/prefect_phantom/health",
    ],
)
async def test_no_answer_is_stored_whether_it_is_given_or_refused(client, anonymous, path):
    for caller in (client, anonymous):
        for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "BREW"):
            assert_kept_by_nobody(await caller.request(method, path))


async def test_what_is_refused_before_a_route_is_not_stored_either(build, connect):
    async with connect(build(Settings(rate_limit=0.001))) as hurried:
        answers = [await hurried.get("/rest/version") for _ in range(2)]
        answers.append(await hurried.get("/", headers={"x": "y" * 50_000}))
        answers.append(await hurried.get("/", headers={"origin": "https://evil.example"}))
    assert {answer.status_code for answer in answers} >= {429, 431}
    for answer in answers:
        assert_kept_by_nobody(answer)


async def test_a_fault_of_ours_is_not_stored(client, monkeypatch):
    monkeypatch.setattr("prefect_phantom.adapters.store.database.schema.read", None)
    fault = await client.get("/rest/prefect_phantom/health")
    assert fault.status_code == 500
    assert_kept_by_nobody(fault)


@pytest.mark.parametrize("file", ["swagger-ui.css", "swagger-ui-bundle.js", "start.js"])
async def test_static_files_may_be_kept(anonymous, file):
    answer = await anonymous.get(f"/docs/{file}")
    assert answer.headers.get_list("cache-control") == ["no-cache"]
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


async def test_the_runtime_api_is_stored_by_nobody_its_streams_included(
    ask, database, dispatch, reconcile
):
    assert_kept_by_nobody(await ask("claim", None))
    assert_kept_by_nobody(await ask("claim", KEY, {}))
    assert_kept_by_nobody(await ask("nothing", KEY, {}))
    application = create_runtime_application(
        database=database,
        settings=Settings(runtime_key=SecretStr(KEY)),
        dispatch=dispatch,
        reconcile=reconcile,
        hints=Hints(lambda _: None),
    )
    begun: asyncio.Future[dict] = asyncio.get_running_loop().create_future()
    gone = asyncio.Event()

    async def receive() -> dict:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message) -> None:
        if message["type"] == "http.response.start":
            begun.set_result(message)

    scope = {
        "type": "http", "method": "GET", "path": "/runtime/workers/w/hints", "query_string": b"",
        "headers": [(b"authorization", f"Bearer {KEY}".encode())], "http_version": "1.1",
        "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 5000),
    }  # fmt: skip
    stream = asyncio.create_task(application(scope, receive, send))
    try:
        headers = dict((await begun)["headers"])
    finally:
        gone.set()
        await stream
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000])
async def test_what_is_no_request_is_answered_in_the_same_way(listener, sent):
    reader, writer = await asyncio.open_connection(*listener)
    writer.write(sent)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
    assert b"\r\ncache-control: no-store" in head
    assert b"\r\nx-content-type-options: nosniff" in head
    assert body.startswith(b'{"failed":true,"message":"')


async def test_hsts_is_for_those_who_ask_for_it(client, build, connect):
    assert "strict-transport-security" not in (await client.get("/")).headers
    async with connect(build(Settings(hsts_seconds=86400))) as strict:
        for path in ("/", "/docs/start.js", "/nothing"):
            answer = await strict.get(path)
            assert answer.headers["strict-transport-security"] == "max-age=86400"
