"""Changes that a run makes: on its container, on other ones, and on custom lists.

Each is one transaction with the check that the attempt may still act, with its row in the audit,
and with a key that the run has made, so that asking again after a lost answer changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.errors import PhantomError
from prefect_phantom.adapters.store.accounts.served_request import about, by, was_noted
from prefect_phantom.adapters.store.case import artifacts, containers, decided_lists
from prefect_phantom.adapters.store.case.artifacts import note_in_container
from prefect_phantom.adapters.store.case.container_entries import Entries
from prefect_phantom.adapters.store.case.decided_lists import Cell
from prefect_phantom.adapters.store.case.new_artifacts import Brought, NewArtifact, bring
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.runs.attempts import HeldRun, hold
from prefect_phantom.adapters.store.starts.automation import Automation
from prefect_phantom.adapters.store.tables.automation_tables import case_changes
from prefect_phantom.adapters.store.tables.case_fields import ArtifactFields, ContainerFields
from prefect_phantom.adapters.store.tables.tables import artifacts as table

Work = Callable[[AsyncConnection, HeldRun], Awaitable[int]]
"""Makes the change and returns the id of what was made or changed."""


@dataclass(slots=True)
class Change:
    """A change that the run with the live attempt `token` asks for, once for each `key`."""

    database: Database
    token: str
    key: UUID
    container_id: int | None = None
    """The container; None is the run's own."""
    brought: Brought | None = field(default=None, init=False)
    """What `add_artifact` has brought, if it was done this time."""

    async def add_artifact(self, new: NewArtifact, queue_delay: timedelta) -> int:
        """Add an artifact, which may start playbooks as one that a caller adds; returns its id.

        Raises `NotFound`, `DuplicateArtifact` and `UnknownOwner`.
        """

        async def work(connection: AsyncConnection, held: HeldRun) -> int:
            container_id = self._container(held)
            label = await containers.lock(connection, container_id)
            on_behalf = Automation(
                owner_id=held.user_id,
                queue_delay=queue_delay,
                request_id=held.request_id,
                traceparent=held.traceparent,
                cause=held.id,
            )
            brought = await bring(connection, container_id, label, [new], on_behalf)
            (outcome,) = brought.outcomes
            if isinstance(outcome, PhantomError):
                raise outcome
            await note_in_container(connection, container_id)
            about(outcome)
            self.brought, self.container_id = brought, container_id
            return outcome

        return await self._make(work)

    async def change_artifact(
        self, artifact_id: int, changes: ArtifactFields, *, overwrite: bool
    ) -> int:
        """Change an artifact. Unless `overwrite`, CEF fields and tags are added to those it has.

        Raises `NotFound`, `DuplicateArtifact` and `UnknownOwner`.
        """

        async def work(connection: AsyncConnection, _: HeldRun) -> int:
            home = await artifacts.container_of(connection, artifact_id)
            await containers.lock(connection, home)
            wanted = changes
            if not overwrite:
                query = select(table.c.cef, table.c.cef_types, table.c.tags)
                row = await connection.execute(query.where(table.c.id == artifact_id))
                wanted = _added(row.one(), changes)
            await artifacts.change_held(connection, artifact_id, wanted)
            return artifact_id

        return await self._make(work)

    async def change_container(self, changes: ContainerFields) -> int:
        """Change a container. Raises `NotFound`."""

        async def work(connection: AsyncConnection, held: HeldRun) -> int:
            container_id = self._container(held)
            await containers.change_held(connection, container_id, changes)
            return container_id

        return await self._make(work)

    async def write(self, entries: Entries, author: str, values: Mapping[str, object]) -> int:
        """Write a note, a comment or a pin, whose author is the run's user; returns its id.

        Raises `NotFound`, and `BadField` for an artifact of another container.
        """

        async def work(connection: AsyncConnection, held: HeldRun) -> int:
            signed = {**values, author: held.user_id}
            return await entries.write(connection, self._container(held), signed)

        return await self._make(work)

    async def append_row(self, named: str, row: list[Cell], *, create: bool) -> int:
        """Add a row to a custom list, which is made on demand with `create`; returns its id.

        Raises `NotFound`, and `Invalid` if it would be too large.
        """

        async def work(connection: AsyncConnection, _: HeldRun) -> int:
            return await decided_lists.append(connection, named, row, create=create)

        return await self._make(work)

    def _container(self, held: HeldRun) -> int:
        return held.container_id if self.container_id is None else self.container_id

    async def _make(self, work: Work) -> int:
        """Do `work` unless the key came before; returns what it made or changed.

        Raises:
            Superseded: the attempt is stale, or its run has ended or is being cancelled.
            PhantomError: whatever `work` raises; nothing is changed then.
        """
        async with self.database.begin() as connection:
            held = await hold(connection, self.token)
            known = select(case_changes.c.object_id).where(
                case_changes.c.playbook_run_id == held.id, case_changes.c.key == self.key
            )
            object_id: int | None = await connection.scalar(known)
            if object_id is not None:
                was_noted()
                return object_id
            by(held.user_id, f"By playbook run {held.id}")
            object_id = await work(connection, held)
            await connection.execute(
                insert(case_changes).values(
                    playbook_run_id=held.id, key=self.key, object_id=object_id
                )
            )
        return object_id


def _added(present: Row[Any], changes: ArtifactFields) -> ArtifactFields:
    """`changes` with what the artifact has already of that which is added to."""
    cef, cef_types, tags = changes.cef, changes.cef_types, changes.tags
    return replace(
        changes,
        cef=None if cef is None else {**present.cef, **cef},
        cef_types=None if cef_types is None else {**present.cef_types, **cef_types},
        tags=None if tags is None else list(dict.fromkeys([*present.tags, *tags])),
    )
