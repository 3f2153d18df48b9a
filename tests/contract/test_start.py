"""Contract 1.1 and 9: POST /rest/playbook_run."""

from __future__ import annotations

import json

import httpx
import pytest
from sqlalchemy import select

from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.tables.tables import playbook_runs


async def test_an_accepted_start_is_answered_with_the_id_as_a_string(start):
    response = await start()
    answer = response.json()
    assert response.status_code == 200
    assert list(answer) == ["playbook_run_id", "received"]
    assert answer["playbook_run_id"].isdecimal()
    assert answer["received"] is True


async def test_each_start_makes_another_run(start):
    first, second = [(await start()).json()["playbook_run_id"] for _ in range(2)]
    assert int(second) > int(first)


async def test_an_accepted_start_wakes_the_dispatcher(start, dispatch: Signal):
    await dispatch.wait(0)
    await start()
    assert await dispatch.wait(0)


async def test_a_refused_start_wakes_nobody(start, dispatch: Signal):
    await dispatch.wait(0)
    assert (await start(run=False)).status_code == 400
    assert not await dispatch.wait(0)


@pytest.mark.parametrize("run", [True, 1, "1", "true", "True", "TRUE"])
async def test_true_like_values_of_run_start_a_run(start, run):
    assert (await start(run=run)).status_code == 200


@pytest.mark.parametrize(
    "run", [..., None, False, 0, 2, 1.0, "0", "false", "yes", "", " true", [], [True], {}]
)
async def test_any_other_run_is_told_that_it_asks_for_none(start, run):
    response = await start(run=run)
    assert response.status_code == 400
    assert response.json() == {
        "failed": True,
        "message": 'The request does not ask for a run: "run": true is missing',
    }


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("my_playbook", "my_playbook"),  # local comes before examples
        ("local/my_playbook", "my_playbook"),
        ("examples/my_playbook", "examples_playbook"),
        ("only_examples", "only_examples"),
        ("[DRE][Malware Handling-Finalv2]: UAT", "bracketed"),
        ("local/[DRE][Malware Handling-Finalv2]: UAT", "bracketed"),
        ("broken", "broken"),  # accepted: the run will end with the import error
        ("inactive", "inactive"),  # accepted: only automation skips it
    ],
)
async def test_a_playbook_is_found_by_its_names(start, read, shelf, named, found):
    answer = (await start(playbook_id=named)).json()
    assert (await read(answer["playbook_run_id"]))["playbook"] == getattr(shelf, found)


@pytest.mark.parametrize("spelling", [int, str])
@pytest.mark.parametrize("field", ["playbook_id", "playbook_name"])
async def test_a_playbook_is_found_by_its_id(start, read, shelf, field, spelling):
    body = {"playbook_id": ..., field: spelling(shelf.examples_playbook)}
    answer = (await start(**body)).json()
    assert (await read(answer["playbook_run_id"]))["playbook"] == shelf.examples_playbook


async def test_playbook_name_is_a_synonym_of_playbook_id(start, read, shelf):
    answer = (await start(playbook_id=..., playbook_name="only_examples")).json()
    assert (await read(answer["playbook_run_id"]))["playbook"] == shelf.only_examples


async def test_playbook_id_and_an_equal_playbook_name_are_accepted(start, shelf):
    name = str(shelf.my_playbook)
    assert (await start(playbook_id=shelf.my_playbook, playbook_name=name)).status_code == 200


async def test_playbook_id_and_another_playbook_name_are_refused(start):
    response = await start(playbook_id="my_playbook", playbook_name="other")
    assert response.status_code == 400
    assert "playbook_name" in response.json()["message"]


@pytest.mark.parametrize(
    ("playbook", "shown"),
    [
        (999999, "999999"),
        ("999999", "999999"),
        ("no_such", "no_such"),
        ("local/no_such", "local/no_such"),
        ("local/only_examples", "local/only_examples"),
        ("My_Playbook", "My_Playbook"),  # case counts
        ("nowhere/my_playbook", "nowhere/my_playbook"),
        (0, "0"),
        (-1, "-1"),
        (2**63 - 1, str(2**63 - 1)),
    ],
)
async def test_an_unknown_playbook_is_not_found_under_the_name_that_was_sent(
    start, playbook, shown
):
    response = await start(playbook_id=playbook)
    assert response.status_code == 404
    assert response.json() == {"failed": True, "message": f'Playbook "{shown}" not found'}


@pytest.mark.parametrize("playbook", [True, 1.5, "", " ", [1], {"id": 1}])
async def test_what_is_no_name_of_a_playbook_is_refused(start, playbook):
    response = await start(playbook_id=playbook)
    assert response.status_code == 400
    assert response.json()["message"].startswith("playbook_id must be a playbook's id")


async def test_a_playbook_disabled_by_an_administrator_is_refused(start):
    response = await start(playbook_id="disabled")
    assert response.status_code == 400
    assert response.json()["message"] == "Playbook local/disabled is disabled"


@pytest.mark.parametrize("field", ["container_id", "playbook_id"])
@pytest.mark.parametrize("value", [..., None])
async def test_required_fields_are_required(start, field, value):
    response = await start(**{field: value})
    assert response.status_code == 400
    assert response.json() == {"failed": True, "message": f"{field} is required"}


async def test_a_container_id_may_be_a_string_of_digits(start, read, container):
    answer = (await start(container_id=str(container))).json()
    assert (await read(answer["playbook_run_id"]))["container"] == container


@pytest.mark.parametrize("container_id", [True, 1.5, "", "x", "1.0", "²", "٣", [1], "9" * 20])
async def test_what_is_no_container_id_is_refused(start, container_id):
    response = await start(container_id=container_id)
    assert response.status_code == 400
    assert response.json()["message"] == (
        "container_id must be an integer id, or a string of its digits, "
        f"not {json.dumps(container_id)}"
    )


@pytest.mark.parametrize("container_id", [999999, "999999", 0, -1, 2**63 - 1])
async def test_an_unknown_container_is_not_found(start, container_id):
    response = await start(container_id=container_id)
    assert response.status_code == 404
    assert response.json() == {"failed": True, "message": f'Container "{container_id}" not found'}


@pytest.mark.parametrize(
    "inputs",
    [
        {"file_hash": "abc", "file_name": "hello.txt"},
        '{"file_hash": "abc", "file_name": "hello.txt"}',
    ],
)
async def test_inputs_may_be_an_object_or_a_json_text_of_one(start, read, inputs):
    answer = (await start(inputs=inputs)).json()
    run = await read(answer["playbook_run_id"])
    assert [json.loads(text) for text in run["inputs"]] == [
        {"file_hash": "abc", "file_name": "hello.txt"}
    ]


@pytest.mark.parametrize("inputs", [..., None])
async def test_inputs_may_be_left_out(start, read, inputs):
    answer = (await start(inputs=inputs)).json()
    assert (await read(answer["playbook_run_id"]))["inputs"] == []


@pytest.mark.parametrize("inputs", [[], 1, True, "", "text", "[1]", '{"a": NaN}', '{"a": 1'])
async def test_any_other_inputs_are_refused(start, inputs):
    response = await start(inputs=inputs)
    assert response.status_code == 400
    assert response.json()["message"].startswith("inputs must be an object or a JSON text of one")


async def test_inputs_keep_what_prefect_would_take_for_a_template(start, read):
    inputs = {"__prefect_kind": "jinja", "template": "{{ 6*7 }}"}
    answer = (await start(inputs=inputs)).json()
    assert json.loads((await read(answer["playbook_run_id"]))["inputs"][0]) == inputs


async def test_fields_that_the_contract_does_not_name_are_ignored(start):
    assert (await start(asset="whois", playbook_ids=[1, 2])).status_code == 200


async def test_plural_ids_do_not_stand_in_for_the_required_ones(start):
    response = await start(container_id=..., container_ids=[1])
    assert response.status_code == 400


@pytest.fixture
def queue_delay(database, container, shelf, build, credentials):
    """By how many minutes a run that a person or a program starts is put back in the queue."""

    async def queue_delay(caller: str, **settings) -> float:
        login = {
            "person": {"auth": ("admin", credentials.password)},
            "program": {"headers": {"ph-auth-token": credentials.automation_token}},
        }
        body = {"container_id": container, "playbook_id": shelf.my_playbook, "run": True}
        transport = httpx.ASGITransport(build(Settings(**settings)))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as anyone:
            response = await anyone.post("/rest/playbook_run", json=body, **login[caller])
        query = select(playbook_runs.c.queue_time - playbook_runs.c.start_time).where(
            playbook_runs.c.id == int(response.json()["playbook_run_id"])
        )
        async with database.read() as connection:
            return (await connection.scalar(query)).total_seconds() / 60

    return queue_delay


async def test_what_people_start_goes_before_what_programs_start(queue_delay):
    assert await queue_delay("person") == 0
    assert await queue_delay("program") == 10


async def test_the_order_of_priorities_can_be_set(queue_delay):
    order = {"priorities": "automation,manual", "priority_minutes": 3}
    assert await queue_delay("person", **order) == 3
    assert await queue_delay("program", **order) == 0


@pytest.mark.parametrize("caller", ["person", "program"])
async def test_without_priorities_all_runs_are_alike(queue_delay, caller):
    assert await queue_delay(caller, priorities="") == 0
