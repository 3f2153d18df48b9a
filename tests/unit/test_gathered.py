"""Rows that are asked for at the same time come by the same statement."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import asyncpg
import pytest

from prefect_phantom.adapters.store.database.gathered import AT_ONCE, MOST, Gathered


class Table:
    """Rows of even numbers; each statement is noted, and answered when `answer` is set."""

    def __init__(self) -> None:
        self.statements: list[list[int]] = []
        self.answer = asyncio.Event()
        self.error: Exception | None = None

    async def read(self, ids: Sequence[int]) -> Mapping[int, asyncpg.Record]:
        self.statements.append(list(ids))
        await self.answer.wait()
        if self.error is not None:
            raise self.error
        rows: dict[int, Any] = {each: f"row {each}" for each in ids if each % 2 == 0}
        return cast("Mapping[int, asyncpg.Record]", rows)


async def asked(gathered: Gathered, *ids: int) -> list[asyncio.Task[Any]]:
    """Ask for `ids` and let the loop run until that is all that is left to do."""
    tasks = [asyncio.create_task(gathered.row(each)) for each in ids]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_who_asks_at_once_shares_a_statement_and_gets_the_row_that_was_asked_for():
    table = Table()
    tasks = await asked(Gathered(table.read), 4, 2, 4, 3)
    assert table.statements == [[4, 2, 3]]
    table.answer.set()
    assert await asyncio.gather(*tasks) == ["row 4", "row 2", "row 4", None]


async def test_nobody_is_told_what_was_read_before_the_question():
    table = Table()
    gathered = Gathered(table.read)
    for _ in range(AT_ONCE):
        await asked(gathered, 2)
    later = await asked(gathered, 2, 6)
    assert table.statements == [[2]] * AT_ONCE, "all that may be under way at once are"
    table.answer.set()
    assert await asyncio.gather(*later) == ["row 2", "row 6"]
    assert table.statements == [*[[2]] * AT_ONCE, [2, 6]]


async def test_a_statement_reads_so_many_rows_and_the_next_one_the_rest():
    table = Table()
    table.answer.set()
    wanted = range(2, 4 * MOST + 2, 2)
    tasks = await asked(Gathered(table.read), *wanted)
    assert await asyncio.gather(*tasks) == [f"row {each}" for each in wanted]
    assert [len(ids) for ids in table.statements] == [MOST, MOST]


async def test_a_statement_that_fails_fails_for_all_who_asked_and_for_nobody_after_them():
    table = Table()
    gathered = Gathered(table.read)
    tasks = await asked(gathered, 2, 4)
    table.error = ConnectionResetError("gone")
    table.answer.set()
    for task in tasks:
        with pytest.raises(ConnectionResetError):
            await task
    table.error = None
    assert await gathered.row(2) == "row 2"


async def test_one_who_gives_up_takes_nothing_from_the_others():
    table = Table()
    first, second, _ = tasks = await asked(Gathered(table.read), 2, 2, 4)
    first.cancel()
    await asyncio.wait([first])
    table.answer.set()
    assert await second == "row 2"
    assert await tasks[2] == "row 4"
