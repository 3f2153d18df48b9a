"""Contract 3, query conventions: every lookup, relation, JSON key and error, over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import insert

from prefect_phantom.adapters.store.tables.tables import (
    action_runs,
    containers,
    playbook_runs,
    playbooks,
)

pytestmark = pytest.mark.usefixtures("stored")

CONTAINERS = [
    {
        "name": "Alpha", "label": "events", "description": None, "severity": "high",
        "tags": ["red", "blue"], "custom_fields": {"port": 443, "host": "web-1", "on": True},
        "create_time": datetime(2024, 1, 7, 10, 30, 15, 500_000, UTC),  # a Sunday
    },
    {
        "name": "beta 100%", "label": "events", "description": "a_b", "severity": "low",
        "tags": ["blue"], "custom_fields": {"port": "443", "host": "web-2", "list": ["x", "y"]},
        "create_time": datetime(2024, 6, 12, 0, 0, 0, 0, UTC),
    },
    {
        "name": "Gamma's", "label": "cases", "description": "axb", "severity": "low",
        "tags": [], "custom_fields": {"port": 80, "deep": {"er": 7}, "none": None},
        "create_time": datetime(2025, 12, 31, 23, 59, 59, 0, UTC),
    },
]  # fmt: skip


@pytest.fixture(scope="module")
async def get(address, credentials):
    """Asks over HTTP. The query is quoted here, but for its marks."""
    headers = {"ph-auth-token": credentials.token}
    async with httpx.AsyncClient(base_url=f"http://{address}/rest/", headers=headers) as client:

        async def get(path: str, query: str = "") -> httpx.Response:
            return await client.get(f"{path}?{quote(query, safe='=&%')}")

        yield get


@pytest.fixture(scope="module")
async def stored(database, credentials):
    """Three containers; runs on the first two, of two playbooks; an action run of the first."""
    async with database.begin() as connection:
        ids = []
        for row in CONTAINERS:
            fields = row | {"hash": row["name"], "source_data_identifier": row["name"]}
            made = insert(containers).values(**fields).returning(containers.c.id)
            ids.append(await connection.scalar(made))
        books = [
            await connection.scalar(
                insert(playbooks)
                .values(repository="local", name=name, active=active, labels=labels)
                .returning(playbooks.c.id)
            )
            for name, active, labels in [("find", True, ["events"]), ("block", False, ["*"])]
        ]
        for container, book, status, owner in [
            (ids[0], books[0], "success", credentials.administrator_id),
            (ids[0], books[1], "failed", None),
            (ids[1], books[0], "running", credentials.automation_id),
        ]:
            run = insert(playbook_runs).values(
                container_id=container, playbook_id=book, status=status, owner_id=owner,
                scope="new", settled=True,
            )  # fmt: skip
            run_id = await connection.scalar(run.returning(playbook_runs.c.id))
            if status == "success":
                await connection.execute(
                    insert(action_runs).values(
                        playbook_run_id=run_id, container_id=container, name="look",
                        action="look up", app="Local", start_key=uuid4(),
                    )
                )  # fmt: skip
    return ids, books


@pytest.fixture
def names(get):
    """The first letters of the containers that a query finds."""

    async def names(query: str) -> str:
        response = await get("container", f"page_size=0&{query}")
        assert response.status_code == 200, response.text
        content = response.json()
        assert content["count"] == len(content["data"])
        return "".join(row["name"][0] for row in content["data"])

    return names


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "AbG"),
        ('_filter_name="Alpha"', "A"),
        ("_filter_name='Alpha'", "A"),
        ("_filter_name=Alpha", "A"),
        ("_filter_name=alpha", ""),
        ('_filter_name__exact="Alpha"', "A"),
        ("_filter_name__iexact=ALPHA", "A"),
        ('_filter_name__contains="a"', "AbG"),
        ("_filter_name__contains=lph", "A"),
        ("_filter_name__contains=%25", "b"),
        ("_filter_name__icontains=ALPH", "A"),
        ("_filter_name__startswith=b", "b"),
        ("_filter_name__startswith=B", ""),
        ("_filter_name__istartswith=B", "b"),
        ("_filter_name__endswith=%25", "b"),
        ("_filter_name__iendswith=A", "A"),
        ('_filter_name="Gamma\'s"', "G"),
        ("_filter_name=Gamma's", "G"),
        ("_filter_description__contains=_", "b"),
        ("_filter_description=a_b", "b"),
        ("_filter_name__gt=a", "b"),
        ("_filter_name__lte=Alpha", "A"),
        ('_filter_name__range=["A", "H"]', "AG"),
        ('_filter_name__in=["Alpha", "beta 100%25"]', "Ab"),
        ("_filter_name__in=('Alpha',)", "A"),
        ("_filter_name__in=Alpha", "A"),
        ("_filter_name__in=[]", ""),
        ("_filter_name__regex=^[A-G]", "AG"),
        ("_filter_name__iregex=^[a-g]", "AbG"),
        (r'_filter_name__regex="\d+"', "b"),
        ("_filter_description__isnull=True", "A"),
        ("_filter_description__isnull=false", "bG"),
        ('_filter_description__isnull="1"', "A"),
        ("_filter_description=None", "A"),
        ("_exclude_description=a_b", "AG"),
        ("_exclude_label=events", "G"),
        ("_exclude_name__icontains=a", ""),
        ("_filter_label=events&_filter_severity=low", "b"),
        ("_filter_label=events&_exclude_severity=low", "A"),
        ("_filter_in_case=False", "AbG"),
        ("_filter_in_case=true", ""),
        ("_filter_asset=5", ""),
        ("_filter_tenant=0", "AbG"),
        ("_exclude_fields=name&_annotation_x=1&_unknown=2", "AbG"),
    ],
)
async def test_texts_and_constants_are_filtered(names, query, found):
    assert await names(query) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("_filter_create_time__gt=2024-06-12", "G"),
        ('_filter_create_time__gte="2024-06-12T00:00:00Z"', "bG"),
        ("_filter_create_time__lt='2024-06-12T02:00:00%2B02:00'", "A"),
        ("_filter_create_time=2024-06-12", "b"),
        ('_filter_create_time__range=["2024-01-01", "2024-12-31"]', "Ab"),
        ("_filter_create_time__in=['2024-06-12']", "b"),
        ("_filter_create_time__date=2024-01-07", "A"),
        ("_filter_create_time__date__gt=2024-01-07", "bG"),
        ("_filter_create_time__time='10:30:15.5'", "A"),
        ("_filter_create_time__time__lt=00:00:01", "b"),
        ("_filter_create_time__year=2024", "Ab"),
        ('_filter_create_time__year__in="2025"', "G"),
        ("_filter_create_time__iso_year=2026", "G"),
        ("_filter_create_time__quarter=2", "b"),
        ("_filter_create_time__month=6", "b"),
        ("_filter_create_time__week=24", "b"),
        ("_filter_create_time__day__gte=12", "bG"),
        ("_filter_create_time__week_day=1", "A"),
        ("_filter_create_time__iso_week_day=7", "A"),
        ("_filter_create_time__hour=23", "G"),
        ("_filter_create_time__minute=30", "A"),
        ("_filter_create_time__second=15", "A"),
        ("_filter_due_time__isnull=True", "AbG"),
    ],
)
async def test_times_and_their_parts_are_filtered(names, query, found):
    assert await names(query) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('_filter_tags__contains="red"', "A"),
        ("_filter_tags__contains=blue", "Ab"),
        ('_filter_tags__contains=["red", "blue"]', "A"),
        ("_filter_tags__icontains=RED", "A"),
        ("_filter_tags=[]", "G"),
        ("_filter_tags__0=blue", "b"),
        ("_exclude_tags__contains=blue", "G"),
        ("_filter_custom_fields__port=443", "Ab"),
        ('_filter_custom_fields__port="443"', "Ab"),
        ("_filter_custom_fields__port__in=[80, 443]", "AbG"),
        ("_filter_custom_fields__port__gt=100", "A"),
        ("_filter_custom_fields__port__range=[80, 443]", "AG"),
        ("_filter_custom_fields__on=True", "A"),
        ('_filter_custom_fields__on="true"', "A"),
        ("_filter_custom_fields__host__startswith=web", "Ab"),
        ("_filter_custom_fields__host__contains=-2", "b"),
        ("_filter_custom_fields__host__regex=[0-1]$", "A"),
        ("_filter_custom_fields__host__lt=web-2", "A"),
        ("_filter_custom_fields__list__contains=y", "b"),
        ('_filter_custom_fields__list=["x", "y"]', "b"),
        ("_filter_custom_fields__deep__er=7", "G"),
        ('_filter_custom_fields__deep={"er": 7}', "G"),
        ('_filter_custom_fields__contains={"deep": {"er": 7}}', "G"),
        ("_filter_custom_fields__deep__isnull=False", "G"),
        ("_filter_custom_fields__nothing__isnull=True", "AbG"),
        ("_filter_custom_fields__none=None", "AbG"),
        ("_exclude_custom_fields__port=443", "G"),
        ("_filter_custom_fields__it's\"odd=1", ""),
    ],
)
async def test_json_is_filtered_by_its_keys(names, query, found):
    assert await names(query) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("_filter_playbookrun__container__isnull=True", "G"),
        ("_filter_playbookrun__isnull=True", "G"),
        ("_filter_playbookrun__isnull=False", "Ab"),
        ("_exclude_playbookrun__isnull=True", "Ab"),
        ("_filter_playbookrun__status=failed", "A"),
        ("_exclude_playbookrun__status=failed", "bG"),
        ("_filter_playbook_run__playbook__name=find", "Ab"),
        ("_filter_playbookrun__owner__username='admin'", "A"),
        ("_filter_actionrun__action__icontains=LOOK", "A"),
        ("_filter_artifact__isnull=True", "AbG"),
        ("_filter_owner__username__isnull=True", "AbG"),
        ("_filter_owner_id__isnull=True", "AbG"),
        ("_filter_artifact_count=0", "AbG"),
        ("_filter_owner_name=admin", ""),
    ],
)
async def test_relations_are_followed_both_ways(names, query, found):
    assert await names(query) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("_filter_container={first}", 2),
        ('_filter_container="{first}"', 2),
        ("_filter_container_id={first}", 2),
        ("_filter_container__exact={first}", 2),
        ("_filter_container__in=[{first}]", 2),
        ("_filter_container__name=Alpha", 2),
        ('_filter_status="running"', 1),
        ("_filter_status__exact=failed", 1),
        ("_filter_playbook__exact={book}", 2),
        ("_filter_playbook__name__icontains=FIN", 2),
        ("_filter_playbook__scm__name=local", 3),
        ("_filter_owner__username='admin'", 1),
        ("_filter_parent_run__isnull=True", 3),
        ("_filter_parent_run=1", 0),
        ("_filter_start_time__gt='2018-01-01'", 3),
        ("_filter_message__contains=local/find", 2),
        ("_filter_misc__scope=new", 3),
        ("_filter_actionrun__status=running", 1),
        ("_filter_id__gt=0", 3),
        ("_filter_pk=0", 0),
    ],
)
async def test_runs_are_filtered_as_clients_filter_them(get, stored, query, found):
    query = query.format(first=stored[0][0], book=stored[1][0])
    content = (await get("playbook_run", query)).json()
    assert content["count"] == len(content["data"]) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("_filter_playbook_run__status=success", 1),
        ("_filter_playbook_run__playbook__name=find", 1),
        ("_filter_playbook__name=find", 1),
        ("_filter_playbook__name=block", 0),
        ("_filter_playbook__playbook_run__status=failed", 0),
        ("_filter_playbook__playbook_run__status=running", 1),
        ("_filter_playbook={book}", 1),
        ("_filter_owner__username=admin", 1),
        ("_filter_container={first}", 1),
    ],
)
async def test_action_runs_are_filtered_by_their_runs(get, stored, query, found):
    query = query.format(first=stored[0][0], book=stored[1][0])
    assert (await get("action_run", query)).json()["count"] == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("_filter_name=find", ["find"]),
        ("_filter_name__exact=local/find", ["find"]),
        ("_filter_name__endswith=/find", ["find"]),
        ('_filter_name__icontains="FIND"', ["find"]),
        ("_filter_active=True", ["find"]),
        ('_filter_labels__contains="events"', ["find"]),
        ("_filter_labels__contains='*'", ["block"]),
        ("_exclude_category='deprecated'", ["find", "block"]),
        ('_filter_tags__contains=["x"]', []),
        ("_filter_scm__name=local", ["find", "block"]),
        ("_filter_scm=1", ["find", "block"]),
        ("_filter_scm=2", []),
        ("_filter_passed_validation=True&sort=name", ["block", "find"]),
        ("_filter_playbookrun__status=failed", ["block"]),
    ],
)
async def test_playbooks_are_found_as_clients_look_them_up(get, query, found):
    assert [row["name"] for row in (await get("playbook", query)).json()["data"]] == found


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("sort=name", "AGb"),
        ("sort=name&order=desc", "bGA"),
        ('sort="name"&order="DESC"', "bGA"),
        ("sort=-name", "bGA"),
        ("sort=create_time&order=desc", "GbA"),
        ("sort=label", "GAb"),
        ("sort=label&order=desc", "bAG"),
        ("order=desc", "GbA"),
        ("sort=&order=asc", "AbG"),
        ("page_size=100&order=desc", "GbA"),
        ("page_size=101&order=desc", "GbA"),
    ],
)
async def test_lists_are_sorted_and_what_is_alike_comes_by_id(names, query, order):
    assert await names(query) == order


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("_filter_nope=1", "is not a field of container; valid fields are tags, id, art"),
        ("_filter_=1", '"" in "_filter_" is not a field'),
        ("_filter_playbookrun__nope=1", "is not a field of playbook_run; valid fields are act"),
        ("_filter_name__nope=1", "is not a lookup of name; valid lookups are exact, gt"),
        ("_filter_id__contains=1", "is not a lookup of id"),
        ("_filter_name__contains__exact=1", "is not a lookup of name"),
        ("_filter_create_time__year__contains=1", "is not a lookup of create_time__year"),
        ("_filter_in_case__gt=True", "of in_case; valid lookups are exact, in, isnull"),
        ("_filter_id=x", '_filter_id must be compared with an integer, not "x"'),
        ("_filter_id=1.5", "must be compared with an integer"),
        ("_filter_id=True", "must be compared with an integer"),
        ("_filter_id=9223372036854775808", "must be compared with an integer"),
        ('_filter_id__in=[1, "x"]', "must be compared with an integer"),
        ("_filter_id__in={}", "must be compared with a list such as"),
        ("_filter_id__in=[1, 2", "must be compared with a list such as"),
        ("_filter_id__range=[1]", "a list of the first and the last value"),
        ("_filter_id__in=[" + "1," * 1001 + "]", "a list of at most 1000 values"),
        ("_filter_name=['a']", "_filter_name must be compared with a text"),
        ("_filter_in_case=maybe", "must be compared with True or False"),
        ("_filter_name__isnull=maybe", "must be compared with True or False"),
        ("_filter_create_time__gt=yesterday", "must be compared with an ISO 8601 time"),
        ("_filter_create_time__gt=2018", "must be compared with an ISO 8601 time"),
        ("_filter_create_time__date=2024-13-01", "must be compared with an ISO 8601 date"),
        ("_filter_create_time__time=25:00", "must be compared with an ISO 8601 time of day"),
        ("_filter_custom_fields__port__gt=None", "must be compared with a number or a text"),
        ("_filter_name__regex=(", "The filter cannot be evaluated: invalid regular expression"),
        ("_filter_name__regex=" + "a" * 201, "a regular expression of at most 200 characters"),
        ('_filter_name="x', "whose quotes do not match"),
        ("_filter_name=%00", "U+0000"),
        ("_filter_custom_fields__%00=1", "U+0000"),
        ("_filter_name=" + "x" * 17_000, "is longer than 16384 bytes"),
        ("&".join(["_filter_id=1"] * 51), "has more than 50 filters"),
        ("_filter_playbookrun__container__playbookrun__container__id=1", "is not a field of"),
        ("sort=nope", "sort must be one of id, artifact_count"),
        ("sort=tags", "sort must be one of"),
        ("order=up", 'order must be "asc" or "desc", not "up"'),
        ("page=-1", "page must be an integer of 0 or more"),
        ("page=x", "page must be an integer of 0 or more"),
        ("pretty=perhaps", "pretty must be True or False"),
        ("include_expensive=2", "include_expensive must be True or False"),
        ("page=1", "That page contains no results"),
        ("page=99999999999999999&page_size=999999999999", "That page contains no results"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused_with_what_would(get, query, message):
    response = await get("container", query)
    assert response.status_code == 400, response.text
    assert response.json()["failed"] is True
    assert message in response.json()["message"]


@pytest.mark.parametrize(
    "value",
    ["'; DROP TABLE containers; --", '" OR 1=1 --', "%' OR '1'='1", "{{7*7}}", "\\", "$1", ":x"],
)
@pytest.mark.parametrize("lookup", ["exact", "icontains", "startswith", "in"])
async def test_what_is_sent_is_a_value_and_never_sql(names, value, lookup):
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert await names(f"_filter_name__{lookup}={quote(quoted)}") == ""
    assert await names("") == "AbG"
