"""Our decision: a start that is sent again with its `Idempotency-Key` is the same start."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, update

from prefect_phantom.adapters.store.starts import idempotency_keys
from prefect_phantom.adapters.store.tables.tables import idempotency_keys as keys
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs
from prefect_phantom.adapters.store.tables.tables import playbooks
from prefect_phantom.client import AsyncPhantom, Phantom, PlaybookRun

STALE = timedelta(hours=24)


@pytest.fixture
def body(container, shelf):
    return {"container_id": container, "playbook_id": shelf.my_playbook, "run": True}


@pytest.fixture
def send(client, body):
    """Starts a playbook with a key; fields change or add to the body."""

    async def send(key, token=None, **fields):
        headers = {"Idempotency-Key": key} | ({"ph-auth-token": token} if token else {})
        return await client.post("/rest/playbook_run", json=body | fields, headers=headers)

    return send


@pytest.fixture
def count(database, container):
    """How many runs the test's container has."""

    async def count() -> int:
        query = select(func.count()).where(runs.c.container_id == container)
        async with database.read() as connection:
            return await connection.scalar(query)

    return count


@pytest.fixture
def age(database):
    """Makes a key so old."""

    async def age(key: str, by: timedelta) -> None:
        async with database.begin() as connection:
            older = update(keys).where(keys.c.key == key).values(create_time=func.now() - by)
            await connection.execute(older)

    return age


@pytest.fixture
def key() -> str:
    return uuid4().hex


async def test_the_same_request_with_the_same_key_gets_the_same_answer(send, count, key):
    first, second = await send(key), await send(key)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert await count() == 1


@pytest.mark.parametrize("scope", ["all", "new", []])
async def test_a_key_holds_for_every_scope(send, count, key, scope):
    first, second = await send(key, scope=scope), await send(key, scope=scope)
    assert first.json() == second.json()
    assert await count() == 1


async def test_spaces_and_the_order_of_fields_make_no_other_request(client, send, body, count, key):
    first = await send(key)
    text = ", ".join(f'"{name}" :\n{str(body[name]).lower()}' for name in reversed(body))
    second = await client.post(
        "/rest/playbook_run", content=f"{{{text}}}", headers={"Idempotency-Key": key}
    )
    assert second.json() == first.json()
    assert await count() == 1


async def test_another_request_with_the_same_key_is_refused(send, count, key):
    await send(key)
    second = await send(key, scope="new")
    assert second.status_code == 409
    assert second.json() == {
        "failed": True,
        "message": f'Idempotency-Key "{key}" was sent before with another request; '
        "a new request needs a new key",
    }
    assert await count() == 1


async def test_a_user_knows_nothing_of_the_keys_of_others(send, count, key, credentials):
    first, second = await send(key), await send(key, token=credentials.automation_token)
    assert first.json() != second.json()
    third = await send(key, token=credentials.automation_token, scope="new")
    assert third.status_code == 409
    assert await count() == 2


async def test_without_a_key_each_request_is_another(start, count):
    await start()
    await start()
    assert await count() == 2


async def test_many_at_once_with_one_key_make_one_run(send, count, key):
    answers = await asyncio.gather(*(send(key) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["playbook_run_id"] for answer in answers}) == 1
    assert await count() == 1


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"run": False}, 400),
        ({"playbook_id": "no_such"}, 404),
        ({"container_id": 999999}, 404),
        ({"scope": [999999]}, 400),
        ({"playbook_id": "disabled"}, 400),
    ],
)
async def test_a_refused_request_may_be_corrected_under_its_key(send, count, key, wrong, status):
    assert (await send(key, **wrong)).status_code == status
    assert (await send(key)).status_code == 200
    assert await count() == 1


async def test_of_a_refused_request_and_a_good_one_at_once_the_good_one_runs(send, count, key):
    wrong = [send(key, scope=[999999]) for _ in range(5)]
    answers = await asyncio.gather(*wrong, send(key))
    assert answers[-1].status_code == 200
    assert {answer.status_code for answer in answers[:-1]} <= {400, 409}
    assert await count() == 1


async def test_a_repeated_request_is_answered_though_it_would_be_refused_now(database, send, key):
    async with database.begin() as connection:
        new = insert(playbooks).values(repository="local", name=f"p{key}", active=True)
        playbook_id = await connection.scalar(new.returning(playbooks.c.id))
    first = await send(key, playbook_id=playbook_id)
    async with database.begin() as connection:
        disable = update(playbooks).where(playbooks.c.id == playbook_id).values(disabled=True)
        await connection.execute(disable)
    assert (await send(key, playbook_id=playbook_id)).json() == first.json()


async def test_a_key_counts_for_a_day(send, age, count, key):
    first = await send(key)
    await age(key, STALE - timedelta(seconds=60))
    assert (await send(key)).json() == first.json()
    await age(key, STALE)
    assert (await send(key)).json() != first.json()
    assert await count() == 2


async def test_after_a_day_the_key_may_stand_for_another_request(send, age, key):
    await send(key)
    await age(key, STALE)
    second = await send(key, scope="new")
    assert second.status_code == 200
    assert (await send(key, scope="new")).json() == second.json()


async def test_many_at_once_with_one_old_key_make_one_run(send, age, count, key):
    await send(key)
    await age(key, STALE)
    answers = await asyncio.gather(*(send(key) for _ in range(20)))
    assert len({answer.json()["playbook_run_id"] for answer in answers}) == 1
    assert await count() == 2


async def test_old_keys_are_deleted_and_others_kept(database, send, age):
    old, young = uuid4().hex, uuid4().hex
    await send(old)
    await send(young)
    await age(old, STALE)
    await idempotency_keys.delete_old(database)
    async with database.read() as connection:
        left = set((await connection.execute(select(keys.c.key))).scalars())
    assert young in left
    assert old not in left


@pytest.mark.parametrize("key", ["!", "~" * 255, '"a-quoted,key"', "8e03978e-40d5-43dd-bc93-6894"])
async def test_a_key_is_up_to_255_visible_characters(send, key):
    assert (await send(key)).status_code == 200


@pytest.mark.parametrize("key", ["", "~" * 256, "two words", "tab\there", b"\xe9", "\x7f"])
async def test_any_other_key_is_refused(send, count, key):
    response = await send(key)
    assert response.status_code == 400
    assert response.json()["message"].startswith(
        "Idempotency-Key must be 1 to 255 visible ASCII characters, not "
    )
    assert await count() == 0


async def test_two_keys_in_one_request_are_refused(client, body):
    headers = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    response = await client.post("/rest/playbook_run", json=body, headers=headers)
    assert response.status_code == 400


@asynccontextmanager
async def losing_answers(address: str, lost: int):
    """A proxy that carries out every request and cuts the connection instead of answering.

    It does so with the first `lost` requests, and yields its own address.
    """
    host, _, port = address.partition(":")
    seen = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        cut = seen <= lost
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")]
        content = await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
        # The gateway closes after its answer, so that all of it has been read then.
        head = head.replace(b"Connection: keep-alive", b"Connection: close")
        up_writer.write(head + content)
        answer = await up_reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        if not cut:
            writer.write(answer)
            await writer.drain()
        up_writer.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield "http://{}:{}".format(*server.sockets[0].getsockname())


@pytest.mark.parametrize("kind", [Phantom, AsyncPhantom])
async def test_a_client_whose_answer_was_lost_gets_the_run_that_was_made(
    address, container, count, credentials, shelf, kind
):
    async with losing_answers(address, lost=1) as url:
        if kind is Phantom:
            with Phantom(url, token=credentials.token) as phantom:
                run_id = await asyncio.to_thread(phantom.run, shelf.my_playbook, container)
                assert (
                    await asyncio.to_thread(phantom.get, PlaybookRun, run_id)
                ).container == container
        else:
            async with AsyncPhantom(url, token=credentials.token) as phantom:
                run_id = await phantom.run(shelf.my_playbook, container)
                assert (await phantom.get(PlaybookRun, run_id)).container == container
    assert await count() == 1
