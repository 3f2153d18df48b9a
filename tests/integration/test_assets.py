"""Assets on a whole installation: secrets in Prefect's blocks, places in its concurrency limits."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest
from anyio.to_thread import run_sync
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.client.schemas.objects import BlockDocument
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from sqlalchemy import text

from prefect_phantom.adapters.prefect.assets.apps import Apps
from prefect_phantom.adapters.prefect.assets.assets import PrefectAssets
from prefect_phantom.adapters.store.database.database import Database, database_url
from prefect_phantom.adapters.supervisor.home.home import Home
from prefect_phantom.adapters.supervisor.postgres.postgres import socket_url
from prefect_phantom.flows.inside.secrets.secret import SLUG
from prefect_phantom.flows.inside.slots import slot_leases
from prefect_phantom.flows.inside.slots.slot_leases import LEASE_SECONDS, SlotLeases
from tests.integration import asset_playbooks
from tests.integration.asset_playbooks import digest
from tests.system import RUN_SECONDS, System

SECRET = f"s3cret-{uuid4().hex}"


@pytest.fixture(scope="module", autouse=True)
def _playbooks(system: System) -> None:
    source = Path(str(asset_playbooks.__file__))
    shutil.copy(source, system.playbooks / "assets_tried.py")
    for name in ("knows", "sees", "works", "hurries"):
        system.known(f"local/{name}")


def make(system: System, app: str, **fields: Any) -> dict[str, Any]:
    """A new asset, as it is shown."""
    new = {"name": f"a {uuid4().hex[:8]}", "app": app, **fields}
    answer = system.post("/rest/asset", new)
    assert answer.get("success"), answer
    return system.get(f"/rest/asset/{answer['id']}")


def seen(run: dict[str, Any]) -> list[str]:
    """What the run's actions said."""
    results = json.loads(run["message"])["result"]
    return [entry["app_message"] for action in results for entry in action["app_runs"]]


async def block_of(prefect: PrefectClient, asset: dict[str, Any]) -> BlockDocument:
    """The block as Prefect's UI is given it."""
    name = asset["secret_blocks"]["api_key"]
    return await prefect.read_block_document_by_name(name, SLUG, include_secrets=False)


async def limit_of(prefect: PrefectClient, asset: dict[str, Any]) -> Any:
    """The asset's limit in Prefect."""
    for limit in await prefect.read_global_concurrency_limits(limit=200):
        if asset["name"].replace(" ", "-") in limit.name:
            return limit
    raise LookupError(asset["name"])


async def test_a_run_uses_a_secret_that_is_hidden_and_edited_in_prefect(
    system: System, prefect: PrefectClient
) -> None:
    asset = make(system, "Tried", configuration={"host": "h", "api_key": SECRET})
    assert asset["configuration"] == {"host": "h"}
    inputs = {"assets": [asset["name"]]}
    run = system.ended(system.start("sees", inputs=inputs))
    assert (run["status"], seen(run)) == ("success", [digest(SECRET)] * 2)
    block = await block_of(prefect, asset)
    assert block.data == {"value": "********"}
    assert block.block_type is not None
    assert block.block_type.name == "Asset Secret"
    # What the UI's form sends.
    edited = await prefect._client.patch(
        f"/block_documents/{block.id}",
        json={"data": {"value": f"{SECRET}-2"}, "merge_existing_data": True},
    )
    assert edited.status_code == 204
    run = system.ended(system.start("sees", inputs=inputs))
    assert seen(run) == [digest(f"{SECRET}-2")] * 2


async def test_names_and_values_of_any_kind_are_kept(
    system: System, prefect: PrefectClient
) -> None:
    name = f"Ž /%&<>~{uuid4().hex}" * 12
    secrets = {"": "x", "ž/ %": "žluťoučký 🐴\n\t{{ 1 }}", "k" * 500: "y" * 65536, "a.b": "*" * 8}
    made = {"name": name, "secrets": secrets, "action_limit": 1000}
    asset = make(system, "Ž /%&", **made)
    kept = {}
    for setting, block in asset["secret_blocks"].items():
        document = await prefect.read_block_document_by_name(block, SLUG, include_secrets=True)
        kept[setting] = document.data["value"]
    assert kept == secrets
    assert system.post(f"/rest/asset/{asset['id']}", {"delete": True})["success"]
    left = await prefect.read_block_documents_by_type(SLUG)
    assert not {document.name for document in left} & set(asset["secret_blocks"].values())


async def test_ui_shows_a_form_with_one_password_field(prefect: PrefectClient) -> None:
    kind = await prefect.read_block_type_by_slug(SLUG)
    schema = await prefect.get_most_recent_block_schema_for_block_type(kind.id)
    assert schema is not None
    assert list(schema.fields["properties"]) == ["value"]
    assert schema.fields["properties"]["value"]["format"] == "password"
    assert schema.fields["secret_fields"] == ["value"]


async def test_a_secret_is_in_no_log_and_in_no_answer(system: System) -> None:
    asset = make(system, "Tried", secrets={"api_key": SECRET})
    run_id = system.start("sees", inputs={"assets": [asset["name"]]})
    run = system.ended(run_id)
    assert run["status"] == "success"
    answers = [
        system.get(path)
        for path in (
            f"/rest/playbook_run/{run_id}",
            f"/rest/playbook_run/{run_id}/log?page_size=0",
            f"/rest/playbook_run/{run_id}/actions?page_size=0",
            "/rest/app_run?page_size=0",
            "/rest/asset?page_size=0",
            "/rest/audit?page_size=1000",
        )
    ]
    assert "asking" in json.dumps(answers[1])
    assert SECRET not in json.dumps(answers)
    for log in (system.home / "logs").iterdir():
        assert SECRET not in log.read_text(errors="replace"), log


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, 'Asset "{name}": the secret api_key is not set'),
        (
            {"secrets": {"api_key": "x"}, "configuration": {"port": 99999}},
            (
                'Asset "{name}": the setting port cannot be 99999: '
                "input should be less than or equal to 65535"
            ),
        ),
        ({"secrets": {"api_key": f"wrong {SECRET}"}}, "h refuses the API key"),
    ],
)
async def test_what_is_wrong_with_an_asset_is_said_in_a_sentence(
    system: System, fields: dict[str, Any], sentence: str
) -> None:
    asset = make(system, "Tried", **fields)
    run = system.ended(system.start("sees", inputs={"assets": [asset["name"]]}))
    assert run["status"] == "failed"
    assert seen(run) == [sentence.format(name=asset["name"])]


async def test_a_missing_asset_and_a_deleted_block_are_said_in_a_sentence(
    system: System, prefect: PrefectClient
) -> None:
    run = system.ended(system.start("sees", inputs={"assets": ["nowhere"]}))
    assert json.loads(run["message"])["message"] == 'Asset "nowhere" of app Tried not found'
    asset = make(system, "Tried", secrets={"api_key": SECRET})
    block = await block_of(prefect, asset)
    await prefect.delete_block_document(block.id)
    run = system.ended(system.start("sees", inputs={"assets": [asset["name"]]}))
    assert seen(run) == [
        (
            f'Asset "{asset["name"]}": the secret api_key is gone, since Prefect has no block '
            f'"{block.name}"; set it again'
        )
    ]
    system.post(f"/rest/asset/{asset['id']}", {"secrets": {"api_key": SECRET}})
    run = system.ended(system.start("sees", inputs={"assets": [asset["name"]]}))
    assert seen(run) == [digest(SECRET)] * 2


async def test_a_run_knows_the_assets_that_it_may_use(system: System) -> None:
    app = f"Known {uuid4().hex}"
    names = [make(system, app, disabled=disabled)["name"] for disabled in (False, True, False)]
    run = system.ended(system.start("knows", inputs={"app": app}))
    assert seen(run) == [f"{names[0]}, {names[2]}"]


def most_at_once(file: Path) -> int:
    """How many worked at once at most."""
    at_work = most = 0
    for line in file.read_text().splitlines():
        at_work += 1 if line.startswith("+") else -1
        most = max(most, at_work)
    return most


async def test_never_more_actions_at_once_than_the_limit_in_two_runs(
    system: System, tmp_path: Path
) -> None:
    asset = make(system, "Worked", action_limit=2)
    file = tmp_path / "work"
    inputs = {"asset": asset["name"], "times": 10, "file": str(file)}
    runs = [system.start("works", inputs=inputs | {"number": number}) for number in (0, 10)]
    assert [system.ended(run_id)["status"] for run_id in runs] == ["success", "success"]
    assert most_at_once(file) == 2
    assert len(file.read_text().splitlines()) == 40


async def test_waiting_for_a_slot_does_not_count_for_an_actions_time_limit(system: System) -> None:
    asset = make(system, "Worked", action_limit=1)
    run = system.ended(system.start("hurries", inputs={"asset": asset["name"]}))
    assert sorted(seen(run)) == [f"{number} done on {asset['name']}" for number in range(6)]


async def test_a_killed_runs_slot_comes_back_long_before_its_lease_is_over(
    system: System, prefect: PrefectClient, database: Database, tmp_path: Path
) -> None:
    asset = make(system, "Worked", action_limit=1)
    file, never = tmp_path / "work", tmp_path / "never"
    inputs = {"asset": asset["name"], "times": 1, "file": str(file)}
    holder = system.start("works", inputs=inputs | {"until": str(never)})
    process = system.executing(holder)["misc"]["process_id"]
    await noted(file, 1)
    await told(database, holder)
    waiting = system.start("works", inputs=inputs | {"number": 7})
    system.executing(waiting)
    os.kill(process, signal.SIGKILL)
    killed = time.monotonic()
    assert system.ended(waiting)["status"] == "success"
    took = time.monotonic() - killed
    print(f"the slot of a killed run was used again after {took:.1f} s")
    assert took < LEASE_SECONDS  # or it may have come back by that alone
    assert system.ended(holder)["status"] == "failed"
    assert (await limit_of(prefect, asset)).active_slots == 0


@pytest.mark.long
async def test_slots_outlive_a_killed_server_and_are_given_back(
    system: System, prefect: PrefectClient, tmp_path: Path
) -> None:
    asset = make(system, "Worked", action_limit=1)
    file, go = tmp_path / "work", tmp_path / "go"
    inputs = {"asset": asset["name"], "times": 1, "file": str(file)}
    holder = system.start("works", inputs=inputs | {"until": str(go)})
    await noted(file, 1)
    server = system.part("prefect server start")
    server.kill()
    waiting = system.start("works", inputs=inputs | {"number": 7})
    system.executing(waiting)
    await answers(prefect)
    assert (await limit_of(prefect, asset)).active_slots == 1
    assert most_at_once(file) == 1
    go.touch()
    assert [system.ended(run_id)["status"] for run_id in (holder, waiting)] == ["success"] * 2
    assert most_at_once(file) == 1
    assert (await limit_of(prefect, asset)).active_slots == 0


async def noted(file: Path, lines: int) -> None:
    """Wait until so much was noted."""
    with anyio.fail_after(RUN_SECONDS):
        while len(await lines_of(file)) < lines:
            await anyio.sleep(0.05)


@contextmanager
def as_a_run(system: System) -> Iterator[None]:
    """Let slots be taken by this process as a run's would."""
    settings = {PREFECT_API_URL: system.prefect_url, PREFECT_API_AUTH_STRING: system.prefect_auth}
    slot_leases._client.cache_clear()
    with temporary_settings(settings):
        client = slot_leases._client()
        yield
    client.__exit__(None, None, None)
    slot_leases._client.cache_clear()


async def test_a_slot_is_renewed_while_it_is_held_and_told_of(
    system: System, prefect: PrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_leases, "RENEW_SECONDS", 0.1)
    asset = make(system, "Worked", action_limit=1)
    limit = await limit_of(prefect, asset)
    told: list[Any] = []
    with as_a_run(system):
        leases = SlotLeases()
        lease = await run_sync(leases.take, limit.name, told.append)
        assert await run_sync(leases.take, limit.name, told.append) is None
        file = anyio.Path(system.home / "prefect" / "concurrency_leases" / f"{lease}.json")
        first = json.loads(await file.read_text())["expiration"]
        with anyio.fail_after(RUN_SECONDS):
            while json.loads(await file.read_text())["expiration"] == first:
                await anyio.sleep(0.05)
        await run_sync(leases.give_back, lease)
        with anyio.fail_after(RUN_SECONDS):
            while told != [[lease], []]:
                await anyio.sleep(0.05)
    assert (await limit_of(prefect, asset)).active_slots == 0


@pytest.fixture
async def database(system: System) -> AsyncIterator[Database]:
    """The installation's own."""
    database = Database(database_url(socket_url(Home(system.home)), "phantom"))
    yield database
    await database.close()


async def test_a_slot_that_a_server_lost_is_free_again_and_a_lost_limit_is_made_again(
    system: System,
    prefect: PrefectClient,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("prefect_phantom.adapters.prefect.assets.assets.LOST_SECONDS", 0.0)
    keeper = PrefectAssets(database=database, client=prefect, apps=Apps(database))
    lost, used, gone = (make(system, "Worked", action_limit=2) for _ in range(3))
    taken = GlobalConcurrencyLimitUpdate(active_slots=1)
    limit = await limit_of(prefect, lost)
    await prefect.update_global_concurrency_limit(limit.name, taken)
    await prefect.delete_global_concurrency_limit_by_name((await limit_of(prefect, gone)).name)
    file, go = tmp_path / "work", tmp_path / "go"
    inputs = {"asset": used["name"], "times": 1, "file": str(file), "until": str(go)}
    run_id = system.start("works", inputs=inputs)
    await noted(file, 1)
    await keeper.compare_limits()
    assert (await limit_of(prefect, lost)).active_slots == 0
    assert (await limit_of(prefect, used)).active_slots == 1
    assert (await limit_of(prefect, gone)).limit == 2
    go.touch()
    assert system.ended(run_id)["status"] == "success"


async def told(database: Database, playbook_run_id: int) -> None:
    """Wait until the gateway knows which slots the run holds, which it is told beside the work."""
    query = text("SELECT cardinality(leases) FROM held_slots WHERE playbook_run_id = :id")
    with anyio.fail_after(RUN_SECONDS):
        async with database.read() as connection:
            while not await connection.scalar(query, {"id": playbook_run_id}):
                await anyio.sleep(0.05)


async def lines_of(file: Path) -> list[str]:
    """The lines of a file that may not be there yet."""
    path = anyio.Path(file)
    return (await path.read_text()).splitlines() if await path.exists() else []


async def answers(prefect: PrefectClient) -> None:
    """Wait until Prefect's server answers again."""
    with anyio.fail_after(RUN_SECONDS):
        while await prefect.api_healthcheck() is not None:
            await anyio.sleep(0.2)
