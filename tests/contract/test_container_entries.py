"""Contract 3: notes, comments and pins of a container."""

from __future__ import annotations

import pytest

TYPES = {
    "note": {"title": "t", "content": "c", "note_type": "general", "note_format": "html"},
    "container_comment": {"comment": "looks benign"},
    "container_pin": {"message": "m", "data": "d", "pin_style": "red", "pin_type": "card_small"},
}
LISTS = {"note": "notes", "container_comment": "comments", "container_pin": "pins"}
DELETABLE = ["note", "container_pin"]


@pytest.fixture
def write(client, container):
    async def write(kind, **fields):
        body = {"container_id": container} | TYPES[kind] | fields
        body = {name: value for name, value in body.items() if value is not ...}
        return await client.post(f"/rest/{kind}", json=body)

    return write


@pytest.mark.parametrize("kind", TYPES)
async def test_one_is_written_and_read_everywhere(client, write, container, kind):
    response = await write(kind, unknown=1, author_id=1, user_id=1)
    assert response.status_code == 200
    made = response.json()["id"]
    assert response.json() == {"success": True, "id": made}
    one = (await client.get(f"/rest/{kind}/{made}?pretty")).json()
    assert {name: one[name] for name in TYPES[kind]} == TYPES[kind]
    writer = "user" if kind == "container_comment" else "author"
    assert (one["container"], one[f"_pretty_{writer}"]) == (container, "operator")
    for path in (f"container/{container}/{LISTS[kind]}", f"{kind}?_filter_container={container}"):
        [listed] = (await client.get(f"/rest/{path}")).json()["data"]
        assert listed["id"] == made
    [entry] = (await client.get("/rest/audit?page_size=1")).json()
    assert (entry["path"], entry["object_id"]) == (f"/rest/{kind}", made)
    related = f"_filter_{kind}__id={made}"
    [parent] = (await client.get(f"/rest/container?{related}")).json()["data"]
    assert parent["id"] == container


@pytest.mark.parametrize("kind", TYPES)
async def test_the_container_is_named_as_either_client_does_it(write, container, kind):
    assert (await write(kind, container_id=..., container=str(container))).status_code == 200
    missing = await write(kind, container_id=...)
    assert missing.json()["message"] == "container_id is required"
    unknown = await write(kind, container_id=999999)
    assert unknown.status_code == 404
    assert unknown.json()["message"] == 'Container "999999" not found'


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("note", {"content": ...}, "content is required"),
        ("note", {"content": ""}, "content must be a string that is not empty"),
        ("note", {"note_format": "pdf"}, 'note_format must be "markdown" or "html", not "pdf"'),
        ("note", {"title": 1}, "title must be a string"),
        ("note", {"artifact_id": 999999}, "artifact_id must be the id of an artifact of container"),
        ("container_comment", {"comment": None}, "comment is required"),
        ("container_comment", {"comment": {}}, "comment must be a string"),
        ("container_pin", {"message": ...}, "message is required"),
        ("container_pin", {"data": []}, "data must be a string"),
    ],
)
async def test_what_makes_no_sense_is_refused(client, write, container, kind, fields, message):
    response = await write(kind, **fields)
    assert response.status_code == 400
    assert response.json()["message"].startswith(message)
    listed = await client.get(f"/rest/container/{container}/{LISTS[kind]}")
    assert listed.json()["data"] == []


async def test_a_note_may_be_on_an_artifact_of_its_container(
    client, write, container, add_artifact
):
    artifact = await add_artifact(container)
    assert (await client.get(f"/rest/artifact/{artifact}/has_note")).json() == {"has_note": False}
    note = (await write("note", artifact_id=artifact)).json()["id"]
    assert (await client.get(f"/rest/note/{note}/artifact")).json() == {"artifact": artifact}
    assert (await client.get(f"/rest/artifact/{artifact}/has_note")).json() == {"has_note": True}
    other = await client.post("/rest/container", json={"name": "other", "label": "events"})
    response = await write("note", artifact_id=artifact, container_id=other.json()["id"])
    assert response.status_code == 400


async def test_notes_come_as_a_published_client_asks_for_them(client, write, container):
    first, second = [(await write("note")).json()["id"] for _ in range(2)]
    await client.post(f"/rest/note/{first}", json={"content": "changed"})
    query = (
        f"_filter_container_id={container}&pretty=True&page=0&page_size=100"
        "&order=desc&sort=modified_time&_annotation_container_attachments=True"
    )
    listed = (await client.get(f"/rest/note?{query}")).json()["data"]
    assert [each["id"] for each in listed] == [first, second]
    assert (listed[0]["content"], listed[0]["title"]) == ("changed", "t")
    assert (listed[0]["author_name"], listed[0]["_pretty_container"]) == ("operator", "incident")
    assert listed[0]["modified_time"] > listed[0]["create_time"]


async def test_a_change_keeps_who_wrote_it_and_where(client, anonymous, write, credentials):
    note = (await write("note")).json()["id"]
    before = (await client.get(f"/rest/note/{note}")).json()
    headers = {"ph-auth-token": credentials.automation_token}
    body = {"title": "new", "container_id": 1, "artifact_id": 1, "author_id": 1}
    response = await anonymous.post(f"/rest/note/{note}", json=body, headers=headers)
    assert response.json() == {"success": True, "id": note}
    after = (await client.get(f"/rest/note/{note}")).json()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"title", "modified_time", "version"}
    nothing = await client.post(f"/rest/note/{note}", json={"container_id": 1})
    assert nothing.json()["message"].startswith(
        "The request names nothing that can be changed; a note takes title, content"
    )


async def test_a_comment_stays_as_it_was_written(client, write):
    comment = (await write("container_comment")).json()["id"]
    path = f"/rest/container_comment/{comment}"
    assert (await client.post(path, json={"comment": "other"})).status_code == 405
    assert (await client.get(path)).json()["comment"] == "looks benign"


@pytest.mark.parametrize("kind", DELETABLE)
async def test_one_is_deleted_with_a_password_and_not_with_a_token(client, anonymous, write, kind):
    made = (await write(kind)).json()["id"]
    path = f"/rest/{kind}/{made}"
    assert (await client.delete(path)).status_code == 403
    assert (await client.get(path)).status_code == 200
    response = await anonymous.delete(path, auth=("admin", "changeme"))
    assert (response.status_code, response.json()) == (200, {"success": True, "id": made})
    assert (await client.get(path)).status_code == 404
    again = await anonymous.delete(path, auth=("admin", "changeme"))
    thing = "Note" if kind == "note" else "Pin"
    assert again.status_code == 404
    assert again.json()["message"] == f'{thing} "{made}" not found'


@pytest.mark.parametrize("kind", TYPES)
async def test_many_are_written_at_once_and_each_has_its_own_result(client, container, kind):
    good = {"container_id": container} | TYPES[kind]
    response = await client.post(f"/rest/{kind}", json=[good, {"container_id": container}, good])
    assert [each.get("success", False) for each in response.json()] == [True, False, True]


@pytest.mark.parametrize("kind", TYPES)
async def test_who_only_views_writes_nothing(client, anonymous, container, kind):
    user = {"username": f"views {kind}", "type": "automation", "roles": ["Observer"]}
    token = (await client.post("/rest/ph_user", json=user)).json()["token"]
    body = {"container_id": container} | TYPES[kind]
    headers = {"ph-auth-token": token}
    assert (await anonymous.post(f"/rest/{kind}", json=body, headers=headers)).status_code == 403
    assert (await anonymous.get(f"/rest/{kind}", headers=headers)).status_code == 200
