"""Contract 3: lists, as command lines and published clients ask for them."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def runs(target, container) -> list[int]:
    """All the runs of a container of their own, in the order of their ids."""
    return sorted(target.start(container) for _ in range(3))


@pytest.fixture(scope="module")
def listed(target, container, runs):
    """Ids of the runs among `runs` that a query finds in the container."""

    def listed(query: str) -> list[int]:
        answer = target.curl(f"/rest/playbook_run?_filter_container={container}&{query}")
        assert answer.status == 200, answer
        return [each["id"] for each in answer.content["data"] if each["id"] in runs]

    return listed


@pytest.mark.parametrize(
    "path",
    [
        "/rest/playbook_run",
        "/rest/action_run",
        "/rest/app_run",
        "/rest/container",
        "/rest/artifact",
        "/rest/playbook",
        "/rest/ph_user",
        "/rest/scm/",
        "/rest/note",
        "/rest/approval?_filter_status=%22pending%22",
    ],
)
def test_a_list_is_count_pages_and_data(target, path):
    answer = target.curl(path)
    assert answer.status == 200
    assert {"count", "num_pages", "data"} <= set(answer.content)
    assert len(answer.content["data"]) <= 10


@pytest.mark.parametrize(
    "query",
    [
        "page_size=0",
        "page_size=100&sort=id&order=asc",
        'page_size="100"&sort=id',
        "page_size=0&_filter_id__in=[{0},{1},{2}]",
        "page_size=0&_filter_id__gte={0}",
        'page_size=0&_filter_id__gte="{0}"',
        "page_size=0&_filter_id__range=[{0},{2}]",
        "page_size=0&_filter_start_time__gt=%222018-01-01%22",
        "page_size=0&_filter_container__exact={container}",
        'page_size=0&_filter_container="{container}"',
        "page_size=0&_filter_test_mode=False",
        "page_size=0&_exclude_status='nope'",
        "page_size=0&_filter_playbook__name__icontains='{upper}'",
        "page_size=0&include_expensive=True&pretty",
        "page_size=0&_annotation_container_attachments=True",
    ],
)
def test_all_runs_are_found(listed, target, container, runs, query):
    upper = target.playbook.split("/")[-1].upper()
    asked = query.format(*runs, container=container, upper=upper).replace(" ", "%20")
    assert sorted(listed(asked)) == runs


def test_pages_count_from_zero_and_end_with_the_recorded_words(target, runs):
    path = f"/rest/playbook_run?_filter_id__in={runs}&page_size=2".replace(" ", "")
    pages = [target.curl(f"{path}&sort=id&order=asc&page={page}") for page in (0, 1, 2)]
    assert [each["id"] for page in pages[:2] for each in page.content["data"]] == runs
    assert (pages[0].content["count"], pages[0].content["num_pages"]) == (3, 2)
    assert "That page contains no results" in pages[2].message


def test_the_order_is_turned_round(listed, runs):
    assert listed("page_size=0&sort=id&order=desc") == runs[::-1]


def test_lists_below_a_thing(target, container, runs):
    answer = target.curl(f"/rest/container/{container}/playbook_runs?page_size=0")
    assert set(runs) <= {each["id"] for each in answer.content["data"]}
    for path in (
        f"/rest/container/{container}/artifacts",
        f"/rest/playbook_run/{runs[0]}/actions?pretty&page_size=0",
        f"/rest/playbook_run/{runs[0]}/log?page_size=0&sort=time",
        f"/rest/action_run?_filter_playbook_run={runs[0]}",
        f"/rest/action_run?_filter_playbook_run_id={runs[0]}",
        f"/rest/app_run?_filter_playbook_run={runs[0]}",
        f"/rest/action_run?_filter_playbook_run__status=%22failed%22&_filter_container={container}",
        f"/rest/container?_filter_id={container}&_filter_playbookrun__container__isnull=False",
    ):
        assert "data" in target.curl(path).content, path


@pytest.mark.parametrize(
    "query", ["_filter_nope=1", "_filter_container__nope=1", "page=9999&page_size=10"]
)
def test_a_query_that_makes_no_sense_is_a_failed_envelope(target, query):
    answer = target.curl(f"/rest/playbook_run?{query}")
    assert answer.message


@pytest.mark.ours
def test_an_unknown_filter_lists_those_that_there_are(target):
    answer = target.curl("/rest/container?_filter_nope=1")
    assert answer.status == 400
    assert answer.message.startswith('"nope" in "_filter_nope" is not a field of container; valid')
    assert "source_data_identifier" in answer.message
