"""Contract 3 and our decisions: /rest/playbook."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, select

from prefect_phantom.adapters.store.tables.tables import playbook_runs, playbooks


@pytest.fixture
async def playbook(database) -> int:
    """A playbook of this test's own, whose id may be changed."""
    row = insert(playbooks).values(repository="spare", name="spare").returning(playbooks.c.id)
    async with database.begin() as connection:
        identifier = await connection.scalar(row)
    yield identifier
    async with database.begin() as connection:
        spare = select(playbooks.c.id).where(playbooks.c.repository == "spare")
        await connection.execute(
            delete(playbook_runs).where(playbook_runs.c.playbook_id.in_(spare))
        )
        await connection.execute(delete(playbooks).where(playbooks.c.repository == "spare"))


async def test_they_are_listed_in_the_envelope(client, shelf):
    answer = (await client.get("/rest/playbook?page_size=0")).json()
    assert list(answer) == ["count", "num_pages", "data"]
    assert (answer["count"], answer["num_pages"]) == (7, 1)
    broken = next(row for row in answer["data"] if row["id"] == shelf.broken)
    assert (broken["name"], broken["repository"]) == ("broken", "local")
    assert broken["error"] == "SyntaxError: invalid syntax"
    assert broken["passed_validation"] is False


@pytest.mark.parametrize(
    ("query", "shown", "pages"),
    [
        ("", 7, 1),
        ("?page_size=3", 3, 3),
        ("?page_size=3&page=2", 1, 3),
        ("?page_size=%223%22&page='1'", 3, 3),
        ("?page_size=0&page=0", 7, 1),
        ("?page=0&page_size=25&unknown=x&pretty", 7, 1),
    ],
)
@pytest.mark.usefixtures("shelf")
async def test_they_come_in_pages(client, query, shown, pages):
    answer = (await client.get(f"/rest/playbook{query}")).json()
    assert (len(answer["data"]), answer["num_pages"], answer["count"]) == (shown, pages, 7)


@pytest.mark.parametrize("query", ["page=1", "page=3&page_size=3", "page=1&page_size=0"])
@pytest.mark.usefixtures("shelf")
async def test_past_the_end_there_are_no_results(client, query):
    response = await client.get(f"/rest/playbook?{query}")
    assert response.status_code == 400
    assert "That page contains no results" in response.json()["message"]


@pytest.mark.parametrize("query", ["page=-1", "page=x", "page_size=", "page_size=1.5"])
async def test_a_page_that_is_no_number_is_refused(client, query):
    response = await client.get(f"/rest/playbook?{query}")
    assert response.status_code == 400
    assert "must be an integer of 0 or more" in response.json()["message"]


async def test_one_is_read(client, shelf):
    answer = (await client.get(f"/rest/playbook/{shelf.my_playbook}/")).json()
    assert (answer["id"], answer["name"]) == (shelf.my_playbook, "my_playbook")
    assert answer["active"] is True


@pytest.mark.parametrize("unknown", ["999999", "abc", "0", "9" * 30])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_one_is_not_found(client, method, unknown):
    response = await client.request(method, f"/rest/playbook/{unknown}", json={"id": 5})
    assert response.status_code == 404
    assert response.json()["message"] == f'Playbook "{unknown}" not found'


async def test_an_administrator_gives_it_another_id(client, playbook):
    response = await client.post(f"/rest/playbook/{playbook}", json={"id": "4200"})
    assert response.status_code == 200
    assert response.json() == {"success": True, "id": 4200}
    assert (await client.get("/rest/playbook/4200")).json()["name"] == "spare"
    assert (await client.get(f"/rest/playbook/{playbook}")).status_code == 404


async def test_runs_follow_the_new_id(client, start, read, playbook):
    run_id = (await start(playbook_id=playbook)).json()["playbook_run_id"]
    await client.post(f"/rest/playbook/{playbook}", json={"id": 4300})
    assert (await read(run_id))["playbook"] == 4300


async def test_the_id_of_another_playbook_is_refused(client, shelf, playbook):
    response = await client.post(f"/rest/playbook/{playbook}", json={"id": shelf.broken})
    assert response.status_code == 400


@pytest.mark.parametrize("body", [{"id": None}, {"id": "x"}, {"id": 0}, {"id": 2**62}])
async def test_what_is_no_id_is_refused(client, playbook, body):
    response = await client.post(f"/rest/playbook/{playbook}", json=body)
    assert response.status_code == 400


async def test_no_other_field_can_be_updated(client, playbook):
    response = await client.post(f"/rest/playbook/{playbook}", json={"id": 5, "active": False})
    assert response.status_code == 400
    assert '["active"]' in response.json()["message"]


async def test_others_lack_the_permission(anonymous, playbook, credentials):
    response = await anonymous.post(
        f"/rest/playbook/{playbook}",
        json={"id": 4400},
        headers={"ph-auth-token": credentials.automation_token},
    )
    assert response.status_code == 403
    assert response.json() == {
        "failed": True,
        "message": 'User "script" lacks the permission "administer"',
    }
