"""Contract 1.6, 3 and 6: lists, single things and fields, and what they show."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import DBAPIError

from prefect_phantom.adapters.rest.contract.lists import Lists
from prefect_phantom.adapters.store.database.database import LIST_CONNECTIONS
from prefect_phantom.adapters.store.listing.page import LARGEST_BATCH, Listing, Page
from prefect_phantom.adapters.store.listing.request import ListRequest
from prefect_phantom.adapters.store.listing.resources import RESOURCES
from prefect_phantom.adapters.store.tables.tables import (
    action_runs,
    app_runs,
    artifacts,
    containers,
    run_log,
)

RESULTS = [
    {"parameter": {"a": 1}, "status": "success", "message": "m", "data": [{"b": 2}], "summary": {}}
]


@pytest.fixture
async def acted(database, run_id, container):
    """An ended action run, with one app run, of the run `run_id`; returns their ids."""
    async with database.begin() as connection:
        action = insert(action_runs).values(
            playbook_run_id=run_id, container_id=container, start_key=uuid4(), name="look",
            action="whois ip", app="WHOIS", status="success", message="1 actions succeeded",
        )  # fmt: skip
        action_run = await connection.scalar(action.returning(action_runs.c.id))
        app = insert(app_runs).values(
            action_run_id=action_run, playbook_run_id=run_id, container_id=container,
            asset_name="whois", app="WHOIS", action="whois ip", status="success", message="m",
            entries=[{"parameter": {}, "status": "success", "message": "m"},
                     {"parameter": {}, "status": "failed", "message": "n"}],
            result_data=RESULTS,
        )  # fmt: skip
        app_run = await connection.scalar(app.returning(app_runs.c.id))
    return action_run, app_run


@pytest.fixture
def data(client):
    """The things of a list."""

    async def data(path: str) -> list[dict]:
        response = await client.get(f"/rest/{path}")
        assert response.status_code == 200, response.text
        content = response.json()
        assert list(content) == ["count", "num_pages", "data"]
        return content["data"]

    return data


@pytest.mark.usefixtures("acted")
async def test_a_run_in_a_list_is_the_run_object(client, data, run_id, change):
    [listed] = await data(f"playbook_run?_filter_id={run_id}&include_expensive")
    single = (await client.get(f"/rest/playbook_run/{run_id}")).json()
    single["misc"]["waiting"] = None
    assert listed == single
    assert list(listed) == list(single)
    await change(run_id, status="success", end_time=datetime.now(UTC), result=[])
    assert await data(f"playbook_run?_filter_id={run_id}&include_expensive=True") == [
        (await client.get(f"/rest/playbook_run/{run_id}")).json()
    ]


@pytest.mark.usefixtures("acted")
async def test_results_in_a_run_are_shown_in_a_list_only_when_asked_for(data, run_id):
    [short] = await data(f"playbook_run?_filter_id={run_id}")
    [long] = await data(f'playbook_run?_filter_id={run_id}&include_expensive="True"')
    assert json.loads(short["message"])["playbook"] == "local/my_playbook"
    assert json.loads(short["message"])["result"] == []
    assert json.loads(long["message"])["result"][0]["action"] == "whois ip"
    assert [name for name in short if short[name] != long[name]] == ["message"]


async def test_pretty_adds_names_and_readable_times(data, run_id, change):
    await change(run_id, start_time=datetime(2021, 4, 12, 18, 31, 27, tzinfo=UTC))
    [plain] = await data(f"playbook_run?_filter_id={run_id}&pretty=False")
    assert not [name for name in plain if name.startswith("_")]
    for spelling in ("pretty", "pretty=true", "pretty=True", 'pretty="1"'):
        [run] = await data(f"playbook_run?_filter_id={run_id}&{spelling}")
        assert list(run)[: len(plain)] == list(plain)
        assert run["_pretty_playbook"] == "my_playbook"
        assert run["_pretty_scm_name"] == "local"
        assert run["_pretty_container"] == "incident"
        assert run["_pretty_owner"] == "operator"
        assert run["_pretty_effective_user"] == "operator"
        assert run["_pretty_start_time"] == "Apr 12 at 06:31 PM"


async def test_action_runs_and_app_runs_are_read_under_their_runs(client, data, run_id, acted):
    action_run, app_run = acted
    for path in ("actions?pretty&page_size=0", "action_runs?pretty"):
        [action] = await data(f"playbook_run/{run_id}/{path}")
        assert (action["id"], action["action"], action["playbook_run"]) == (
            action_run, "whois ip", run_id,
        )  # fmt: skip
        assert action["_pretty_has_app_runs"] is True
    for query in (
        "_filter_playbook_run",
        "_filter_playbook_run_id",
        "_filter_action_run__playbook_run",
    ):
        [app] = await data(f"app_run?{query}={run_id}")
        assert app["id"] == app_run
    [app] = await data(f"action_run/{action_run}/app_runs")
    assert app["exception_occured"] is False
    assert app["result_summary"] == {"total_objects": 2, "total_objects_successful": 1}
    assert "result_data" not in app
    [app] = await data(
        f"app_run?_filter_action_run={action_run}&include_expensive=True&pretty=True"
    )
    assert app["result_data"] == RESULTS
    assert app["_pretty_action_run"] == "look"
    single = (await client.get(f"/rest/app_run/{app_run}")).json()
    assert single["result_data"] == RESULTS
    assert list(single)[:4] == ["status", "node_guid", "action_run", "extra_data"]


async def test_block_results_are_the_action_runs_of_a_run_with_their_outputs(
    client, data, database, run_id, acted
):
    action_run, app_run = acted
    [block] = await data(f"playbook_run/{run_id}/block_results")
    assert list(block) == [
        *("id", "name", "action", "app_name", "status", "message", "outputs", "playbook_run"),
        *("create_time", "close_time", "version"),
    ]
    assert (block["id"], block["name"], block["status"]) == (action_run, "look", "success")
    output = {"app_run": app_run, "asset": "whois", "parameter": {}}
    assert block["outputs"] == [
        output | {"status": "success", "message": "m"},
        output | {"status": "failed", "message": "n"},
    ]
    async with database.begin() as connection:
        await connection.execute(
            update(app_runs).where(app_runs.c.id == app_run).values(status="running")
        )
    [block] = await data(
        f'playbook_run/{run_id}/block_results?_filter_outputs__0__status="running"'
    )
    assert [each["status"] for each in block["outputs"]] == ["running", "running"]
    assert await data(f'playbook_run/{run_id}/block_results?_filter_status="failed"') == []
    missing = await client.get("/rest/playbook_run/999999/block_results")
    assert (missing.status_code, missing.json()) == (
        404, {"failed": True, "message": 'Playbook run "999999" not found'},
    )  # fmt: skip


async def test_a_field_alone_is_an_object_with_it(client, run_id, container, acted, shelf):
    for path, answer in {
        f"app_run/{acted[1]}/playbook_run": {"playbook_run": run_id},
        f"app_run/{acted[1]}/result_data": {"result_data": RESULTS},
        f"action_run/{acted[0]}/action": {"action": "whois ip"},
        f"playbook_run/{run_id}/container": {"container": container},
        f"playbook_run/{run_id}/cancelled/": {"cancelled": ""},
        f"container/{container}/name": {"name": "incident"},
        f"playbook/{shelf.broken}/repository": {"repository": "local"},
        "severity/1/name": {"name": "high"},
    }.items():
        response = await client.get(f"/rest/{path}")
        assert (response.status_code, response.json()) == (200, answer)


async def test_a_container_has_its_artifacts_and_runs(data, container, add_artifact, run_id):
    mine = [await add_artifact(container), await add_artifact(container)]
    assert [row["id"] for row in await data(f"container/{container}/artifacts?sort=id")] == mine
    assert [
        row["id"] for row in await data(f"artifact?_filter_container__exact={container}")
    ] == mine
    [run] = await data(f"container/{container}/playbook_runs")
    assert run["id"] == run_id
    for name in ("comments", "notes", "pins"):
        assert await data(f"container/{container}/{name}") == []


async def test_the_log_of_a_run_is_read_in_order(database, data, run_id):
    async with database.begin() as connection:
        rows = [{"playbook_run_id": run_id, "message": m, "message_type": t} for m, t in
                [("began", 1), ("Traceback", 0)]]  # fmt: skip
        await connection.execute(insert(run_log), rows)
    lines = await data(f"playbook_run/{run_id}/log?page_size=0&sort=time")
    assert [(line["message"], line["message_type"]) for line in lines] == [
        ("began", 1), ("Traceback", 0),
    ]  # fmt: skip
    assert lines[0]["time"].endswith("Z")
    [line] = await data(f'playbook_run/{run_id}/log?_filter_message__icontains="TRACE"')
    assert line["message_type"] == 0


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("container/999999/artifacts", 'Container "999999" not found'),
        ("container/x/playbook_runs", 'Container "x" not found'),
        ("playbook_run/999999/log", 'Playbook run "999999" not found'),
        ("playbook_run/0/actions", 'Playbook run "0" not found'),
        ("playbook_run/999999/status", 'Playbook run "999999" not found'),
        ("action_run/999999", 'Action run "999999" not found'),
        ("action_run/999999/app_runs", 'Action run "999999" not found'),
        ("app_run/99999999999999999999", 'App run "99999999999999999999" not found'),
        ("severity/4", 'Severity "4" not found'),
        ("approval/1", 'Approval "1" not found'),
        ("severity/1/nothing", "Unknown endpoint /rest/severity/1/nothing"),
        ("severity/1/name/more", "Unknown endpoint /rest/severity/1/name/more"),
        ("nothing", "Unknown endpoint /rest/nothing"),
    ],
)
async def test_what_is_not_there_is_not_found(client, path, message):
    response = await client.get(f"/rest/{path}")
    assert response.status_code == 404
    assert response.json() == {"failed": True, "message": message}


@pytest.mark.usefixtures("container", "shelf")
async def test_small_lists_show_what_there_is(client, data):
    assert {row["name"] for row in await data("label")} >= {"events"}
    assert [row["name"] for row in await data("severity")] == ["high", "medium", "low"]
    assert [row["name"] for row in await data("container_status?sort=name&order=desc")] == [
        "open", "new", "closed",
    ]  # fmt: skip
    assert [(row["id"], row["name"], row["disabled"]) for row in await data("scm/")] == [
        (1, "local", False), (2, "examples", False),
    ]  # fmt: skip
    [playbook] = await data("playbook?_filter_name=only_examples&pretty")
    assert (playbook["scm"], playbook["_pretty_scm"]) == (2, "examples")
    [field] = await data("cef?_filter_name__iexact=sourceaddress")
    assert field["contains"] == ["ip"]
    assert {row["username"] for row in await data("ph_user?_filter_type=automation")} >= {"script"}
    approvals = '_filter_status="pending"&_filter_action_run__container_id="1"&sort=start_time'
    assert await data(f'approval?{approvals}&order=asc&page_size="200"&pretty=True') == []
    notes = "_filter_container_id=1&pretty=True&page=0&page_size=100&order=desc&sort=modified_time"
    assert await data(f"note?{notes}&_annotation_container_attachments=True") == []
    assert (await client.get("/rest/version")).json()["version"]
    system = (await client.get("/rest/system_info")).json()
    assert (system["base_url"], system["time_zone"]) == ("http://gateway", "UTC")


@pytest.fixture(scope="module")
async def crowd(database):
    """A container with more artifacts than are read at once."""
    count = 2 * LARGEST_BATCH + 7
    async with database.begin() as connection:
        new = insert(containers).values(
            name="crowd", label="crowd", hash="", source_data_identifier="c"
        )
        container = await connection.scalar(new.returning(containers.c.id))
        rows = [
            {
                "container_id": container,
                "name": f"a{n % 10}",
                "hash": f"h{n}",
                "source_data_identifier": str(n),
            }
            for n in range(count)
        ]
        await connection.execute(insert(artifacts), rows)
    return container, count


@pytest.mark.parametrize("size", [0, LARGEST_BATCH + 1, 100_000])
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("further", ["", "&include_expensive"])
async def test_large_pages_come_whole_and_in_order(client, crowd, size, order, further):
    container, count = crowd
    query = f"_filter_container={container}&page_size={size}&sort=name&order={order}{further}"
    content = (await client.get(f"/rest/artifact?{query}")).json()
    assert content["count"] == count
    shown = count if size in {0, 100_000} else size
    assert content["num_pages"] == (1 if shown == count else 3)
    keys = [(row["name"], row["id"]) for row in content["data"]]
    assert len(keys) == shown
    assert keys == sorted(keys, reverse=order == "desc")


async def test_pages_together_are_the_whole_list(client, crowd):
    container, count = crowd
    seen: list[int] = []
    for page in range(11):
        query = f"_filter_container={container}&page_size=20&page={page}"
        content = (await client.get(f"/rest/artifact?{query}")).json()
        assert (content["count"], content["num_pages"]) == (count, 11)
        seen += [row["id"] for row in content["data"]]
    assert len(set(seen)) == len(seen) == count
    past = await client.get(f"/rest/artifact?_filter_container={container}&page_size=20&page=11")
    assert (past.status_code, "That page contains no results" in past.text) == (400, True)


async def test_what_goes_away_while_a_list_is_sent_is_left_out(database, container):
    """A whole batch vanishes, so that one in the middle of the answer is empty."""
    async with database.begin() as connection:
        rows = [{"container_id": container, "hash": "", "source_data_identifier": str(n)}
                for n in range(2 * LARGEST_BATCH + 1)]  # fmt: skip
        await connection.execute(insert(artifacts), rows)
    mine = artifacts.c.container_id == container
    request = ListRequest(page_size=0).where("container", container)
    page = await Listing(database, RESOURCES["artifact"], RESOURCES).read(request)
    first = await anext(page.batches)
    async with database.begin() as connection:
        last = first[-1]["id"]
        second = artifacts.c.id.between(last + 1, last + LARGEST_BATCH)
        await connection.execute(delete(artifacts).where(mine, second))
    batches = [batch async for batch in page.batches]
    assert [len(batch) for batch in batches] == [0, 1]

    async def again():
        for batch in (batches[0], batches[1], batches[0], batches[1]):
            yield batch

    page = Page(2, 1, large=True, batches=again())
    lines = Lists(RESOURCES["artifact"])._lines(None, page, pretty=False)
    content = json.loads("".join([line async for line in lines]))
    assert [row["container"] for row in content["data"]] == [container, container]


async def test_head_of_a_list_is_answered(client):
    assert (await client.head("/rest/container")).status_code == 200


async def test_lists_that_take_too_long_end_and_hold_up_nothing_else(client, database, start):
    """As many lists as there are connections stand before a locked table; all else goes on."""
    async with database.begin() as connection:
        await connection.execute(text("LOCK TABLE app_runs IN ACCESS EXCLUSIVE MODE"))
        lists = [asyncio.create_task(client.get("/rest/app_run")) for _ in range(4)]
        served_meanwhile = False
        body = {"name": "beside", "label": "events"}
        for _ in range(10):
            assert (await start()).status_code == 200
            made = (await client.post("/rest/container", json=body)).json()["id"]
            assert (await client.get(f"/rest/container/{made}")).status_code == 200
            # However slow this machine is, the first of these came before any of those.
            served_meanwhile = served_meanwhile or not any(each.done() for each in lists)
        assert served_meanwhile
        answers = await asyncio.gather(*lists)
    assert {each.status_code for each in answers} == {400}
    assert all("takes longer than 5 s" in each.json()["message"] for each in answers)
    assert (await client.get("/rest/app_run")).status_code == 200


@pytest.mark.attack(
    "more slow lists than there are connections, so that others have none",
    "the next connection is for whoever has none",
)
async def test_a_users_list_waits_for_one_of_another_users_at_most(database):
    order = []

    async def read(user: str, end: asyncio.Event) -> None:
        async with database.list(user):
            order.append(user)
            await end.wait()

    first, others = asyncio.Event(), asyncio.Event()
    lists = [asyncio.create_task(read("hog", first))]
    lists += [asyncio.create_task(read("hog", others)) for _ in range(15)]
    while len(order) < LIST_CONNECTIONS:
        await asyncio.sleep(0.01)
    lists.append(asyncio.create_task(read("ana", others)))
    await asyncio.sleep(0)
    first.set()
    await lists[0]
    while "ana" not in order:
        await asyncio.sleep(0.01)
    assert order.index("ana") == LIST_CONNECTIONS
    others.set()
    await asyncio.gather(*lists)


@pytest.mark.attack("regular expressions that PostgreSQL would try in all ways", "refused")
@pytest.mark.parametrize("lookup", ["regex", "iregex"])
async def test_a_pattern_that_would_be_tried_in_all_ways_is_refused(client, lookup):
    for pattern in (r"(.*)(.*)(.*)(.*)(.*)c\1", r"\\(a)\1", r"(a)[b]\1"):
        parameters = {f"_filter_description__{lookup}": pattern}
        response = await client.get("/rest/container", params=parameters)
        assert response.status_code == 400
        assert "a regular expression without back-references" in response.json()["message"]
    for pattern in (r"\\1", r"(a*)*b", r"\d1"):
        parameters = {f"_filter_description__{lookup}": pattern}
        assert (await client.get("/rest/container", params=parameters)).status_code == 200


@pytest.mark.attack(
    "other regular expressions that keep processors busy, several at once",
    "one by one, each ended after a second; other lists wait for none",
)
async def test_lists_with_patterns_have_a_second_and_hold_up_no_other_list(client, database):
    async with database.begin() as connection:
        await connection.execute(text("LOCK TABLE app_runs IN ACCESS EXCLUSIVE MODE"))
        patterns = [
            asyncio.create_task(client.get("/rest/app_run?_filter_message__regex=a"))
            for _ in range(3)
        ]
        for _ in range(10):
            assert (await client.get("/rest/container")).status_code == 200
        answers = await asyncio.gather(*patterns)
    assert {each.status_code for each in answers} == {400}
    assert all("takes longer than 1 s" in each.json()["message"] for each in answers)


async def test_a_list_cannot_write(database):
    async with database.list() as connection:
        with pytest.raises(DBAPIError, match="read-only"):
            await connection.execute(text("DELETE FROM artifacts"))
