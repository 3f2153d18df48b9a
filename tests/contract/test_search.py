"""Contract 3: search, by words, in everything that people and playbooks wrote."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import insert

from prefect_phantom.adapters.store.tables.tables import assets, playbooks

pytestmark = pytest.mark.usefixtures("stored")

LARGE = " ".join(f"{chr(0x20000 + n)}{n}" for n in range(90_000))
CEF = {
    "sourceAddress": "192.0.2.17",
    "requestURL": "https://www.evil.example.com:8443/path/x.html?a=1",
    "fromEmail": "joe.bloggs@mail.example.org",
    "fileHash": "1e5d8cd98f00b204e9800998ecf8427e",
    "deep": {"addresses": ["2001:db8::ff00:42", {"cve": "CVE-2021-44228"}]},
    "filePath": "C:\\Windows\\new\\cmd.exe",
    "note": "line one\nbeaconing",
    "port": 8443,
}


@pytest.fixture(scope="module")
async def stored(client, database):
    """One thing of each category; returns their ids."""

    async def post(kind, **fields):
        response = await client.post(f"/rest/{kind}", json=fields)
        assert response.status_code == 200, response.text
        return response.json()["id"]

    container = await post(
        "container", name="Phishing wave", label="events", description="Failed login of Zoë",
        tags=["urgent"], custom_fields={"ticket": "OPS-1234", "n": {"deep": "kraken"}},
    )  # fmt: skip
    ids = {
        "container": container,
        "artifact": await post("artifact", container_id=container, name="traffic", cef=CEF),
        "note": await post("note", container_id=container, title="Triage", content="looks benign"),
        "container_comment": await post(
            "container_comment",
            container_id=container,
            comment="asked the kraken team " + "x" * 300,
        ),
    }
    async with database.begin() as connection:
        for category, table, row in (
            ("playbook", playbooks,
             {"repository": "local", "name": "block_ip", "description": "Blocks the kraken"}),
            ("asset", assets,
             {"name": "edge", "app": "Firewall", "description": "kraken in the basement"}),
        ):  # fmt: skip
            made = insert(table).values(**row).returning(table.c.id)
            ids[category] = await connection.scalar(made)
    return ids


@pytest.fixture
def search(client):
    async def search(query, **parameters):
        response = await client.get("/rest/search", params={"query": query} | parameters)
        assert response.status_code == 200, response.text
        return response.json()

    return search


@pytest.fixture
def found(search):
    """The categories that something is found in."""

    async def found(query, **parameters):
        return [hit["category"] for hit in (await search(query, **parameters))["results"]]

    return found


async def test_a_hit_says_what_it_is_and_where_it_is_read(client, search, stored):
    answer = await search("kraken basement")
    assert answer == {
        "count": 1, "num_pages": 1, "page": 1,
        "results": [{
            "id": stored["asset"], "name": "edge", "category": "asset", "verbose": "Asset",
            "model": "asset", "url": f"http://gateway/rest/asset/{stored['asset']}",
            "match": {"message": ""},
        }],
    }  # fmt: skip
    for hit in (await search("kraken"))["results"]:
        thing = await client.get(hit["url"])
        assert (thing.status_code, thing.json()["id"]) == (200, hit["id"])
    [comment] = (await search("asked", categories="container_comment"))["results"]
    assert comment["name"].startswith("asked the kraken team")
    assert len(comment["name"]) == 200


async def test_an_indicator_is_found_whole_and_by_its_beginning(found):
    for query in (
        *("192.0.2.17", "192.0.2.", "192.0", "https://www.evil.example.com:8443/path/x.html?a=1"),
        *("www.evil.example.com", "www.evil.exa", "WWW.EVIL.example.com:8443/pa", "x.html"),
        *("joe.bloggs@mail.example.org", "joe.bloggs@ma", "mail.example.org", "joe.bl"),
        # PostgreSQL's parser takes the beginning of this hash for a number.
        *("1e5d8cd98f00b204e9800998ecf8427e", "1E5D8", "1e5", "1e"),
        *("2001:db8::ff00:42", "2001:db8::ff", "CVE-2021-44228", "cve-2021-44", "44228"),
        *("C:\\Windows\\new\\cmd.exe", "\\new\\cmd", "cmd.exe", "beaconing", "8443"),
        *("traffic cve", '"line one"', "nothing or traffic", "traffic -kraken", "'192.0.2.17'"),
    ):
        assert await found(query, categories="artifact") == ["artifact"], query


async def test_what_is_not_there_is_not_found(found):
    for query in (
        *("192.0.2.1 77", "2.0.192", "db8:2001", "mail.example.org@joe", "sourceAddress"),
        *("traffic -cve", '"one line"', "fileHash", "...", "-", "evil.example.org", "nothing"),
    ):
        assert await found(query) == [], query


async def test_every_field_that_is_searched_finds_its_thing(found):
    for query, category in {
        "phishing": "container", "login": "container", "URGENT": "container", "zoë": "container",
        "ops-1234": "container", "triage": "note", "benign": "note", "team": "container_comment",
        "block_ip": "playbook", "local/block": "playbook", "edge": "asset", "firewall": "app",
    }.items():  # fmt: skip
        assert await found(query) == [category], query
    assert await found("kraken") == ["container", "container_comment", "playbook", "asset"]
    assert await found("kraken", categories="asset, container") == ["container", "asset"]
    assert await found("kraken", categories='"app,docs,action"') == []


async def test_a_number_is_an_id_too_which_comes_first(client, search, stored):
    identifier = stored["container"]
    more = await client.post(
        "/rest/container", json={"name": f"mentions {identifier}", "label": "events"}
    )
    answer = await search(str(identifier), categories="container")
    first, *others = [hit["id"] for hit in answer["results"]]
    assert first == identifier
    assert more.json()["id"] in others
    assert (await search("9" * 30))["count"] == 0


async def test_pages_count_from_one_and_have_the_newest_first(client, search):
    bodies = [{"name": f"paged {n}", "label": "events"} for n in range(5)]
    made = await client.post("/rest/container", json=bodies)
    ids = [each["id"] for each in made.json()][::-1]
    pages = [await search("paged", page=page, page_size=2) for page in (1, 2, 3)]
    assert [(page["count"], page["num_pages"], page["page"]) for page in pages] == [
        (5, 3, 1), (5, 3, 2), (5, 3, 3),
    ]  # fmt: skip
    assert [hit["id"] for page in pages for hit in page["results"]] == ids
    assert [hit["id"] for hit in (await search("paged", page_size='"0"'))["results"]] == ids
    past = await client.get("/rest/search?query=paged&page=4&page_size=2")
    assert past.status_code == 400
    assert past.json()["message"] == "Invalid page (4): That page contains no results"


async def test_what_is_found_follows_changes(client, found, stored):
    path = f"/rest/note/{stored['note']}"
    await client.post(path, json={"content": "turned malicious"})
    assert (await found("malicious"), await found("benign")) == (["note"], [])
    await client.post(path, json={"content": "looks benign"})


async def test_no_text_is_too_large_to_be_stored(client, found, stored):
    for large in (LARGE, "a" * 100_000, "\\" * 50_000):
        fields = {"name": "large", "label": "events", "description": large}
        assert (await client.post("/rest/container", json=fields)).status_code == 200
        artifact = {"container_id": stored["container"], "cef": {"text": [large]}}
        assert (await client.post("/rest/artifact", json=artifact)).status_code == 200
        note = {"container_id": stored["container"], "content": large}
        assert (await client.post("/rest/note", json=note)).status_code == 200
    assert await found(LARGE[:100]) == ["container", "artifact", "note"]
    assert LARGE.endswith("89999")
    assert await found(LARGE.split()[-1]) == []  # of long texts the beginning is searched


async def test_what_makes_no_sense_is_refused(client):
    for parameters, message in (
        ({}, "query is required"),
        ({"query": " "}, "query is required"),
        ({"query": "x" * 1001}, "query must be a text of at most 1000 characters"),
        ({"query": "a\0b"}, "The query holds the character U+0000"),
        ({"query": "x", "page": "0"}, "page must be an integer of 1 or more, not 0"),
        ({"query": "x", "page_size": "-1"}, "page_size must be an integer of 0 or more"),
        (
            {"query": "x", "categories": "container,nope"},
            "categories must be any of container, artifact, note, container_comment, playbook",
        ),
    ):
        response = await client.get("/rest/search", params=parameters)
        assert response.status_code == 400, parameters
        assert response.json()["message"].startswith(message), json.dumps(parameters)


async def test_any_text_can_be_searched_for(client):
    for query in (
        *("'", "''a' & 'b'", "a & !b | (c <-> d)", "a:*", "\\", "\\'", '"', '"-"', "-or or -"),
        *("😀", "%_", "a' OR 1=1 --", "((((", "x" * 1000, "<1>", "\ufffd", "-a", "!!"),
    ):
        response = await client.get("/rest/search", params={"query": query})
        assert response.status_code == 200, (query, response.text)
