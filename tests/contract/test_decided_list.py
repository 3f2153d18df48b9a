"""Contract 2 and 3: custom lists."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from urllib.parse import quote
from uuid import uuid4

import pytest

from prefect_phantom.adapters.store.case import decided_lists

ROWS = [["a", "1"], ["b", "2"], ["c", "3"]]


@pytest.fixture
def name() -> str:
    return f"list {uuid4().hex}"


@pytest.fixture
async def made(client, name) -> int:
    response = await client.post("/rest/decided_list", json={"name": name, "content": ROWS})
    assert response.status_code == 200, response.text
    identifier: int = response.json()["id"]
    return identifier


@pytest.fixture
def change(client, made):
    async def change(**fields):
        return await client.post(f"/rest/decided_list/{made}", json=fields)

    return change


@pytest.fixture
def content(client, made):
    async def content():
        return (await client.get(f"/rest/decided_list/{made}")).json()["content"]

    return content


async def test_a_list_is_made_and_read_by_id_and_by_name(client, name):
    response = await client.post("/rest/decided_list", json={"name": name, "content": ROWS})
    made = response.json()["id"]
    assert response.json() == {"success": True, "id": made}
    [entry] = (await client.get("/rest/audit?page_size=1")).json()
    assert (entry["path"], entry["object_id"]) == ("/rest/decided_list", made)
    for named in (made, name):
        one = (await client.get(f"/rest/decided_list/{named}")).json()
        assert (one["id"], one["name"], one["content"]) == (made, name, ROWS)
        alone = (await client.get(f"/rest/decided_list/{named}/content")).json()
        assert alone == {"content": ROWS}
    query = f'_filter_name__icontains="{name.upper()}"&page_size=25&page=0'
    [listed] = (await client.get(f"/rest/decided_list?{query}")).json()["data"]
    assert (listed["id"], "content" in listed) == (made, False)
    [listed] = (await client.get(f"/rest/decided_list?{query}&include_expensive")).json()["data"]
    assert listed["content"] == ROWS


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ([], []),
        (["1.1.1.1", "1.1.1.2"], [["1.1.1.1", "1.1.1.2"]]),
        ([["x", 1, 1.5, True, None]], [["x", 1, 1.5, True, None]]),
        ([["x"], "y"], [["x"], ["y"]]),
    ],
)
async def test_content_is_rows_of_simple_values(client, name, sent, kept):
    made = (await client.post("/rest/decided_list", json={"name": name, "content": sent})).json()
    assert (await client.get(f"/rest/decided_list/{made['id']}")).json()["content"] == kept


async def test_rows_are_appended_also_when_many_come_at_once(change, content):
    responses = await asyncio.gather(*(change(append_rows=[[f"{n}", ""]]) for n in range(12)))
    assert {response.status_code for response in responses} == {200}
    rows = await content()
    assert rows[:3] == ROWS
    assert sorted(int(row[0]) for row in rows[3:]) == list(range(12))
    await change(append_rows=["alone", ["x", "y"]])
    assert (await content())[-2:] == [["alone"], ["x", "y"]]


async def test_rows_are_counted_as_they_were_before_the_change(change, content, made):
    response = await change(
        append_rows=[["d"]], delete_rows=[0, "2", 0], update_rows={"0": ["gone"], "1": ["B", "!"]}
    )
    assert response.json() == {"success": True, "id": made}
    assert await content() == [["B", "!"], ["d"]]


async def test_all_content_is_replaced_and_the_list_renamed(client, change, content, made, name):
    assert (await change(content=[["only"]], name=f"{name} new")).status_code == 200
    assert await content() == [["only"]]
    one = (await client.get(f"/rest/decided_list/{name} new")).json()
    assert (one["id"], one["version"]) == (made, 2)
    assert one["update_time"] > one["create_time"]
    await change(content=[])
    assert await content() == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "The request names nothing that can be changed; a custom list takes name, content"),
        ({"append_rows": None}, "The request names nothing that can be changed"),
        ({"delete_rows": [0, 3]}, "delete_rows must be numbers of rows, of which the list has 3"),
        ({"delete_rows": 1}, "delete_rows must be a list of numbers of rows, not 1"),
        ({"delete_rows": [-1]}, "delete_rows must be"),
        ({"update_rows": {"3": []}}, "update_rows must be numbers of rows, of which the list has"),
        ({"update_rows": {"x": []}}, "update_rows must be an object with numbers of rows as its"),
        ({"update_rows": [["x"]]}, "update_rows must be an object, not"),
        ({"append_rows": "x"}, "append_rows must be a list of rows"),
        ({"append_rows": [[{}]]}, "append_rows must be a list of rows"),
        ({"append_rows": [[[]]]}, "append_rows must be a list of rows"),
        ({"content": [{"a": 1}]}, "content must be a list of rows"),
        ({"content": [], "append_rows": [["x"]]}, "append_rows must be left out beside content"),
        ({"name": "42"}, "name must be printable characters, not only digits"),
        ({"append_rows": [["x"]], "delete_rows": [9]}, "delete_rows must be numbers of rows"),
    ],
)
async def test_a_change_that_makes_no_sense_changes_nothing(change, content, fields, message):
    response = await change(**fields)
    assert response.status_code == 400
    assert response.json()["message"].startswith(message)
    assert await content() == ROWS


@pytest.mark.parametrize("missing", ["name", "content"])
async def test_name_and_content_are_required(client, name, missing):
    body = {"name": name, "content": ROWS} | {missing: None}
    response = await client.post("/rest/decided_list", json=body)
    assert response.status_code == 400
    assert response.json()["message"] == f"{missing} is required"


@pytest.mark.usefixtures("made")
async def test_a_name_is_given_once(client, change, name):
    body = {"name": name, "content": []}
    other = body | {"name": f"other {name}"}
    assert (await client.post("/rest/decided_list", json=other)).status_code == 200
    for response in (
        await client.post("/rest/decided_list", json=body),
        await change(name=other["name"]),
    ):
        assert response.status_code == 400
        assert response.json()["message"].endswith("already exists")


async def test_a_list_does_not_grow_without_end(change, content, monkeypatch):
    monkeypatch.setattr(decided_lists, "LARGEST_CONTENT", 100)
    response = await change(append_rows=[["x" * 100]])
    assert response.status_code == 400
    assert response.json()["message"].startswith("A custom list has at most 100 characters")
    assert await content() == ROWS


async def test_the_content_is_formatted_as_clients_ask_for_it(client, change, made, name):
    await change(append_rows=[['say "hi", all', None, 1]])
    path = f"/rest/decided_list/{name}/formatted_content"
    plain = await client.get(path)
    assert plain.headers["content-type"].startswith("text/csv")
    assert plain.text == 'a,1\r\nb,2\r\nc,3\r\n"say ""hi"", all",,1\r\n'
    for query in ("_output_format=csv&_fs=,&_rs=%0A", "_output_format=CSV&_rs=%0A"):
        assert (await client.get(f"{path}?{query}")).text.split("\n")[:2] == ["a,1", "b,2"]
    as_json = await client.get(f"/rest/decided_list/{made}/formatted_content?_output_format=json")
    assert as_json.json()["content"][:3] == ROWS
    for query in ("_output_format=xml", "_fs=", "_fs=%22", "_rs=x"):
        assert (await client.get(f"{path}?{query}")).status_code == 400


@pytest.mark.attack(
    "a cell of a custom list that a spreadsheet would calculate", "a text in CSV; as it is in JSON"
)
async def test_no_cell_in_csv_is_a_formula(client, change, made):
    formulas = ["=1+1", "+cmd", "-x", "@SUM(A1)", "\t=1", " =1", "\r=1", "\uff1d1", "--1", "-1+1"]
    numbers = ["-1", "+2.5", "-.5e3", -3, 4.5, True, None]
    await change(content=[formulas, numbers])
    path = f"/rest/decided_list/{made}/formatted_content"
    read = list(csv.reader(io.StringIO((await client.get(path)).text, newline="")))
    assert read[0] == [f"'{each}" for each in formulas]
    assert read[1] == ["-1", "+2.5", "-.5e3", "-3", "4.5", "True", ""]
    as_json = await client.get(f"{path}?_output_format=json")
    assert as_json.json()["content"] == [formulas, numbers]


@pytest.mark.attack(
    "a formula behind a character that divides cells in other countries, or programs",
    "a text in CSV, whatever divides its cells",
)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
async def test_no_part_of_a_cell_in_csv_is_a_formula(client, change, made, separator):
    sent = ["a", "x;=A1;y", "x\t+cmd", "x| @SUM(A1)", "x,-A1", "x\n=A1", "x\r\n=A1", "x;\uff1dA1"]
    await change(content=[sent, ["a;-1", "b;c", "d, +2.5", "e-f;g=h"]])
    path = f"/rest/decided_list/{made}/formatted_content?_fs={quote(separator)}"
    text = (await client.get(path)).text
    (first, second) = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    assert [cell.replace("'", "") for cell in first] == sent
    assert second == ["a;-1", "b;c", "d, +2.5", "e-f;g=h"]
    for other in {",", ";", "\t", "|"} - {separator}:
        for line in re.split("[\r\n]+", text):
            assert not [
                cell for cell in line.split(other) if re.match(r"\s*[=+@\uff1d-][^\d]", cell)
            ]


async def test_a_token_deletes_a_list_as_the_one_exception(client, made):
    assert (await client.delete("/rest/container/1")).status_code == 403
    response = await client.delete(f"/rest/decided_list/{made}")
    assert (response.status_code, response.json()) == (200, {"success": True, "id": made})
    assert (await client.get(f"/rest/decided_list/{made}")).status_code == 404
    assert (await client.delete(f"/rest/decided_list/{made}")).status_code == 404


@pytest.mark.parametrize("unknown", ["999999", "0", "no such", "9" * 30, "9223372036854775808"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_unknown_list_is_not_found(client, method, unknown):
    body = {"append_rows": [["x"]]}
    response = await client.request(method, f"/rest/decided_list/{quote(unknown)}", json=body)
    assert response.status_code == 404
    assert response.json() == {"failed": True, "message": f'Custom list "{unknown}" not found'}


async def test_who_only_views_changes_no_list(client, anonymous, made):
    user = {"username": "views lists", "type": "automation", "roles": ["Observer"]}
    headers = {"ph-auth-token": (await client.post("/rest/ph_user", json=user)).json()["token"]}
    path = f"/rest/decided_list/{made}"
    assert (await anonymous.get(path, headers=headers)).status_code == 200
    assert (await anonymous.delete(path, headers=headers)).status_code == 403
    for path in ("/rest/decided_list", f"/rest/decided_list/{made}"):
        response = await anonymous.post(path, json={"name": "n"}, headers=headers)
        assert response.status_code == 403
