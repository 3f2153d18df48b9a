"""Rows that callers ask for one at a time, read together: who asks at once shares a statement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias

import asyncpg

MOST = 32
"""How many rows one statement reads: callers of small ones wait for the large ones among them."""
AT_ONCE = 2
"""Statements under way. Who asks meanwhile is in the next one."""

Read: TypeAlias = Callable[[Sequence[int]], Coroutine[Any, Any, Mapping[int, asyncpg.Record]]]
Row: TypeAlias = asyncio.Future[asyncpg.Record | None]


class Gathered:
    """Reads rows by their ids through `read`, which answers those that exist.

    A statement begins after each of its rows was asked for, so nobody is told what was so before.
    To a caller who is alone it is a turn of the event loop; with many it costs a fraction, since
    a trip to PostgreSQL costs more than a row.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._asked: dict[int, list[Row]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def row(self, identifier: int) -> asyncpg.Record | None:
        """The row, or None without one; raises what `read` raises."""
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._begin)  # after those who ask in this turn
        row: Row = loop.create_future()
        self._asked.setdefault(identifier, []).append(row)
        return await row

    def _begin(self) -> None:
        while self._asked and len(self._under_way) < AT_ONCE:
            asked = {each: self._asked.pop(each) for each in list(islice(self._asked, MOST))}
            task = asyncio.create_task(self._answer(asked))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    async def _answer(self, asked: Mapping[int, list[Row]]) -> None:
        # Here and not when the task has ended: that would be one more turn of the loop.
        waiting = [(identifier, row) for identifier, rows in asked.items() for row in rows]
        try:
            found = await self._read(list(asked))
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
            for _, row in waiting:
                if not row.done():
                    row.set_exception(error)
        else:
            for identifier, row in waiting:
                if not row.done():  # who asked may have given up
                    row.set_result(found.get(identifier))
        finally:
            for _, row in waiting:
                row.cancel()  # the task was cancelled

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._begin()
