"""The process that renews leases: whatever else a gateway does, and for as long as it lives."""

from __future__ import annotations

import asyncio
import errno
import http.client
import os
import resource
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from prefect_phantom.adapters.gateway.lease_server.process import LeaseProcess
from prefect_phantom.adapters.gateway.lease_server.server import MOST_CONNECTIONS
from prefect_phantom.adapters.process.stop_signals import STOP_SIGNALS
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database.database import database_url
from prefect_phantom.flows.process.guardian.lease import Lease, Lost, Unreachable
from tests.runtime_key import KEY

PATIENCE_SECONDS = 60
PAST = text("now() - interval '1 second'")
OWNER = """
import asyncio, sys
from pydantic import SecretStr
from sqlalchemy import make_url
from prefect_phantom.adapters.gateway.lease_server.process import LeaseProcess
from prefect_phantom.adapters.settings import Settings

async def own():
    settings = Settings(lease_port=0, runtime_key=SecretStr(sys.argv[2]))
    process = LeaseProcess(settings, make_url(sys.argv[1]))
    print(process.address["port"], flush=True)
    await process.run()

asyncio.run(own())
"""
IMPORT = """
import runpy, sys
sys.argv[1:] = ["no number"]
try:
    runpy.run_module("prefect_phantom.adapters.gateway.lease_server", run_name="__main__")
except ValueError:
    large = ("prefect", "fastapi", "httpx", "cyclopts", "rich")
    print([name for name in large if name in sys.modules])
"""


def chosen(**settings: object) -> Settings:
    return Settings(runtime_key=SecretStr(KEY), **{"lease_port": 0, **settings})


@asynccontextmanager
async def running(database, settings: Settings):
    """The process, kept as the gateway keeps it."""
    process = LeaseProcess(settings, database.url)
    keeping = asyncio.create_task(_keep(process))
    try:
        yield process
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        process.close()


async def _keep(process: LeaseProcess) -> None:
    while True:
        await process.run()


@pytest.fixture(scope="module")
async def process(database):
    async with running(database, chosen()) as process:
        await asyncio.to_thread(renew, process.address["port"], "w1", [])
        yield process


def renew(port: int, worker: str, flow_run_ids: list[str]) -> set[str]:
    """Renew as a guardian does, until there is an answer."""
    end = time.monotonic() + PATIENCE_SECONDS
    lease = Lease(f"http://127.0.0.1:{port}", KEY, worker)
    while True:
        try:
            return lease.renew(flow_run_ids)
        except Unreachable:
            assert time.monotonic() < end


def child() -> psutil.Process:
    (found,) = [
        each
        for each in psutil.Process().children()
        if "prefect_phantom.adapters.gateway.lease_server" in " ".join(each.cmdline())
    ]
    return found


async def expired(shop, **fields: object):
    """A run whose lease nobody has renewed."""
    request = replace(await shop.hand_over(), **fields)
    claim = await shop.claim(request)
    await shop.change(claim.playbook_run_id, lease_expire_time=PAST)
    return request, claim


async def is_leased(shop, run_id: int) -> bool:
    row = await shop.read(run_id)
    async with shop.database.begin() as connection:
        return bool(row.lease_expire_time > await connection.scalar(text("SELECT now()")))


async def test_leases_are_renewed_while_the_loop_of_the_gateway_stands_still(process, shop):
    request, claim = await expired(shop)
    cancelled, _ = await expired(shop)
    await shop.cancel((await shop.claim(cancelled)).playbook_run_id)
    # Without `await`: nothing of this process's loop goes on meanwhile.
    ids = [str(each.flow_run_id) for each in (request, cancelled)]
    assert renew(process.address["port"], request.worker, ids) == {str(cancelled.flow_run_id)}
    assert await is_leased(shop, claim.playbook_run_id)


async def test_a_run_that_a_gateway_which_stands_still_has_locked_holds_up_no_renewal(
    process, shop
):
    (stuck, held), (free, claim) = [await expired(shop) for _ in range(2)]
    ids = [str(each.flow_run_id) for each in (stuck, free)]
    async with shop.database.begin() as connection:
        query = text("SELECT FROM playbook_runs WHERE id = :id FOR UPDATE")
        await connection.execute(query, {"id": held.playbook_run_id})
        lease = Lease(f"http://127.0.0.1:{process.address['port']}", KEY, free.worker)
        for _ in range(3):
            assert await asyncio.to_thread(lease.renew, ids) == set()
        assert await is_leased(shop, claim.playbook_run_id)


async def test_an_end_is_heard_of_there_too(process, shop):
    request, claim = await expired(shop)
    lease = Lease(f"http://127.0.0.1:{process.address['port']}", KEY, request.worker)
    await asyncio.to_thread(lease.gone, {str(request.flow_run_id): request.process_id})
    assert (await shop.read(claim.playbook_run_id)).status == "failed"


@pytest.mark.attack(
    "a large body without credentials where leases are renewed", "401 before it is read"
)
async def test_who_has_no_key_is_refused_before_a_body_is_read(process):
    connection = http.client.HTTPConnection("127.0.0.1", process.address["port"], timeout=30)
    connection.putrequest("POST", "/runtime/workers/w1/lease")
    connection.putheader("Content-Length", str(62 * 1024 * 1024))
    connection.endheaders()
    assert (await asyncio.to_thread(connection.getresponse)).status == 401
    connection.close()


@pytest.mark.attack(
    "more idle connections than there may be where leases are renewed",
    "the oldest give way; leases are renewed",
)
async def test_idle_connections_keep_no_guardian_out(process, shop):
    most = MOST_CONNECTIONS + 50
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * most:
        pytest.skip("nobody may open so many connections here")
    request, claim = await expired(shop)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * most, hard))
    with ExitStack() as idle:
        idle.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(most):
            address = ("127.0.0.1", process.address["port"])
            idle.enter_context(socket.create_connection(address))
        renew(process.address["port"], request.worker, [str(request.flow_run_id)])
    assert await is_leased(shop, claim.playbook_run_id)


async def test_nothing_is_served_there_but_leases(process):
    for path in ("/", "/runtime/claim", "/runtime/workers/w1/started", "/rest/version"):
        connection = http.client.HTTPConnection("127.0.0.1", process.address["port"], timeout=30)
        connection.request("POST", path, b"{}", {"Authorization": f"Bearer {KEY}"})
        assert (await asyncio.to_thread(connection.getresponse)).status == 404
        connection.close()


async def test_a_killed_one_is_replaced_at_the_same_address(process, shop):
    first = child()
    first.kill()
    request, claim = await expired(shop)
    await asyncio.to_thread(
        renew, process.address["port"], request.worker, [str(request.flow_run_id)]
    )
    assert await is_leased(shop, claim.playbook_run_id)
    assert child().pid != first.pid


async def test_without_a_database_a_guardian_hears_that_and_no_run_is_lost(tmp_path):
    url = database_url(f"postgresql://postgres@/?host={tmp_path}", "phantom")
    nowhere = type("", (), {"url": url})
    async with running(nowhere, chosen()) as process:
        with pytest.raises(Lost):
            await asyncio.to_thread(renew, process.address["port"], "w1", [])


async def test_it_ends_with_its_gateway_whatever_that_died_of(database):
    url = database.url.render_as_string(hide_password=False)
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OWNER, url, KEY), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert owner.stdout is not None
        port = int(await owner.stdout.readline())
        await asyncio.to_thread(renew, port, "w1", [])
        (process,) = psutil.Process(owner.pid).children()
        for number in STOP_SIGNALS:
            process.send_signal(number)
        await asyncio.to_thread(renew, port, "w1", [])
        assert process.is_running()
    finally:
        owner.kill()
        await owner.wait()
    gone, _ = psutil.wait_procs([process], PATIENCE_SECONDS)
    assert gone


async def test_one_that_cannot_be_started_leaves_nothing_open(monkeypatch, database):
    async def no_process(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "no process")

    process = LeaseProcess(chosen(), database.url)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_process)
    opened = _pipes()
    for _ in range(3):
        with pytest.raises(BlockingIOError):
            await process.run()
    assert _pipes() == opened
    monkeypatch.undo()
    process.close()


def _pipes() -> list[str]:
    found = Path("/proc/self/fd").iterdir()
    return sorted(str(each) for each in found if str(_target(each)).startswith("pipe:"))


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:  # it is the folder's own
        return ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees it")
@pytest.mark.usefixtures("process")
async def test_it_keeps_no_secret_in_its_environment():
    secrets = {"DATABASE_URL", "RUNTIME_KEY", "PASSWORD", "AUTH"}
    names = child().environ()
    assert not [name for name in names if any(secret in name for secret in secrets)]
    assert KEY not in " ".join(child().cmdline())


def test_it_is_small_because_it_knows_no_prefect():
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPORT], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


async def test_a_port_that_nobody_chose_may_be_another_one(database, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"PREFECT_PHANTOM_LEASE_PORT: port {port}"):
            LeaseProcess(chosen(lease_port=port), database.url)
        monkeypatch.delenv("PREFECT_PHANTOM_LEASE_PORT", raising=False)
        settings = Settings(runtime_key=SecretStr(KEY))
        settings.__dict__["lease_port"] = port
        process = LeaseProcess(settings, database.url)
        assert process.address["port"] != port
        process.close()


async def test_an_address_that_was_chosen_is_what_guardians_are_told(database):
    process = LeaseProcess(chosen(lease_url="https://leases.example"), database.url)
    assert process.address == {"url": "https://leases.example"}
    process.close()
