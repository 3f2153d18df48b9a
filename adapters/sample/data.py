"""Sample rows: container 42 of the vendor's example, and the asset of the sample WHOIS server."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.store.tables.tables import artifacts, assets, containers

CONTAINER_ID = 42
CONTAINER_IDENTIFIER = "prefect-phantom sample container"
ASSET_DESCRIPTION = "Sample: the WHOIS responder that comes with prefect-phantom"

_ARTIFACTS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "Beacon to a rare domain",
        "high",
        {
            "sourceAddress": "192.0.2.17",
            "destinationAddress": "203.0.113.80",
            "destinationDnsDomain": "example.org",
            "destinationPort": 443,
        },
    ),
    (
        "Large upload at night",
        "medium",
        {
            "sourceAddress": "192.0.2.17",
            "destinationAddress": "198.51.100.23",
            "destinationDnsDomain": "example.net",
            "bytesOut": 734003200,
        },
    ),
    (
        "Connection without a name",
        "low",
        {"sourceAddress": "192.0.2.44", "destinationAddress": "203.0.113.81"},
    ),
    (
        "Repeated look-ups of one domain",
        "low",
        {"sourceAddress": "192.0.2.44", "destinationDnsDomain": "example.com"},
    ),
]

_log = logging.getLogger(__name__)


async def insert_sample_data(connection: AsyncConnection, *, whois_port: int) -> None:
    """Make the sample rows where they are missing, and point the sample asset at `whois_port`.

    Safe at every start and by several replicas at once: call it in one transaction. What is
    there already stays as it is, except the port of the asset; a container 42 or an asset
    ``whois`` that somebody else made is left alone.
    """
    # Until the commit nobody else inserts a container, hence nobody draws an id while the
    # sequence is moved; a second replica waits here and then finds the rows.
    await connection.execute(text("LOCK TABLE containers IN SHARE ROW EXCLUSIVE MODE"))
    made = await connection.scalar(
        insert(containers)
        .values(
            id=CONTAINER_ID,
            name="Sample: suspicious outbound connections",
            label="events",
            description="Made by --sample-data. Addresses and domains are those for documentation.",
            source_data_identifier=CONTAINER_IDENTIFIER,
            hash=uuid.uuid4().hex,
        )
        .on_conflict_do_nothing()
        .returning(containers.c.id)
    )
    if made is not None:
        await _move_sequence(connection)
        await connection.execute(insert(artifacts), _artifact_rows())
    await _put_asset(connection, whois_port)


async def _move_sequence(connection: AsyncConnection) -> None:
    """Let the next container have an id above the sample's; never move backwards."""
    sequence = func.pg_get_serial_sequence("containers", "id")
    await connection.execute(
        select(func.setval(sequence, func.greatest(func.nextval(sequence), CONTAINER_ID)))
    )


def _artifact_rows() -> list[dict[str, Any]]:
    return [
        {
            "container_id": CONTAINER_ID,
            "name": name,
            "label": "event",
            "severity": severity,
            "source_data_identifier": f"{CONTAINER_IDENTIFIER}, {name}",
            "hash": uuid.uuid4().hex,
            "cef": cef,
        }
        for name, severity, cef in _ARTIFACTS
    ]


async def _put_asset(connection: AsyncConnection, whois_port: int) -> None:
    settings = {"host": "127.0.0.1", "port": whois_port}
    put = insert(assets).values(
        name="whois", app="WHOIS", description=ASSET_DESCRIPTION, settings=settings
    )
    put = put.on_conflict_do_update(
        index_elements=[assets.c.name],
        # Further settings, such as the time-out, are the user's.
        set_={"settings": assets.c.settings + put.excluded.settings, "update_time": func.now()},
        where=assets.c.description == ASSET_DESCRIPTION,
    )
    if await connection.scalar(put.returning(assets.c.id)) is None:
        _log.warning('An asset "whois" is there that is not the sample\'s; it is left as it is.')
