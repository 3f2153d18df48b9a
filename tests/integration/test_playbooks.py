"""Playbooks on a real PostgreSQL: their ids, what happens to them as files change, their names."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, text, update

from prefect_phantom.adapters.between.repositories import Repositories
from prefect_phantom.adapters.errors import Invalid, NotFound
from prefect_phantom.adapters.store.case import new_containers
from prefect_phantom.adapters.store.playbooks import playbooks
from prefect_phantom.adapters.store.playbooks.found_playbooks import FoundPlaybook, save_found
from prefect_phantom.adapters.store.runs import playbook_runs
from prefect_phantom.adapters.store.starts import refused_starts, run_requests
from prefect_phantom.adapters.store.starts.run_requests import RunRequest
from prefect_phantom.adapters.store.tables.case_fields import ContainerFields
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs
from prefect_phantom.adapters.store.tables.tables import playbooks as table
from prefect_phantom.adapters.store.tables.tables import repositories

GONE = "The playbook is no longer in the repository local"


@pytest.fixture(autouse=True)
async def empty_shelf(database):
    async with database.begin() as connection:
        await connection.execute(text("TRUNCATE playbooks RESTART IDENTITY CASCADE"))


@pytest.fixture
def save(database):
    """Stores that the repositories hold these now; returns the ids of all known playbooks."""

    async def save(*found: FoundPlaybook, ids: dict[str, int] | None = None) -> dict[str, int]:
        await save_found(database, found, Repositories(ids=ids or {}))
        rows = await playbooks.read_all(database)
        return {f"{row.repository}/{row.name}": row.id for row in rows}

    return save


@pytest.fixture
def find(database):
    async def find(playbook, repositories=("local", "examples")) -> str:
        async with database.begin() as connection:
            row = await playbooks.find(connection, playbook, repositories=repositories)
        return f"{row.repository}/{row.name}"

    return find


@pytest.fixture
def errors(database):
    """The errors of all known playbooks, by name."""

    async def errors() -> dict[str, str]:
        return {row.name: row.error for row in await playbooks.read_all(database)}

    return errors


def found(name: str, repository: str = "local", *, file: str = "", **fields) -> FoundPlaybook:
    entrypoint = f"{file or name}.py:{name}"
    return FoundPlaybook(repository, name, folder="/p", entrypoint=entrypoint, **fields)


def broken(file: str, error: str = "It does not import: boom") -> FoundPlaybook:
    return FoundPlaybook("local", file, folder="/p", entrypoint=f"{file}.py", error=error)


async def test_ids_stay_however_often_the_repositories_are_read(save):
    first = await save(found("a"), found("b"))
    assert await save(found("b"), found("a", description="changed")) == first
    assert await save(found("c"), found("b"), found("a")) == first | {"local/c": 3}


async def test_what_changed_in_a_file_is_stored(database, save):
    ids = await save(found("a"))
    schema = {"properties": {"container_id": {"type": "integer"}}}
    await save(found("a", description="new", labels=["events"], parameter_schema=schema))
    row = await playbooks.read(database, ids["local/a"])
    assert (row.description, row.labels, row.parameter_schema) == ("new", ["events"], schema)


async def test_a_playbook_gets_the_id_that_callers_have_written_down(save):
    assert await save(found("a"), ids={"local/a": 1042}) == {"local/a": 1042}


async def test_ids_given_out_later_never_meet_one_of_the_mapping(save):
    await save(found("a"), ids={"local/a": 5})
    assert await save(found("a"), found("b")) == {"local/a": 5, "local/b": 6}


async def test_the_mapping_counts_at_first_sight_only(save):
    first = await save(found("a"))
    assert await save(found("a"), ids={"local/a": 1042}) == first


async def test_a_low_id_of_the_mapping_is_not_given_to_another_playbook_before(save):
    ids = await save(found("a"), found("b"), ids={"local/b": 1})
    assert ids["local/b"] == 1


async def test_a_mapped_id_that_is_taken_does_not_keep_other_playbooks_out(save):
    await save(found("a"))
    assert "local/c" in await save(found("a"), found("b"), found("c"), ids={"local/b": 1})


@pytest.mark.parametrize("wanted", [0, -1, 2**31, 2**70, "7"])
async def test_a_mapped_id_that_cannot_be_is_left_out(save, wanted):
    ids = await save(found("a"), found("b"), ids={"local/b": wanted})
    assert sorted(ids.values()) == [1, 2]


async def test_a_file_that_stops_importing_breaks_its_playbooks_and_keeps_their_ids(save, errors):
    first = await save(found("a", file="two"), found("b", file="two"), found("c"))
    assert await save(broken("two"), found("c")) == first
    reason = "It does not import: boom"
    assert await errors() == {"a": reason, "b": reason, "c": ""}


async def test_a_file_that_has_just_stopped_importing_ends_no_run_yet(database, save):
    async def a() -> playbooks.Playbook:
        return next(row for row in await playbooks.read_all(database) if row.name == "a")

    async def refused() -> list[int]:
        return [row.id for row in await refused_starts.read_playbooks(database)]

    async def pass_time() -> None:
        before = table.c.broken_time - timedelta(seconds=playbooks.BROKEN_SECONDS)
        async with database.begin() as connection:
            await connection.execute(update(table).values(broken_time=before))

    await save(found("a"))
    for _ in range(2):
        await save(broken("a"))
        assert ((await a()).startable, (await a()).may_come_back) == (False, True)
        assert await refused() == []
        await pass_time()
        assert not (await a()).may_come_back
        # Another report of the same does not make it new.
        await save(broken("a", "It does not import: another"))
        assert not (await a()).may_come_back
        assert await refused() == [(await a()).id]
        await save(found("a"))
        assert ((await a()).startable, (await a()).may_come_back) == (True, False)


async def test_a_file_that_never_imported_is_broken_at_once(database, save):
    await save(broken("a"))
    (row,) = await playbooks.read_all(database)
    assert not row.may_come_back
    assert [each.id for each in await refused_starts.read_playbooks(database)] == [row.id]


async def test_a_file_that_imports_again_is_whole_again(save, errors):
    first = await save(found("a", file="two"))
    await save(broken("two"))
    assert await save(found("a", file="two")) == first
    assert await errors() == {"a": ""}


async def test_a_file_that_never_imported_is_listed_under_its_own_name(save, errors):
    await save(broken("two"))
    assert await errors() == {"two": "It does not import: boom"}


async def test_a_broken_file_named_by_digits_does_not_keep_other_playbooks_out(save):
    assert "local/a" in await save(found("a"), broken("123"))


async def test_an_error_with_a_zero_character_does_not_keep_other_playbooks_out(save):
    assert "local/a" in await save(found("a"), broken("b", "ValueError: \0"))


async def test_a_playbook_that_is_gone_says_so_and_keeps_its_id(save, errors):
    first = await save(found("a"), found("b"))
    assert await save(found("b")) == first
    assert await errors() == {"a": GONE, "b": ""}


async def test_a_playbook_that_comes_back_has_its_id_again(save, errors):
    first = await save(found("a"), found("b"))
    await save()
    assert await save(found("a")) == first
    assert await errors() == {"a": "", "b": GONE}


async def test_what_was_only_the_name_of_a_broken_file_is_forgotten_with_it(save, errors):
    await save(broken("two"))
    await save(found("a", file="two"))
    assert await errors() == {"a": ""}


def ambiguous(name: str, *files: str) -> str:
    paths = " and ".join(f"/p/{file}.py" for file in files)
    return f'{paths} define one playbook "{name}": give each a name of its own'


@pytest.fixture
def rows(database):
    """Error, entrypoint and whether it can be started, of all known playbooks by name."""

    async def rows() -> dict[str, tuple[str, str | None, bool]]:
        return {
            row.name: (row.error, row.entrypoint, row.startable)
            for row in await playbooks.read_all(database)
        }

    return rows


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_second_file_with_a_name_takes_nothing_over(save, rows, reverse):
    first = await save(found("enrich"))
    both = [found("enrich"), found("enrich", file="another")]
    ids = await save(*(reversed(both) if reverse else both))
    error = ambiguous("enrich", "another", "enrich")
    assert await rows() == {
        "enrich": (error, "enrich.py:enrich", True),
        "another": (error, "another.py", False),
    }
    assert ids["local/enrich"] == first["local/enrich"]


async def test_what_ran_before_goes_on_with_its_changes(database, save):
    ids = await save(found("enrich"))
    await save(
        found("enrich", description="new", digest="d2"),
        found("enrich", file="another", digest="d2"),
    )
    row = await playbooks.read(database, ids["local/enrich"])
    assert (row.description, row.digest, row.startable) == ("new", "d2", True)


async def test_when_one_of_two_is_renamed_both_are_whole(save, rows):
    first = await save(found("enrich"))
    await save(found("enrich"), found("enrich", file="another"))
    ids = await save(found("enrich"), found("other", file="another"))
    assert await rows() == {
        "enrich": ("", "enrich.py:enrich", True),
        "other": ("", "another.py:other", True),
    }
    assert ids["local/enrich"] == first["local/enrich"]


async def test_when_the_first_of_two_is_taken_away_the_other_has_the_name_and_its_id(save, rows):
    first = await save(found("enrich"))
    await save(found("enrich"), found("enrich", file="another"))
    ids = await save(found("enrich", file="another"))
    assert await rows() == {"enrich": ("", "another.py:enrich", True)}
    assert ids == first


async def test_of_two_new_files_with_one_name_none_has_it(save, rows):
    await save(found("enrich", file="one"), found("enrich", file="two"))
    error = ambiguous("enrich", "one", "two")
    assert await rows() == {"one": (error, "one.py", False), "two": (error, "two.py", False)}


async def test_a_name_is_one_in_all_folders_of_a_repository(save, rows):
    await save(found("enrich"))
    there = FoundPlaybook("local", "enrich", folder="/q", entrypoint="enrich.py:enrich")
    await save(found("enrich"), there)
    error = (
        '/p/enrich.py and /q/enrich.py define one playbook "enrich": give each a name of its own'
    )
    assert await rows() == {
        "enrich": (error, "enrich.py:enrich", True),
        "enrich.py": (error, "enrich.py", False),
    }


async def test_the_same_name_in_two_repositories_is_two_playbooks(save, rows):
    await save(found("enrich"), found("enrich", "examples"))
    assert await rows() == {"enrich": ("", "enrich.py:enrich", True)}


async def test_two_functions_of_one_file_may_not_share_a_name_either(save, rows):
    one, other = (
        FoundPlaybook("local", "enrich", folder="/p", entrypoint=f"two.py:{name}")
        for name in ("a", "b")
    )
    await save(one)
    await save(one, other)
    error = '/p/two.py:a and /p/two.py:b define one playbook "enrich": give each a name of its own'
    assert await rows() == {
        "enrich": (error, "two.py:a", True),
        "two": (error, "two.py", False),
    }


async def test_a_broken_file_named_like_a_playbook_of_another_one_takes_nothing_over(save, rows):
    await save(found("enrich", file="another"))
    await save(broken("enrich"), found("enrich", file="another"))
    assert await rows() == {
        "enrich": ("", "another.py:enrich", True),
        "enrich.py": ("It does not import: boom", "enrich.py", False),
    }


async def test_a_file_that_does_not_import_at_the_moment_keeps_its_name(save, rows):
    first = await save(found("enrich"))
    ids = await save(broken("enrich"), found("enrich", file="another"))
    assert await rows() == {
        "enrich": ("It does not import: boom", "enrich.py:enrich", False),
        "another": (ambiguous("enrich", "another", "enrich"), "another.py", False),
    }
    assert ids["local/enrich"] == first["local/enrich"]


async def test_two_replicas_that_start_at_once_store_each_playbook_once(save):
    one, other = await asyncio.gather(save(found("a"), found("b")), save(found("a"), found("b")))
    assert one == other == {"local/a": 1, "local/b": 2}


async def test_a_deployment_is_remembered_with_what_was_registered(database, save):
    ids = await save(found("a"))
    deployment_id = uuid4()
    await playbooks.record_deployment(
        database, ids["local/a"], deployment_id, digest="digest", isolation="reused"
    )
    await save(found("a"))
    row = await playbooks.read(database, ids["local/a"])
    assert (row.deployment_id, row.registered_digest) == (deployment_id, "digest")


async def test_runs_move_along_with_the_id_of_their_playbook(database, save):
    ids = await save(found("a"))
    new = ContainerFields(name="c", label="events")
    container_id, _ = await new_containers.create(database, new)
    request = RunRequest(container_id=container_id, playbook="a", scope="all")
    open_run, ended = [
        await run_requests.accept(database, request, repositories=["local"]) for _ in range(2)
    ]
    async with database.begin() as connection:
        await playbook_runs.finish(connection, ended, "success", "")
    await playbooks.set_id(database, ids["local/a"], 1042)
    async with database.begin() as connection:
        moved = await connection.execute(select(runs.c.id, runs.c.playbook_id))
        assert dict(map(tuple, moved)) == {open_run: 1042, ended: 1042}


async def test_an_id_that_was_set_is_not_given_out_again(database, save):
    ids = await save(found("a"))
    await playbooks.set_id(database, ids["local/a"], 5)
    assert await save(found("a"), found("b")) == {"local/a": 5, "local/b": 6}


async def test_a_low_id_does_not_lead_the_next_ids_into_those_given_out(database, save):
    ids = await save(found("a"), found("b"), found("c"))
    await playbooks.set_id(database, ids["local/c"], 10)
    await playbooks.set_id(database, 10, 3)
    assert (await save(found("a"), found("b"), found("c"), found("d")))["local/d"] > 3


async def test_an_id_that_another_playbook_has_is_refused(database, save):
    first = await save(found("a"), found("b"))
    with pytest.raises(Invalid, match="Another playbook already has the id 2"):
        await playbooks.set_id(database, 1, 2)
    assert await save(found("a"), found("b")) == first


@pytest.mark.parametrize("new_id", [0, -1, 2**31, 2**70])
async def test_an_id_that_is_no_positive_number_of_32_bits_is_refused(database, save, new_id):
    await save(found("a"))
    with pytest.raises(Invalid, match="A playbook id must be between 1 and"):
        await playbooks.set_id(database, 1, new_id)


async def test_an_unknown_playbook_is_given_no_id(database):
    with pytest.raises(NotFound, match=r'^Playbook "7" not found$'):
        await playbooks.set_id(database, 7, 8)


SHELF = [("local", "both"), ("examples", "both"), ("examples", "other"), ("other", "third"),
         ("local", "a/b"), ("local", "[DRE] UAT %s")]  # fmt: skip


@pytest.fixture
async def shelf(save) -> None:
    await save(*(found(name, repository) for repository, name in SHELF))


@pytest.mark.parametrize(
    ("playbook", "expected"),
    [
        (2, "examples/both"),
        ("2", "examples/both"),
        ("002", "examples/both"),
        ("both", "local/both"),
        ("other", "examples/other"),
        ("local/both", "local/both"),
        ("examples/both", "examples/both"),
        ("other/third", "other/third"),
        ("a/b", "local/a/b"),
        ("[DRE] UAT %s", "local/[DRE] UAT %s"),
        ("local/a/b", "local/a/b"),
    ],
)
@pytest.mark.usefixtures("shelf")
async def test_a_playbook_is_found_as_callers_name_it(find, playbook, expected):
    assert await find(playbook) == expected


@pytest.mark.usefixtures("shelf")
async def test_a_bare_name_is_looked_up_in_the_order_of_the_repositories(find):
    assert await find("both", ["examples", "local"]) == "examples/both"


@pytest.mark.usefixtures("shelf")
async def test_a_name_with_a_slash_is_found_beside_one_that_is_its_end(find, database):
    async with database.begin() as connection:
        await connection.execute(insert(table).values(repository="local", name="b"))
    assert await find("a/b") == "local/a/b"


@pytest.mark.parametrize(
    "playbook",
    ["Both", "BOTH", "third", "local/other", "Local/both", "nowhere/both", "b", "", "/", "/both",
     "both/", " both", 0, -1, 99, 2**63, 2**70, "0", "99", str(2**70), "bot%", "b_th",
     "²", "9" * 5000, "\0", "local/\0",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("shelf")
async def test_what_names_no_playbook_is_not_found_and_repeated_as_it_was_sent(find, playbook):
    with pytest.raises(NotFound) as raised:
        await find(playbook)
    assert str(raised.value) == f'Playbook "{playbook}" not found'


@pytest.mark.usefixtures("shelf")
async def test_a_playbook_that_is_gone_or_broken_is_still_found(find, save, database):
    await save()
    async with database.begin() as connection:
        await connection.execute(update(table).where(table.c.id == 3).values(error="boom"))
    assert await find("both") == "local/both"
    assert await find("other") == "examples/other"


async def test_each_repository_keeps_the_id_that_it_was_given_first(database):
    async def read() -> dict[str, int]:
        query = select(repositories.c.name, repositories.c.id).order_by(repositories.c.id)
        async with database.read() as connection:
            return {row.name: row.id for row in await connection.execute(query)}

    there = await read()
    assert list(there)[:2] == ["local", "examples"]
    found = FoundPlaybook("team", "hunt", folder="/t", entrypoint="hunt.py:hunt")
    await save_found(database, [found], Repositories(names=["spare", "local"]))
    new = await read()
    assert new.keys() - there.keys() == {"team", "spare"}
    await save_found(database, [])
    assert await read() == new
