"""The names of workers: one process each, which loses its name when its connection ends.

A gateway renews the name of each worker that is connected to it, and gives it back when it sees
that worker's end. What a gateway could not see, because it ended too, is over after the lease.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.errors import NameNotHeld
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks.workers import FORGOTTEN
from prefect_phantom.adapters.store.tables.worker_tables import worker_names as names

LEASE = text("interval '15 seconds'")
TOLD = text("interval '1 hour'")
"""How long it is told that a second worker of a name was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that has a name, or wants one."""

    holder: UUID
    """Made by the process, for as long as it lives."""
    hostname: str
    process_id: int
    process: str
    """Its machine, its number, and when it began: which one it is of all that had its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A second worker that wanted the name of another."""

    name: str
    hostname: str
    refused_hostname: str
    refused_time: datetime


async def take(
    database: Database, name: str, wanted: Holder, connection: UUID, *, dead: UUID | None
) -> tuple[Holder, datetime] | None:
    """Take `name`, unless another process has it: then that is returned, and until when it has it.

    The one whose holder is `dead` does not count: whoever is beside it has seen that.
    """
    values = {**asdict(wanted), "connection": connection, "held_until": func.now() + LEASE}
    row = insert(names).values(name=name, **values)
    free = or_(
        names.c.holder == wanted.holder, names.c.holder == dead, names.c.held_until < func.now()
    )
    taking = row.on_conflict_do_update(index_elements=["name"], set_=values, where=free)
    async with database.begin() as transaction:
        if (await transaction.execute(taking.returning(names.c.name))).first():
            return None
        refused = {"refused_hostname": wanted.hostname, "refused_time": func.now()}
        noting = update(names).where(names.c.name == name).values(refused)
        fields = (names.c[field] for field in Holder.__dataclass_fields__)
        found = (await transaction.execute(noting.returning(*fields, names.c.held_until))).one()
    *holder, held_until = found
    return Holder(**dict(zip(Holder.__dataclass_fields__, holder, strict=True))), held_until


async def machine_of(database: Database, name: str, holder: UUID) -> str:
    """The machine of the process that has `name`.

    Also where no gateway renews it just now: it is `holder`'s until another one takes it.

    Raises `NameNotHeld`: that is not `holder`.
    """
    query = select(names.c.process).where(names.c.name == name, names.c.holder == holder)
    async with database.read() as connection:
        process = await connection.scalar(query)
    if process is None:
        raise NameNotHeld(name)
    return " ".join(process.split()[:2])


async def renew(database: Database, name: str, connection: UUID) -> bool:
    """Keep the name for another lease; False when it is another connection's now."""
    return await _hold(database, name, connection, func.now() + LEASE)


async def give_back(database: Database, name: str, connection: UUID) -> None:
    """Let whoever comes next have the name."""
    await _hold(database, name, connection, func.now() - LEASE)


async def forget_old(database: Database) -> None:
    """Forget names that nobody has had for a day, so that passing ones do not pile up."""
    async with database.begin() as transaction:
        await transaction.execute(delete(names).where(names.c.held_until < FORGOTTEN))


async def refusals(connection: AsyncConnection) -> list[Refusal]:
    """Where a second worker of a name was refused lately."""
    fields = [names.c[field] for field in Refusal.__dataclass_fields__]
    query = select(*fields).where(names.c.refused_time > func.now() - TOLD)
    rows = await connection.execute(query.order_by(names.c.name))
    return [Refusal(**row) for row in rows.mappings()]


async def _hold(database: Database, name: str, connection: UUID, until: object) -> bool:
    held = (names.c.name == name) & (names.c.connection == connection)
    statement = update(names).where(held).values(held_until=until).returning(names.c.name)
    async with database.begin() as transaction:
        return (await transaction.execute(statement)).first() is not None
