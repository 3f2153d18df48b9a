"""What runs change through the runtime API: once each, by a live attempt, in its user's name."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, update

from prefect_phantom.adapters.store.tables.tables import playbook_runs, playbooks
from tests.runtime_key import KEY

NEW = {
    "artifacts": {"artifact": {"name": "found", "cef": {"sourceAddress": "192.0.2.9"}}},
    "notes": {"entry": {"title": "t", "content": "c", "note_type": "general"}},
    "comments": {"entry": {"comment": "seen"}},
    "pins": {"entry": {"message": "look", "data": "here", "pin_style": "red"}},
    "list_rows": {"name": "watched", "row": ["192.0.2.9", 3], "create": True},
}
CHANGES = {**NEW, "containers": {"status": "open", "severity": "high"}}
LISTS = {"artifacts": "artifact", "notes": "note", "comments": "container_comment",
         "pins": "container_pin", "list_rows": "decided_list"}  # fmt: skip


@pytest.fixture
def say(ask):
    """Sends a change with a key of its own, unless one is given."""

    async def say(path: str, token: str, message: dict, key: str | None = None):
        return await ask(path, token, {"key": key or str(uuid4()), **message})

    return say


@pytest.fixture
def count(client):
    async def count(path: str) -> int:
        return (await client.get(f"/rest/{LISTS[path]}")).json()["count"]

    return count


@pytest.mark.parametrize("path", CHANGES)
async def test_nobody_changes_anything_without_the_token_of_a_live_attempt(
    ask, say, claim, client, path
):
    message = CHANGES[path]
    assert (await ask(path, None, {"key": str(uuid4()), **message})).status_code == 401
    assert (await say(path, KEY, message)).status_code == 409
    over, cancelled = await claim(), await claim()
    await ask("end", over["token"], {"status": "success", "message": ""})
    await client.post(f"/rest/playbook_run/{cancelled['playbook_run_id']}", json={"cancel": True})
    for run, reason in ((over, "has ended"), (cancelled, "was cancelled")):
        answer = await say(path, run["token"], message)
        assert answer.status_code == 409
        assert reason in answer.json()["message"]


@pytest.mark.parametrize("path", CHANGES)
async def test_a_stale_attempt_is_refused(say, claim, change, path):
    run = await claim()
    await change(run["playbook_run_id"], attempt_token_hash=uuid4().bytes)
    answer = await say(path, run["token"], CHANGES[path])
    assert (answer.status_code, answer.json()["held_elsewhere"]) == (409, True)


@pytest.mark.parametrize("path", NEW)
async def test_what_is_asked_for_again_is_made_once(say, claim, client, count, path):
    run, key = await claim(), str(uuid4())
    first = await say(path, run["token"], NEW[path], key)
    assert first.status_code == 200, first.text
    before = await count(path)
    newest = (await client.get("/rest/audit")).json()[0]["id"]
    again = await say(path, run["token"], NEW[path], key)
    assert again.json() == first.json()
    assert await count(path) == before
    assert (await client.get("/rest/audit")).json()[0]["id"] == newest
    assert (await say(path, (await claim())["token"], NEW[path], key)).status_code == 200


async def test_a_row_that_is_asked_for_again_stands_in_the_list_once(say, claim, client):
    run, key, name = await claim(), str(uuid4()), f"list {uuid4()}"
    message = {"name": name, "row": ["a", None], "create": True}
    for _ in range(2):
        assert (await say("list_rows", run["token"], message, key)).status_code == 200
    assert (await say("list_rows", run["token"], {**message, "row": [2]})).status_code == 200
    content = (await client.get(f"/rest/decided_list/{name}")).json()["content"]
    assert content == [["a", None], [2]]


@pytest.mark.parametrize("path", ["notes", "comments", "pins"])
async def test_the_author_is_the_user_of_the_run(say, claim, client, container, path):
    run = await claim()
    made = (await say(path, run["token"], NEW[path])).json()["id"]
    read = (await client.get(f"/rest/{LISTS[path]}/{made}")).json()
    author = read.get("author", read.get("user"))
    user = (await client.get(f"/rest/playbook_run/{run['playbook_run_id']}")).json()
    assert author == user["effective_user"] is not None
    assert read["container"] == container
    assert {name: read[name] for name in NEW[path]["entry"]} == NEW[path]["entry"]


@pytest.mark.parametrize("path", CHANGES)
async def test_the_audit_has_the_user_and_the_run(say, claim, client, path):
    run = await claim()
    made = (await say(path, run["token"], CHANGES[path])).json()["id"]
    owner = (await client.get(f"/rest/playbook_run/{run['playbook_run_id']}")).json()["owner"]
    entries = (await client.get("/rest/audit")).json()
    entry = next(each for each in entries if each["path"] == f"/runtime/{path}")
    assert (entry["user"], entry["object_id"], entry["status"]) == (owner, made, 200)
    assert entry["message"] == f"By playbook run {run['playbook_run_id']}"


async def test_status_and_severity_are_those_of_the_runs_container(say, claim, client, container):
    run = await claim()
    assert (await say("containers", run["token"], {"status": "closed"})).status_code == 200
    assert (await say("containers", run["token"], {"severity": "low"})).status_code == 200
    read = (await client.get(f"/rest/container/{container}")).json()
    assert (read["status"], read["severity"]) == ("closed", "low")
    assert read["close_time"] is not None


async def test_another_container_can_be_named(say, claim, client):
    run = await claim()
    new = {"name": "other", "label": "events"}
    other = (await client.post("/rest/container", json=new)).json()["id"]
    for path in set(CHANGES) - {"list_rows"}:
        answer = await say(path, run["token"], {**CHANGES[path], "container_id": other})
        assert answer.status_code == 200, answer.text
    assert (await client.get(f"/rest/container/{other}/artifacts")).json()["count"] == 1
    assert (await client.get(f"/rest/container/{other}")).json()["severity"] == "high"


@pytest.mark.parametrize(
    ("path", "message", "status", "sentence"),
    [
        ("artifacts", {"container_id": 10**9, "artifact": {}}, 404, "not found"),
        ("artifacts", {"artifact": {"cef": [1]}}, 400, "cef must be an object"),
        ("artifacts", {"artifact": {"run_automation": "perhaps"}}, 400, "true or false"),
        ("artifacts/999999", {"artifact": {"name": "n"}}, 404, 'Artifact "999999" not found'),
        ("artifacts/1", {"artifact": {}}, 400, "names nothing that can be changed"),
        ("containers", {}, 400, "names nothing that can be changed"),
        ("containers", {"status": ""}, 400, "status"),
        ("notes", {"entry": {"title": "t"}}, 400, "content is required"),
        ("notes", {"entry": {"content": "c", "artifact_id": 10**9}}, 400, "artifact_id must be"),
        ("comments", {"entry": {"comment": ""}}, 400, "comment must be"),
        ("list_rows", {"name": "unknown", "row": [1]}, 404, 'Custom list "unknown" not found'),
        ("list_rows", {"name": "999999", "row": [1]}, 404, 'Custom list "999999" not found'),
        ("list_rows", {"name": "12", "row": [1], "create": True}, 400, "not only digits"),
        ("list_rows", {"name": "l", "row": [[1]], "create": True}, 400, "row"),
        ("pins", {"entry": {"message": "m"}, "key": "no uuid"}, 400, "key"),
    ],
)
async def test_what_cannot_be_is_refused_with_a_sentence_and_leaves_nothing(
    say, claim, client, path, message, status, sentence
):
    run = await claim()
    newest = (await client.get("/rest/audit")).json()[0]["id"]
    answer = await say(path, run["token"], message)
    assert answer.status_code == status, answer.text
    assert sentence in answer.json()["message"]
    assert (await client.get("/rest/audit")).json()[0]["id"] == newest


async def test_an_artifact_that_is_there_already_is_refused(say, claim, client, container):
    run = await claim()
    message = {"artifact": {"source_data_identifier": "known"}}
    made = (await say("artifacts", run["token"], message)).json()["id"]
    answer = await say("artifacts", run["token"], message)
    assert answer.status_code == 400
    assert answer.json()["existing_artifact_id"] == made
    assert (await client.get(f"/rest/container/{container}/artifacts")).json()["count"] == 1


async def test_fields_and_tags_are_added_to_an_artifact_or_replace_what_it_has(say, claim, client):
    run = await claim()
    new = {"cef": {"a": 1, "b": 2}, "cef_types": {"a": ["x"]}, "tags": ["one"], "name": "kept"}
    made = (await say("artifacts", run["token"], {"artifact": new})).json()["id"]
    changes = {"cef": {"b": 3, "c": 4}, "cef_types": {"c": ["y"]}, "tags": ["two", "one"]}
    path, message = f"artifacts/{made}", {"artifact": changes}
    assert (await say(path, run["token"], message)).json() == {"id": made}
    read = (await client.get(f"/rest/artifact/{made}")).json()
    assert read["cef"] == {"a": 1, "b": 3, "c": 4}
    assert read["cef_types"] == {"a": ["x"], "c": ["y"]}
    assert (read["tags"], read["name"]) == (["one", "two"], "kept")
    await say(path, run["token"], {**message, "overwrite": True})
    read = (await client.get(f"/rest/artifact/{made}")).json()
    assert {name: read[name] for name in changes} == changes


@pytest.fixture
async def ping_and_pong(database, shelf):
    """Two playbooks that start by themselves, beside the one that `claim` runs."""
    async with database.begin() as connection:
        await connection.execute(
            update(playbooks).where(playbooks.c.id == shelf.my_playbook).values(labels=["*"])
        )
        rows = [
            await connection.scalar(
                insert(playbooks)
                .values(repository="local", name=f"{name} {uuid4()}", labels=["*"], active=True)
                .returning(playbooks.c.id)
            )
            for name in ("ping", "pong")
        ]
    yield rows
    async with database.begin() as connection:
        await connection.execute(update(playbooks).values(labels=[]))


async def test_an_artifact_of_a_run_starts_the_others_and_never_what_brought_it_about(
    ask, say, claim, change, client, database, dispatch, shelf, ping_and_pong, container
):
    async def started_since(newest: int) -> list:
        async with database.read() as connection:
            query = select(playbook_runs).where(playbook_runs.c.id > newest)
            return list(await connection.execute(query.order_by(playbook_runs.c.playbook_id)))

    async def claim_of(run) -> str:
        flow_run_id = uuid4()
        await change(run.id, flow_run_id=flow_run_id, dispatch_time=func.now())
        message = {
            "claim_id": str(uuid4()), "flow_run_id": str(flow_run_id), "deployment_id": None,
            "playbook": "-", "playbook_run_id": run.id, "container_id": 1, "scope": "all",
            "inputs": None, "worker": None, "hostname": "h", "process_id": 7, "process_start": 1.5,
        }  # fmt: skip
        return (await ask("claim", KEY, message)).json()["token"]

    run = await claim()
    await dispatch.wait(0)
    made = (await say("artifacts", run["token"], {"artifact": {}})).json()["id"]
    assert await dispatch.wait(0)
    ping, pong = await started_since(run["playbook_run_id"])
    assert [ping.playbook_id, pong.playbook_id] == ping_and_pong
    assert {(each.scope, each.last_artifact, each.container_id) for each in (ping, pong)} == {
        ("new", made, container)
    }
    caller = (await client.get(f"/rest/playbook_run/{run['playbook_run_id']}")).json()
    assert ping.owner_id == ping.effective_user_id == caller["effective_user"]
    # What ping adds is new to pong alone, and what that one adds then to nobody.
    await say("artifacts", await claim_of(ping), {"artifact": {}})
    (second,) = await started_since(pong.id)
    assert second.playbook_id == pong.playbook_id
    await say("artifacts", await claim_of(second), {"artifact": {}})
    assert await started_since(second.id) == []
    left_out = [each["message"] for each in (await client.get("/rest/audit")).json()[:4]]
    assert sum("had a part in bringing these artifacts" in each for each in left_out) == 3
    # And nothing was lost: it is new to whoever runs the playbook next.
    body = {"container_id": container, "playbook_id": shelf.my_playbook, "run": True}
    next_run = (await client.post("/rest/playbook_run", json=body | {"scope": "new"})).json()
    async with database.read() as connection:
        is_it = playbook_runs.c.id == int(next_run["playbook_run_id"])
        mark = await connection.scalar(select(playbook_runs.c.after_artifact).where(is_it))
    assert mark < made


async def test_an_artifact_of_a_child_run_does_not_start_its_parents_playbook(
    say, claim, change, database, ping_and_pong
):
    parent, child = await claim(), await claim()
    await change(parent["playbook_run_id"], playbook_id=ping_and_pong[0])
    await change(child["playbook_run_id"], parent_run_id=parent["playbook_run_id"])
    await say("artifacts", child["token"], {"artifact": {}})
    async with database.read() as connection:
        query = select(playbook_runs.c.playbook_id).where(
            playbook_runs.c.id > child["playbook_run_id"]
        )
        assert list((await connection.execute(query)).scalars()) == [ping_and_pong[1]]


@pytest.mark.usefixtures("ping_and_pong")
async def test_an_artifact_of_a_run_may_say_that_it_starts_nothing(say, claim, database):
    run = await claim()
    await say("artifacts", run["token"], {"artifact": {"run_automation": False}})
    async with database.read() as connection:
        assert (
            await connection.scalar(select(func.max(playbook_runs.c.id)))
            == (run["playbook_run_id"])
        )
