"""Runs that start by themselves when containers and artifacts come."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

from prefect_phantom.adapters.between.announcement import Announcement
from prefect_phantom.adapters.store.tables.tables import playbook_runs, playbooks

LABEL = "automated"


@pytest.fixture(scope="module", autouse=True)
async def shelves(database) -> dict[str, int]:
    """Ids of playbooks, most of which are meant for the label."""
    asks = {"properties": {"text": {"type": "string"}}, "required": ["text"]}
    may = {"properties": {"text": {"type": "string", "default": ""}}}
    rows = {
        "matching": {"labels": [LABEL], "active": True},
        "for all": {"labels": ["*"], "active": True},
        "of another label": {"labels": ["other"], "active": True},
        "without labels": {"active": True},
        "inactive": {"labels": [LABEL]},
        "disabled": {"labels": [LABEL], "active": True, "disabled": True},
        "broken": {"labels": [LABEL], "active": True, "error": "SyntaxError"},
        "asking": {"labels": [LABEL], "active": True, "input_schema": asks},
        "with defaults": {"labels": ["defaults"], "active": True, "input_schema": may},
    }
    async with database.begin() as connection:
        return {
            name: await connection.scalar(
                insert(playbooks)
                .values(repository="local", name=name, **row)
                .returning(playbooks.c.id)
            )
            for name, row in rows.items()
        }


@pytest.fixture
def post(client):
    async def post(path: str, body: object) -> dict:
        response = await client.post(f"/rest/{path}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    return post


@pytest.fixture
def quiet(post):
    """Makes a container that starts nothing."""

    async def quiet(label: str = LABEL) -> int:
        return (await post("container", {"name": "quiet", "label": label}))["id"]

    return quiet


@pytest.fixture
def runs(database):
    """The runs on a container, in their order."""

    async def runs(container_id: int) -> list:
        async with database.read() as connection:
            query = select(playbook_runs).where(playbook_runs.c.container_id == container_id)
            return list(await connection.execute(query.order_by(playbook_runs.c.id)))

    return runs


def started(runs: list, shelves: dict[str, int]) -> list[str]:
    names = {id_: name for name, id_ in shelves.items()}
    return sorted(names[run.playbook_id] for run in runs)


async def test_an_artifact_starts_each_active_playbook_of_the_label_once(
    post, quiet, runs, shelves
):
    container = await quiet()
    answer = await post("artifact", {"container_id": container})
    assert list(answer) == ["id", "success"]
    made = await runs(container)
    assert started(made, shelves) == ["for all", "matching"]
    assert {(run.scope, run.after_artifact, run.last_artifact) for run in made} == {
        ("new", 0, answer["id"])
    }


async def test_a_playbook_of_every_label_starts_on_any(post, quiet, runs, shelves):
    container = await quiet("whatever")
    await post("artifact", {"container_id": container})
    assert started(await runs(container), shelves) == ["for all"]


async def test_a_playbook_whose_inputs_have_defaults_starts(post, quiet, runs, shelves):
    container = await quiet("defaults")
    await post("artifact", {"container_id": container})
    assert started(await runs(container), shelves) == ["for all", "with defaults"]


async def test_a_container_alone_starts_nothing_unless_it_says_so(post, quiet, runs, shelves):
    container = await quiet()
    assert await runs(container) == []
    new = {"name": "n", "label": LABEL, "run_automation": True}
    answer = await post("container", new)
    assert list(answer) == ["success", "id"]
    assert started(await runs(answer["id"]), shelves) == ["for all", "matching"]


async def test_a_container_with_twenty_artifacts_starts_each_playbook_once(post, runs, shelves):
    artifacts = [{"name": f"a{number}"} for number in range(20)]
    new = {"name": "n", "label": LABEL, "artifacts": artifacts, "run_automation": True}
    answer = await post("container", new)
    made = await runs(answer["id"])
    assert started(made, shelves) == ["for all", "matching"]
    newest = max(each["id"] for each in answer["artifacts"])
    assert {(run.after_artifact, run.last_artifact) for run in made} == {(0, newest)}


async def test_artifacts_of_a_container_start_playbooks_unless_each_says_no(post, runs):
    quiet = {"name": "a", "run_automation": False}
    new = {"name": "n", "label": LABEL, "artifacts": [quiet, quiet]}
    assert await runs((await post("container", new))["id"]) == []
    new["artifacts"] = [quiet, {"name": "b"}]
    assert len(await runs((await post("container", new))["id"])) == 2


@pytest.mark.parametrize("no", [False, 0, "false", "False"])
async def test_an_artifact_that_says_no_starts_nothing(post, quiet, runs, no):
    container = await quiet()
    await post("artifact", {"container_id": container, "run_automation": no})
    assert await runs(container) == []


async def test_what_is_neither_true_nor_false_is_refused(client, quiet, runs):
    container = await quiet()
    body = {"container_id": container, "run_automation": "perhaps"}
    response = await client.post("/rest/artifact", json=body)
    assert response.status_code == 400
    message = 'run_automation must be true or false, not "perhaps"'
    assert response.json() == {"failed": True, "message": message}
    assert await runs(container) == []


async def test_a_second_artifact_is_all_that_the_second_run_sees(post, quiet, runs):
    container = await quiet("whatever")
    first = (await post("artifact", {"container_id": container}))["id"]
    second = (await post("artifact", {"container_id": container}))["id"]
    assert [(run.after_artifact, run.last_artifact) for run in await runs(container)] == [
        (0, first),
        (first, second),
    ]


async def test_artifacts_that_said_no_are_seen_with_the_next_that_does_not(post, quiet, runs):
    container = await quiet("whatever")
    await post("artifact", {"container_id": container, "run_automation": False})
    last = (await post("artifact", {"container_id": container}))["id"]
    (run,) = await runs(container)
    assert (run.after_artifact, run.last_artifact) == (0, last)


async def test_an_array_for_several_containers_starts_playbooks_once_for_each(
    post, quiet, runs, shelves
):
    here, there = await quiet(), await quiet()
    known = {"container_id": here, "source_data_identifier": "known", "run_automation": False}
    await post("artifact", known)
    answer = await post(
        "artifact",
        [
            {"container_id": here},
            {"container_id": str(there)},
            known | {"run_automation": True},
            {"container_id": 10**9},
            {"container_id": here, "severity": 3},
            42,
            {"container_id": there},
            {"container_id": str(here)},
        ],
    )
    assert ["id" in each for each in answer] == [True, True, False, False, False, False, True, True]
    assert "existing_artifact_id" in answer[2]
    assert answer[3]["message"] == f'Container "{10**9}" not found'
    assert "severity must be" in answer[4]["message"]
    for container, last in ((here, answer[7]["id"]), (there, answer[6]["id"])):
        made = await runs(container)
        assert started(made, shelves) == ["for all", "matching"]
        assert {(run.after_artifact, run.last_artifact) for run in made} == {(0, last)}


async def test_an_array_of_which_nothing_works_starts_nothing(client, post, quiet, runs):
    container = await quiet()
    known = {"container_id": container, "source_data_identifier": "known", "run_automation": False}
    await post("artifact", known)
    again = known | {"run_automation": True}
    assert (await client.post("/rest/artifact", json=[again, again])).status_code == 400
    assert (await client.post("/rest/artifact", json=again)).status_code == 400
    assert await runs(container) == []


async def test_each_artifact_of_an_array_is_in_the_audit(client, post, quiet):
    container = await quiet("whatever")
    answer = await post("artifact", [{"container_id": container}] * 3)
    entries = (await client.get("/rest/audit")).json()[:4]
    made = [each["object_id"] for each in reversed(entries) if each["path"] == "/rest/artifact"]
    assert made == [each["id"] for each in answer]


async def test_the_audit_says_what_started_by_itself_and_why_something_did_not(
    client, quiet, runs, shelves, credentials
):
    container = await quiet()
    headers = {"ph-auth-token": credentials.automation_token}
    response = await client.post(
        "/rest/artifact", json={"container_id": container}, headers=headers
    )
    assert response.status_code == 200
    entries = [
        each
        for each in (await client.get("/rest/audit")).json()
        if f"on container {container}" in each["message"]
    ]
    assert {
        (each["user"], each["ip_address"], each["method"], each["path"]) for each in entries
    } == {(credentials.automation_id, "192.0.2.1", "POST", "/rest/playbook_run")}
    made = {run.playbook_id: run.id for run in await runs(container)}
    on = f"by itself on container {container}"
    assert {(each["object_id"], each["status"], each["message"]) for each in entries} == {
        (made[shelves["matching"]], 200, f"local/matching started {on}"),
        (made[shelves["for all"]], 200, f"local/for all started {on}"),
        (None, 400, f"local/disabled did not start {on}: it is disabled"),
        (None, 400, f"local/broken did not start {on}: it does not import"),
        (None, 400, f"local/asking did not start {on}: it asks for inputs"),
    }


async def test_the_runs_are_the_callers_with_the_priority_of_automation(
    anonymous, quiet, runs, credentials
):
    container, identifier = await quiet("whatever"), f"request-{uuid4()}"
    response = await anonymous.post(
        "/rest/artifact",
        json={"container_id": container},
        auth=("admin", credentials.password),
        headers={"X-Request-ID": identifier},
    )
    assert response.status_code == 200
    (run,) = await runs(container)
    assert (run.owner_id, run.effective_user_id) == (credentials.administrator_id,) * 2
    assert (run.ip_address, run.request_id) == ("127.0.0.1", identifier)
    assert (run.queue_time - run.start_time).total_seconds() == 600


async def test_the_dispatcher_is_told(post, quiet, dispatch):
    await dispatch.wait(0)
    container = await quiet()
    assert not await dispatch.wait(0)
    await post("artifact", {"container_id": container})
    assert await dispatch.wait(0)


async def test_who_may_only_edit_containers_starts_what_an_administrator_made_active(
    client, anonymous, quiet, runs
):
    role = {"name": f"ingests {uuid4()}", "permissions": ["edit_containers"]}
    role_id = (await client.post("/rest/role", json=role)).json()["id"]
    user = {"username": f"ingest {uuid4()}", "type": "automation", "roles": [role_id]}
    token = (await client.post("/rest/ph_user", json=user)).json()["token"]
    container = await quiet()
    response = await anonymous.post(
        "/rest/artifact", json={"container_id": container}, headers={"ph-auth-token": token}
    )
    assert response.status_code == 200
    assert len(await runs(container)) == 2


async def test_artifacts_at_once_are_each_new_to_one_run_of_a_playbook(post, quiet, runs):
    container = await quiet("whatever")
    answers = await asyncio.gather(
        *(post("artifact", {"container_id": container}) for _ in range(12))
    )
    ids = sorted(answer["id"] for answer in answers)
    seen = [
        id_
        for run in await runs(container)
        for id_ in ids
        if run.after_artifact < id_ <= run.last_artifact
    ]
    assert sorted(seen) == ids


async def test_changes_of_containers_and_artifacts_start_nothing(post, quiet, runs):
    container = await quiet("nobody's")
    artifact = await post("artifact", {"container_id": container, "run_automation": False})
    await post(f"artifact/{artifact['id']}", {"name": "n", "run_automation": True})
    await post(f"container/{container}", {"label": LABEL, "run_automation": True})
    assert await runs(container) == []


async def test_prefect_is_told_of_what_was_made_and_of_nothing_else(client, post, quiet, announced):
    container = await quiet()
    announced.clear()
    known = {"container_id": container, "source_data_identifier": "known", "label": "ioc"}
    first = (await post("artifact", known | {"severity": "low"}))["id"]
    assert (await client.post("/rest/artifact", json=known)).status_code == 400
    second = await post("artifact", [known, {"container_id": container}])
    new = {"name": "n", "label": "told", "artifacts": [{}, 42], "run_automation": False}
    third = await post("container", new)
    assert announced == [
        Announcement(container, LABEL, first, "ioc", "low"),
        Announcement(container, LABEL, second[1]["id"], "event", "medium"),
        Announcement(third["id"], "told", None, "told", "medium"),
        Announcement(third["id"], "told", third["artifacts"][0]["id"], "event", "medium"),
    ]
