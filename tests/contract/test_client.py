"""The Python client against the real application on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from prefect_phantom.client import (
    Artifact,
    Asset,
    AsyncPhantom,
    Container,
    Note,
    PhantomRequestError,
    Playbook,
    PlaybookRun,
)
from prefect_phantom.client.models import Item


@pytest.fixture(scope="module")
async def phantom(application, credentials) -> AsyncIterator[AsyncPhantom]:
    transport = httpx.ASGITransport(application)
    async with AsyncPhantom(
        "http://gateway", token=credentials.token, transport=transport
    ) as phantom:
        yield phantom


@pytest.fixture
def label() -> str:
    """A label that no other test's containers have."""
    return f"pages {uuid4()}"


@pytest.fixture
async def made(phantom: AsyncPhantom, label: str) -> list[int]:
    """Seven containers, in the order in which they were made."""
    names = ["b", "a", "c", "b", "a", "c", "b"]
    return [await phantom.create_container(name, label=label) for name in names]


async def ids(phantom: AsyncPhantom, **asked) -> list[int]:
    return [each.id async for each in phantom.iterate(Container, **asked)]


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 100])
async def test_a_list_is_read_whole_whatever_the_size_of_its_pages(
    phantom: AsyncPhantom, made: list[int], label: str, page_size: int
) -> None:
    assert await ids(phantom, label=label, page_size=page_size) == made
    assert await ids(phantom, label=label, page_size=page_size, sort="-id") == made[::-1]
    names = [
        each.name
        async for each in phantom.iterate(Container, label=label, sort="name", page_size=page_size)
    ]
    assert names == ["a", "a", "b", "b", "b", "c", "c"]


async def test_what_comes_while_a_list_is_read_moves_nothing(
    phantom: AsyncPhantom, made: list[int], label: str
) -> None:
    seen = []
    async for container in phantom.iterate(Container, label=label, sort="-id", page_size=2):
        if not seen:
            await phantom.create_container("later", label=label)
        seen.append(container.id)
    assert seen == made[::-1]


async def test_conditions_are_numbers_texts_lists_times_and_truths(
    phantom: AsyncPhantom, made: list[int], label: str
) -> None:
    assert await ids(phantom, label=label, id=made[2]) == [made[2]]
    assert await ids(phantom, label=label, name__in=["a", "c"]) == [made[i] for i in (1, 2, 4, 5)]
    assert await ids(phantom, label=label, exclude={"name__in": ["a", "b", "later"]}) == [
        made[2],
        made[5],
    ]
    later = datetime.now(UTC) + timedelta(hours=1)
    assert await ids(phantom, label=label, create_time__gt=later) == []
    assert set(await ids(phantom, label=label, create_time__lt=later)) >= set(made)
    assert await ids(phantom, label=label, owner__isnull=False) == []
    assert await ids(phantom, label=label, name=None, id__lte=made[0]) == [made[0]]


async def test_a_page_is_read_when_its_first_item_is_asked_for(
    phantom: AsyncPhantom, made: list[int], label: str
) -> None:
    found = phantom.iterate(Container, label=label, page_size=2)
    assert (await anext(found)).id == made[0]
    last = await phantom.create_container("just now", label=label)
    assert [each.id async for each in found][-1] == last


async def test_a_filter_that_is_none_says_which_there_are(phantom: AsyncPhantom) -> None:
    with pytest.raises(PhantomRequestError, match=r"_filter_nope.* is not a field of container"):
        await ids(phantom, nope=1)


async def test_a_filter_that_cannot_be_written_is_refused_at_once(phantom: AsyncPhantom) -> None:
    with pytest.raises(TypeError, match="cannot compare with"):
        await ids(phantom, name=object())


async def test_a_container_comes_with_its_artifacts(phantom: AsyncPhantom) -> None:
    container_id = await phantom.create_container(
        "case",
        severity="high",
        artifacts=[{"name": "first", "cef": {"sourceAddress": "192.0.2.1"}}, {"name": "second"}],
    )
    container = await phantom.get(Container, container_id)
    assert (container.severity, container.artifact_count) == ("high", 2)
    third = await phantom.create_artifact(container_id, "third", {"fileName": "x"}, tags=["t"])
    found = [each async for each in phantom.iterate(Artifact, container=container_id)]
    assert [each.name for each in found] == ["first", "second", "third"]
    assert found[0].cef == {"sourceAddress": "192.0.2.1"}
    assert (found[2].id, found[2].tags) == (third, ["t"])


async def test_an_artifact_that_was_refused_with_its_container_is_an_error(
    phantom: AsyncPhantom,
) -> None:
    with pytest.raises(PhantomRequestError, match="without its artifact 2: ") as caught:
        await phantom.create_container("case", artifacts=[{"name": "good"}, {"cef": "bad"}])
    container_id = caught.value.answer["id"]
    assert isinstance(container_id, int)
    assert [each.name async for each in phantom.iterate(Artifact, container=container_id)] == [
        "good"
    ]


async def test_every_kind_of_thing_is_read(phantom, client, container, run_id) -> None:
    await client.post("/rest/note", json={"container_id": container, "content": "seen"})
    await client.post("/rest/asset", json={"name": "dns", "app": "DNS", "configuration": {"a": 1}})
    [note] = [each async for each in phantom.iterate(Note, container=container)]
    assert (note.content, note.author_name) == ("seen", "operator")
    [asset] = [each async for each in phantom.iterate(Asset, name="dns")]
    assert (asset.product_name, asset.configuration) == ("DNS", {"a": 1})
    run = await phantom.get(PlaybookRun, run_id)
    assert (await phantom.get(Playbook, run.playbook)).id == run.playbook
    things: list[Item] = [note, asset, run]
    for thing in things:
        assert await phantom.get(type(thing), thing.id) == thing
