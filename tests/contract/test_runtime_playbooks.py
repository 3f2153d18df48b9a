"""What workers report of playbooks, and which report holds when they differ."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from prefect_phantom.adapters.between.repositories import Repositories
from prefect_phantom.adapters.errors import AppsUnknown
from prefect_phantom.adapters.prefect.assets import apps
from prefect_phantom.adapters.store.database.database import SERVER_SETTINGS, Database
from prefect_phantom.adapters.store.playbooks import (
    forgotten_playbooks,
    playbook_reports,
    playbooks,
)
from prefect_phantom.adapters.store.starts import dispatch_status
from tests.runtime_key import KEY

FOLDER = "/srv/playbooks"
Ask = Callable[..., Awaitable[httpx.Response]]


def playbook(name: str, **fields: Any) -> dict[str, Any]:
    entrypoint = f"{name}.py:{name}"
    described = {"repository": "local", "name": name, "folder": FOLDER, "entrypoint": entrypoint}
    return {**described, "digest": "d1", **fields}


@pytest.fixture(autouse=True)
async def nobody_has_reported(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(text("TRUNCATE playbooks, playbook_reports CASCADE"))


@pytest.fixture
def report(ask: Ask) -> Callable[..., Awaitable[None]]:
    """Has a worker tell what it has."""

    async def report(worker: str, digest: str, *found: dict[str, Any], **further: Any) -> None:
        rows = [{**each, "digest": digest} for each in found]
        message = {"digest": digest, "playbooks": rows, **further}
        answer = await ask(f"workers/{worker}/playbooks", KEY, message)
        assert (answer.status_code, answer.json()) == (200, {"known": True}), answer.text

    return report


@pytest.fixture
def gone(database: Database) -> Callable[[str], Awaitable[None]]:
    """Has a worker not be heard of for a minute, and the gateway look at that."""

    async def gone(worker: str) -> None:
        query = text(
            "UPDATE playbook_reports SET seen_time = now() - interval '1 minute' WHERE worker = :w"
        )
        async with database.begin() as connection:
            await connection.execute(query, {"w": worker})
        await playbook_reports.settle(database, Repositories())

    return gone


@pytest.fixture
def shelf(database: Database) -> Callable[[], Awaitable[dict[str, str]]]:
    """The digest of each playbook that is there, by its name."""

    async def shelf() -> dict[str, str]:
        rows = await playbooks.read_all(database)
        return {row.name: row.digest for row in rows if row.gone_time is None}

    return shelf


async def test_what_a_worker_reports_can_be_started_by_name_at_once(
    report, client: httpx.AsyncClient, container: int
) -> None:
    await report("one", "d1", playbook("hunt", description="Hunt", labels=["events"]))
    body = {"container_id": container, "playbook_id": "local/hunt", "run": True}
    assert (await client.post("/rest/playbook_run", json=body)).json()["received"] is True
    (row,) = (await client.get("/rest/playbook?_filter_name='hunt'")).json()["data"]
    assert (row["description"], row["labels"]) == ("Hunt", ["events"])


async def test_a_worker_that_still_has_them_says_only_that(ask: Ask, report, shelf) -> None:
    async def known(digest: str) -> bool:
        answer = await ask("workers/one/playbooks", KEY, {"digest": digest})
        told: bool = answer.json()["known"]
        return told

    assert await known("d1") is False
    await report("one", "d1", playbook("hunt"))
    assert await known("d1") is True
    assert await known("d2") is False
    assert await shelf() == {"hunt": "d1"}


async def test_of_two_workers_the_newest_report_holds(report, shelf) -> None:
    await report("one", "d1", playbook("hunt"))
    await report("two", "d2", playbook("hunt"), playbook("more"))
    assert await shelf() == {"hunt": "d2", "more": "d2"}


async def test_a_worker_that_starts_again_with_old_contents_is_not_the_newest(
    report, shelf
) -> None:
    await report("one", "d1", playbook("hunt"))
    await report("two", "d2", playbook("hunt"))
    await report("one", "d1", playbook("hunt"))
    assert await shelf() == {"hunt": "d2"}


async def test_when_the_newest_worker_is_gone_one_that_is_there_holds(report, gone, shelf) -> None:
    await report("one", "d1", playbook("hunt"))
    await report("two", "d2", playbook("hunt"), playbook("more"))
    await gone("two")
    assert await shelf() == {"hunt": "d1"}
    await report("two", "d2", playbook("hunt"), playbook("more"))
    assert await shelf() == {"hunt": "d2", "more": "d2"}


async def test_when_every_worker_is_gone_all_stays_as_it_was(report, gone, shelf) -> None:
    await report("one", "d1", playbook("hunt"))
    await report("two", "d2", playbook("more"))
    await gone("one")
    await gone("two")
    assert await shelf() == {"more": "d2"}


async def test_a_worker_whose_folder_is_not_mounted_yet_takes_nothing_away(
    report, gone, shelf
) -> None:
    await report("one", "d1", playbook("hunt"))
    await report("late", "d0", empty_folders=[FOLDER])
    assert await shelf() == {"hunt": "d1"}
    await gone("one")
    assert await shelf() == {}
    await report("late", "d2", playbook("hunt"))
    assert await shelf() == {"hunt": "d2"}


async def test_a_report_of_somebody_who_does_not_stay_holds_until_the_next(
    report, gone, shelf
) -> None:
    await report("one", "d1", playbook("hunt"))
    await report("build", "d2", playbook("hunt"), lasting=True)
    await gone("build")
    assert await shelf() == {"hunt": "d2"}
    await report("one", "d3", playbook("hunt"))
    await gone("one")
    assert await shelf() == {"hunt": "d3"}


async def test_what_any_workers_apps_declare_secret_is_secret(
    database: Database, report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apps, "WAIT_SECONDS", 0.0)
    await report("one", "d1", playbook("hunt"))
    with pytest.raises(AppsUnknown):
        await apps.Apps(database).secrets_of("Desk")
    await report("one", "d1", playbook("hunt"), app_secrets={"Desk": ["pin"], "Whois": []})
    await report("two", "d1", playbook("hunt"), app_secrets={"Desk": ["badge"]})
    # A worker that starts again says so later, and what it said before stands.
    await report("two", "d1", playbook("hunt"))
    assert await apps.Apps(database).secrets_of("Desk") == {"pin", "badge"}
    assert await apps.Apps(database).secrets_of("None") == set()


async def test_a_playbook_comes_back_with_its_id(database: Database, report) -> None:
    async def row() -> playbooks.Playbook:
        (found,) = [each for each in await playbooks.read_all(database) if each.name == "hunt"]
        return found

    await report("one", "d1", playbook("hunt"))
    first = await row()
    await report("one", "d2", playbook("other"))
    assert (await row()).gone_time is not None
    await report("one", "d1", playbook("hunt"))
    assert (await row()).id == first.id
    assert ((await row()).gone_time, (await row()).error) == (None, "")


@pytest.fixture
async def hunt(database: Database, report) -> playbooks.Playbook:
    """A playbook with a deployment, of which worker one has old code and worker two the newest."""
    await report("one", "d1", playbook("hunt"))
    await report("two", "d2", playbook("hunt"))
    (row,) = await playbooks.read_all(database)
    await playbooks.record_deployment(
        database, row.id, uuid4(), digest=row.deployment_digest, isolation="fork"
    )
    return await playbooks.read(database, row.id)


@pytest.fixture
def accepted(client: httpx.AsyncClient, container: int) -> Callable[[], Awaitable[int]]:
    """Accepts a run of local/hunt; returns its id."""

    async def accepted() -> int:
        body = {"container_id": container, "playbook_id": "local/hunt", "run": True}
        return int((await client.post("/rest/playbook_run", json=body)).json()["playbook_run_id"])

    return accepted


async def test_a_worker_is_told_which_runs_to_leave_to_others(
    ask: Ask, database: Database, hunt: playbooks.Playbook
) -> None:
    async def lacking(worker: str) -> list[str]:
        ids = [str(hunt.deployment_id), str(uuid4())]
        answer = await ask(f"workers/{worker}/lacking", KEY, {"deployment_ids": ids})
        registered = {str(hunt.deployment_id): hunt.registered_digest}
        assert answer.json()["versions"] == registered
        told: list[str] = answer.json()["deployment_ids"]
        return told

    assert await lacking("one") == [str(hunt.deployment_id)]
    assert await lacking("two") == []
    assert await lacking("never heard of, such as Prefect's own") == []
    assert await playbook_reports.lacking(database, hunt.id) == {"one"}


@pytest.mark.parametrize("change", [{"folder": "/srv/moved"}, {"entrypoint": "moved.py:hunt"}])
async def test_runs_wait_until_prefect_knows_where_their_code_is(
    ask: Ask, database: Database, hunt: playbooks.Playbook, report, change: dict[str, str]
) -> None:
    await report("two", "d3", playbook("hunt", **change))

    async def left() -> list[str]:
        ids = [str(hunt.deployment_id)]
        answer = await ask("workers/two/lacking", KEY, {"deployment_ids": ids})
        told: list[str] = answer.json()["deployment_ids"]
        return told

    assert await left() == [str(hunt.deployment_id)]
    moved = await playbooks.read(database, hunt.id)
    assert hunt.deployment_id is not None
    await playbooks.record_deployment(
        database, hunt.id, hunt.deployment_id, digest=moved.deployment_digest, isolation="fork"
    )
    assert await left() == []


async def test_runs_of_what_no_longer_imports_wait_for_no_registration(
    ask: Ask, database: Database, hunt: playbooks.Playbook, report
) -> None:
    broken = playbook("hunt", entrypoint="hunt.py", error="It does not import")
    await report("two", "d3", broken)
    assert hunt.deployment_id is not None
    await playbooks.record_deployment(
        database, hunt.id, hunt.deployment_id, digest="older", isolation="fork"
    )
    answer = await ask(
        "workers/another/lacking", KEY, {"deployment_ids": [str(hunt.deployment_id)]}
    )
    assert answer.json()["deployment_ids"] == []


async def test_a_worker_that_begins_leaves_runs_to_others_until_it_has_reported(
    ask: Ask, database: Database, hunt: playbooks.Playbook, report, shelf, holder
) -> None:
    await ask("workers/three/started", KEY, await holder("three", "boot pid"))
    assert await playbook_reports.lacking(database, hunt.id) == {"one", "three"}
    assert await shelf() == {"hunt": "d2"}
    await report("three", "d2", playbook("hunt"))
    assert await playbook_reports.lacking(database, hunt.id) == {"one"}


async def test_the_same_code_at_another_path_is_not_the_same(
    database: Database, hunt: playbooks.Playbook, report
) -> None:
    await report("three", "d2", playbook("hunt", folder="/srv/elsewhere"))
    await report("four", "d4", playbook("more"))
    await report("two", "d5", playbook("hunt"))
    assert await playbook_reports.lacking(database, hunt.id) == {"one", "three", "four"}


@pytest.mark.attack(
    "a worker with old code of a playbook takes its run from Prefect all the same",
    "its claim is refused, and the run begins where the newest code is",
)
async def test_a_run_is_claimed_only_where_the_newest_code_is(
    ask: Ask, hunt: playbooks.Playbook, accepted, change
) -> None:
    run_id, flow_run_id = await accepted(), str(uuid4())
    await change(run_id, dispatch_time=datetime.now(UTC), flow_run_id=UUID(flow_run_id))
    message = {
        "claim_id": str(uuid4()), "flow_run_id": flow_run_id, "playbook": "hunt",
        "deployment_id": str(hunt.deployment_id), "playbook_run_id": run_id, "container_id": 1,
        "scope": "all", "inputs": None, "hostname": "h", "process_id": 7, "process_start": 1.5,
    }  # fmt: skip
    refused = await ask("claim", KEY, {**message, "worker": "one"})
    assert refused.status_code == 409, refused.text
    assert refused.json()["begins_elsewhere"] is True
    assert refused.json()["message"] == (
        "Worker one has other code of playbook local/hunt than it should"
    )
    taken = await ask("claim", KEY, {**message, "worker": "two"})
    assert taken.json()["playbook_run_id"] == run_id


async def test_a_flow_run_that_began_in_prefect_gets_no_row_where_the_code_is_old(
    ask: Ask, client: httpx.AsyncClient, hunt: playbooks.Playbook, container: int
) -> None:
    message = {
        "claim_id": str(uuid4()), "flow_run_id": str(uuid4()), "playbook": "hunt",
        "deployment_id": str(hunt.deployment_id), "playbook_run_id": None,
        "container_id": container, "scope": "all", "inputs": None, "hostname": "h",
        "process_id": 7, "process_start": 1.5,
    }  # fmt: skip
    refused = await ask("claim", KEY, {**message, "worker": "one"})
    assert refused.json()["begins_elsewhere"] is True
    rows = (await client.get(f"/rest/playbook_run?_filter_playbook={hunt.id}")).json()
    assert rows["count"] == 0
    assert (await ask("claim", KEY, {**message, "worker": "two"})).status_code == 200


async def test_a_run_that_waits_says_who_has_its_code(
    database: Database, hunt: playbooks.Playbook, accepted, read, gone
) -> None:
    await dispatch_status.note_reached(database, "phantom", workers=2, slots=None)
    run_id = await accepted()
    assert hunt.digest == "d2"
    assert (await read(run_id))["misc"]["waiting"] == (
        "Only worker two has the newest code of its playbook"
    )
    async with database.begin() as connection:
        # As between the moment when a worker is gone and the next look at that.
        await connection.execute(
            text("UPDATE playbook_reports SET seen_time = 'epoch' WHERE worker = 'two'")
        )
    assert (await read(run_id))["misc"]["waiting"] == (
        "No worker has the newest code of its playbook: not worker one"
    )
    await gone("two")
    assert (await read(run_id))["misc"]["waiting"] == "It is being handed to Prefect"


async def test_health_tells_what_each_worker_has(
    client: httpx.AsyncClient, hunt: playbooks.Playbook, report
) -> None:
    await report("late", "d0", empty_folders=[FOLDER])
    told = (await client.get("/rest/prefect_phantom/health")).json()["playbook_reports"]
    assert hunt.digest == "d2"
    assert [(each["worker"], each["digest"], each["holds"]) for each in told] == [
        ("late", "d0", False),
        ("one", "d1", False),
        ("two", "d2", True),
    ]
    assert told[0]["empty_folders"] == [FOLDER]


async def test_a_playbook_that_is_gone_is_not_listed_and_a_start_of_it_is_accepted(
    client: httpx.AsyncClient, report, hunt: playbooks.Playbook, accepted
) -> None:
    async def listed(query: str = "") -> list[str]:
        answer = await client.get(f"/rest/playbook?page_size=0{query}")
        return [each["name"] for each in answer.json()["data"]]

    await report("two", "d3", playbook("more"))
    assert await listed() == ["more"]
    assert await listed("&_filter_gone=True") == ["hunt"]
    assert await listed(f"&_filter_id={hunt.id}") == ["hunt"]
    assert await listed("&_filter_id__gt=0") == ["more"]
    shown = (await client.get(f"/rest/playbook/{hunt.id}")).json()
    assert (shown["gone"], shown["passed_validation"]) == (True, False)
    assert await accepted() > 0


async def test_automation_leaves_out_what_is_gone_and_says_why(
    client: httpx.AsyncClient, report
) -> None:
    await report("one", "d1", playbook("hunt", labels=["rare"]))
    (row,) = (await client.get("/rest/playbook")).json()["data"]
    await client.post(f"/rest/playbook/{row['id']}", json={"active": True})
    await report("one", "d2", playbook("more"))
    new = {"name": "c", "label": "rare", "artifacts": [{"name": "a"}]}
    container_id = (await client.post("/rest/container", json=new)).json()["id"]
    audit = (await client.get("/rest/audit?sort=id&order=desc&page_size=5")).text
    said = f"local/hunt did not start by itself on container {container_id}"
    assert f"{said}: it is no longer in its repository" in audit


@pytest.fixture
def long_gone(database: Database) -> Callable[[], Awaitable[None]]:
    """Has what is gone be so for a minute."""

    async def long_gone() -> None:
        async with database.begin() as connection:
            await connection.execute(
                text("UPDATE playbooks SET gone_time = gone_time - interval '1 minute'")
            )

    return long_gone


@pytest.fixture
async def gone_hunt(
    hunt: playbooks.Playbook, report, accepted, deployments, long_gone
) -> tuple[int, int]:
    """The ids of a playbook that is gone, and of a run that waits for it."""
    assert hunt.deployment_id is not None
    deployments.known[hunt.deployment_id] = ["nightly: cron 0 0 * * *"]
    run_id = await accepted()
    await report("two", "d3", playbook("more"))
    await long_gone()
    return hunt.id, run_id


async def test_forgetting_a_playbook_names_what_goes_with_it_and_deletes_it(
    client: httpx.AsyncClient, gone_hunt: tuple[int, int], deployments, read
) -> None:
    playbook_id, run_id = gone_hunt
    path = f"/rest/playbook/{playbook_id}"
    preview = (await client.post(path, json={"forget": True, "preview": True})).json()
    going = {"schedules": ["nightly: cron 0 0 * * *"], "playbook_runs": [run_id], "kept": True}
    assert preview == {"success": True, "id": playbook_id, "forgotten": False, **going}
    assert (await read(run_id))["status"] == "running"
    assert deployments.known
    done = (await client.post(path, json={"forget": True})).json()
    assert done == {"success": True, "id": playbook_id, "forgotten": True, **going}
    run = await read(run_id)
    assert run["status"] == "failed"
    assert "The playbook local/hunt was forgotten" in run["message"]
    assert deployments.known == {}
    shown = (await client.get(path)).json()
    assert (shown["gone"], shown["deployment_id"]) == (True, None)


async def test_one_that_no_run_refers_to_is_gone_for_good(
    client: httpx.AsyncClient, report, long_gone
) -> None:
    await report("one", "d1", playbook("hunt"))
    (row,) = (await client.get("/rest/playbook")).json()["data"]
    await report("one", "d2", playbook("more"))
    await long_gone()
    path = f"/rest/playbook/{row['id']}"
    assert (await client.post(path, json={"forget": True})).json()["kept"] is False
    assert (await client.get(path)).status_code == 404


async def test_a_playbook_whose_file_is_there_is_not_forgotten(
    client: httpx.AsyncClient, hunt: playbooks.Playbook
) -> None:
    answer = await client.post(f"/rest/playbook/{hunt.id}", json={"forget": True})
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "Playbook local/hunt is in its repository; take its file away first",
    )


async def test_a_playbook_whose_file_is_gone_since_a_moment_is_not_forgotten(
    client: httpx.AsyncClient, hunt: playbooks.Playbook, report, deployments
) -> None:
    deployments.known[hunt.deployment_id] = []
    await report("two", "d3", playbook("more"))
    for preview in (True, False):
        body = {"forget": True, "preview": preview}
        answer = await client.post(f"/rest/playbook/{hunt.id}", json=body)
        assert answer.status_code == 400
        assert "may be about to come back" in answer.json()["message"]
    assert deployments.known == {hunt.deployment_id: []}


async def test_a_file_that_comes_back_in_time_keeps_its_deployment(
    client: httpx.AsyncClient, gone_hunt: tuple[int, int], report, deployments, monkeypatch, read
) -> None:
    playbook_id, run_id = gone_hunt
    known = dict(deployments.known)

    async def schedules(_: UUID) -> list[str]:
        await report("two", "d4", playbook("hunt"))
        return []

    monkeypatch.setattr(deployments, "schedules", schedules)
    answer = await client.post(f"/rest/playbook/{playbook_id}", json={"forget": True})
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "Playbook local/hunt is in its repository; take its file away first",
    )
    assert deployments.known == known
    assert (await read(run_id))["status"] == "running"


async def test_a_file_that_comes_back_too_late_is_that_of_a_new_playbook(
    client: httpx.AsyncClient, gone_hunt: tuple[int, int], report, deployments, monkeypatch
) -> None:
    playbook_id, _ = gone_hunt
    coming: list[asyncio.Task[None]] = []

    async def delete(deployment_id: UUID) -> None:
        coming.append(asyncio.create_task(report("two", "d4", playbook("hunt"))))
        del deployments.known[deployment_id]

    monkeypatch.setattr(deployments, "delete", delete)
    path = f"/rest/playbook/{playbook_id}"
    answer = await client.post(path, json={"forget": True})
    assert answer.json()["forgotten"] is True
    await coming[0]
    shown = (await client.get(path)).json()
    assert (shown["gone"], shown["deployment_id"]) == (False, None)


async def test_a_playbook_is_forgotten_however_slow_prefect_is(
    database: Database, gone_hunt: tuple[int, int], deployments, monkeypatch
) -> None:
    monkeypatch.setitem(SERVER_SETTINGS, "idle_in_transaction_session_timeout", "20")
    hasty = Database(database.url)

    async def delete(deployment_id: UUID) -> None:
        async with database.read() as connection:
            await connection.execute(text("SELECT pg_sleep(0.1)"))
        await deployments.delete(deployment_id)

    playbook_id, _ = gone_hunt
    gone = await forgotten_playbooks.forget(hasty, playbook_id, delete)
    await hasty.close()
    assert gone.deployment_id not in deployments.known


async def test_without_prefect_nothing_is_forgotten(
    client: httpx.AsyncClient, gone_hunt: tuple[int, int], deployments, read
) -> None:
    playbook_id, run_id = gone_hunt
    deployments.away = True
    try:
        answer = await client.post(f"/rest/playbook/{playbook_id}", json={"forget": True})
    finally:
        deployments.away = False
    assert answer.status_code == 503
    assert (await read(run_id))["status"] == "running"


@pytest.mark.parametrize(
    "message",
    [
        {"digest": ""},
        {"playbooks": []},
        {"digest": "d1", "playbooks": [playbook("1")]},
        {"digest": "d1", "playbooks": [playbook("hunt", isolation="none")]},
        {"digest": "d1", "playbooks": [playbook("x" * 300)]},
        {"digest": "d1", "playbooks": [{"name": "hunt"}]},
    ],
)
async def test_a_report_that_makes_no_sense_changes_nothing(ask: Ask, shelf, message) -> None:
    answer = await ask("workers/one/playbooks", KEY, message)
    assert answer.status_code == 400, answer.text
    assert await shelf() == {}


async def test_a_report_has_a_bound(ask: Ask, report, shelf) -> None:
    await report("one", "d1", *(playbook(f"hunt_{number}") for number in range(300)))
    assert len(await shelf()) == 300
    large = [playbook(f"hunt_{n}", description="x" * 90_000) for n in range(100)]
    answer = await ask("workers/one/playbooks", KEY, {"digest": "d2", "playbooks": large})
    assert answer.status_code == 413
    assert len(await shelf()) == 300


@pytest.mark.attack(
    "somebody without the runtime key reports playbooks of his own", "401, nothing is changed"
)
@pytest.mark.parametrize("shown", [None, "wrong"])
async def test_a_report_without_the_key_is_refused(ask: Ask, report, shelf, shown) -> None:
    await report("one", "d1", playbook("hunt"))
    message = {"digest": "d2", "playbooks": [playbook("evil")]}
    assert (await ask("workers/two/playbooks", shown, message)).status_code == 401
    assert await shelf() == {"hunt": "d1"}
